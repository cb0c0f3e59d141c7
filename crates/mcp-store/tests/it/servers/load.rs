//! Writers that go on while a server breaks, and remember what they were told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use mcp_store::{Batch, Committed, Partition, Record, Store};
use tokio::task::JoinSet;

use crate::support::{NOON, name};

const WRITERS: usize = 8;

/// Each writer counts in a partition of its own, in two records at once.
pub(crate) struct Load {
    store: Arc<dyn Store>,
    shared: Arc<Shared>,
    writers: JoinSet<Told>,
}

#[derive(Default)]
struct Shared {
    done: AtomicU64,
    stop: AtomicBool,
}

/// What a writer was told.
struct Told {
    partition: Partition,
    done: u64,
    unknown: u64,
}

impl Load {
    pub(crate) fn on(store: Arc<dyn Store>) -> Self {
        let shared = Arc::new(Shared::default());
        let mut writers = JoinSet::new();
        for _ in 0..WRITERS {
            writers.spawn(write(store.clone(), shared.clone()));
        }
        Self { store, shared, writers }
    }

    /// Waits until so many commits have been acknowledged.
    pub(crate) async fn until_done(&self, count: u64) {
        let enough = async {
            while self.shared.done.load(Ordering::Relaxed) < count {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), enough).await.expect("commits go on");
    }

    /// Ends the writers and compares what they were told with what is there.
    pub(crate) async fn check(mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        while let Some(told) = self.writers.join_next().await {
            let Told { partition, done, unknown } = told.unwrap();
            let found = self.store.get(&partition, &[name("one"), name("two")], NOON).await.unwrap();
            let [one, two] = [&found[0], &found[1]].map(|record| number(record.as_ref()));
            assert_eq!(one, two, "a commit is whole");
            assert!((done..=done + unknown).contains(&one), "{one} of {done} and perhaps {unknown} more");
        }
    }
}

fn number(record: Option<&Record>) -> u64 {
    record.map_or(0, |record| std::str::from_utf8(record.value()).unwrap().parse().unwrap())
}

async fn write(store: Arc<dyn Store>, shared: Arc<Shared>) -> Told {
    let mut told = Told { partition: Partition::random(), done: 0, unknown: 0 };
    while !shared.stop.load(Ordering::Relaxed) {
        tokio::task::yield_now().await;
        let Ok(found) = store.get(&told.partition, &[name("one")], NOON).await else { continue };
        let next = (number(found[0].as_ref()) + 1).to_string();
        let batch = match &found[0] {
            Some(record) => Batch::new().require(name("one"), record.revision()),
            None => Batch::new().require_absent(name("one")),
        };
        let batch = batch.put(name("one"), next.clone(), None).put(name("two"), next, None);
        match store.commit(&told.partition, batch, NOON).await {
            Ok(Committed::Done(_)) => {
                told.done += 1;
                shared.done.fetch_add(1, Ordering::Relaxed);
            }
            Ok(refused) => panic!("nobody else writes here: {refused:?}"),
            Err(error) if error.is_unknown() => told.unknown += 1,
            Err(error) => assert!(error.is_transient(), "{error:?}"),
        }
    }
    told
}
