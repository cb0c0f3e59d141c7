//! Several processes on one database: this test program, started again.

use std::process::{Command, Stdio};
use std::sync::Arc;

use mcp_store::{Batch, Partition, Store};

use super::LONG;
use crate::support::{NOON, name};

const PROCESSES: u64 = 3;
const EACH: u64 = 100;
const URL: &str = "MCP_RACE_URL";

fn open(url: &str) -> Arc<dyn Store> {
    #[cfg(feature = "redis")]
    if url.starts_with("redis:") {
        return Arc::new(mcp_store::RedisStore::connect(url).unwrap().with_timeout(LONG).unwrap());
    }
    #[cfg(feature = "postgres")]
    if url.starts_with("postgres:") {
        return Arc::new(mcp_store::PostgresStore::connect(url).unwrap().with_timeout(LONG).unwrap());
    }
    panic!("no store for this URL")
}

fn partition() -> Partition {
    Partition::new("race").unwrap()
}

async fn read(store: &dyn Store) -> (u64, Batch) {
    let found = store.get(&partition(), &[name("counter")], NOON).await.unwrap();
    match &found[0] {
        None => (0, Batch::new().require_absent(name("counter"))),
        Some(record) => {
            let count = std::str::from_utf8(record.value()).unwrap().parse().unwrap();
            (count, Batch::new().require(name("counter"), record.revision()))
        }
    }
}

/// Each process adds to one counter; all start at once, on a database that is empty.
pub(crate) async fn race(url: &str) {
    let spawn = |_| {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "servers::processes::one_of_them", "--nocapture"])
            .env(URL, url)
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    let children: Vec<_> = (0..PROCESSES).map(spawn).collect();
    for mut child in children {
        let ended = tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap();
        assert!(ended.success(), "{ended}");
    }
    let (count, _) = read(&*open(url)).await;
    assert_eq!(count, PROCESSES * EACH);
}

// Does nothing unless it is started by a race.
#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "how a process is told what to do")]
async fn one_of_them() {
    let Ok(url) = std::env::var(URL) else { return };
    let store = open(&url);
    store.start().await.unwrap();
    let mut done = 0;
    while done < EACH {
        let (count, batch) = read(&*store).await;
        let batch = batch.put(name("counter"), (count + 1).to_string(), None);
        if store.commit(&partition(), batch, NOON).await.unwrap().is_done() {
            done += 1;
        }
    }
}
