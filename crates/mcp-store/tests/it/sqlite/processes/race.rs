//! Processes that write at the same time.

use mcp_core::Timestamp;
use mcp_store::{Batch, Committed, Partition, SqliteStore, Store};
use tokio::task::JoinSet;

use super::super::Directory;
use super::{Process, rounds};
use crate::support::{NOON, name};

const PROCESSES: usize = 3;
const TASKS: usize = 4;

fn shared() -> Partition {
    Partition::new("shared").unwrap()
}

/// Counts a common number up, and keeps one of its own.
pub(super) async fn child(store: SqliteStore, steps: usize) {
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let store = store.clone();
        tasks.spawn(async move {
            for _ in 0..steps {
                count(&store, NOON).await;
            }
        });
    }
    tasks.join_all().await;
}

/// Adds one; each number is a record of its own, so that nothing is counted twice either.
async fn count(store: &SqliteStore, now: Timestamp) {
    loop {
        let found = store.get(&shared(), &[name("number")], now).await.unwrap().remove(0);
        let number: usize =
            found.as_ref().map_or(0, |record| std::str::from_utf8(record.value()).unwrap().parse().unwrap());
        let batch = match found {
            Some(record) => Batch::new().require(name("number"), record.revision()),
            None => Batch::new().require_absent(name("number")),
        };
        let batch = batch
            .put(name("number"), (number + 1).to_string(), None)
            .require_absent(name(&format!("was-{number}")))
            .put(name(&format!("was-{number}")), "x", None);
        // Whatever the others do: nobody waits so long that the store gives up.
        match store.commit(&shared(), batch, now).await.unwrap() {
            Committed::Done(_) => return,
            refused => assert_eq!(refused, Committed::Refused(name("number"))),
        }
    }
}

#[tokio::test]
async fn processes_that_start_and_count_at_once_lose_nothing() {
    let directory = Directory::new();
    let steps = rounds(25, 500);
    let processes: Vec<_> = (0..PROCESSES)
        .map(|_| Process::start(&format!("race {steps}"), &directory.file("auth.db")))
        .collect();
    processes.into_iter().for_each(Process::succeeds);

    let store = directory.started().await;
    let expected = PROCESSES * TASKS * steps;
    let found = store.get(&shared(), &[name("number")], NOON).await.unwrap().remove(0).unwrap();
    assert_eq!(found.value(), expected.to_string().as_bytes());
    let last = name(&format!("was-{}", expected - 1));
    assert!(store.get(&shared(), &[last], NOON).await.unwrap()[0].is_some());
}
