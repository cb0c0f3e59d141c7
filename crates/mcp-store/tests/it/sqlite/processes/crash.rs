//! Processes that are killed while they write.

use std::collections::HashSet;

use mcp_store::{Batch, Partition, SqliteStore, Store};
use tokio::task::JoinSet;

use super::super::Directory;
use super::{Process, rounds, say};
use crate::support::{NOON, name};

const TASKS: usize = 16;

/// Writes until it is killed: under each number three records that belong together, of several pages.
pub(super) async fn child(store: SqliteStore, partition: &str) {
    let partition = Partition::new(partition).unwrap();
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let (store, partition) = (store.clone(), partition.clone());
        tasks.spawn(async move {
            for number in (task..).step_by(TASKS) {
                let mut batch = Batch::new();
                for part in PARTS {
                    batch = batch.put(name(&format!("{number}.{part}")), vec![7; 3000], None);
                }
                assert!(store.commit(&partition, batch, NOON).await.unwrap().is_done());
                say(number);
            }
        });
    }
    tasks.join_all().await;
}

const PARTS: [&str; 3] = ["a", "b", "c"];

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill_and_nothing_is_half_there() {
    let directory = Directory::new();
    // Every other time another process has the file open all along, and no recovery comes before its next read.
    let mut bystander = None;
    for round in 0..rounds(20, 200) {
        let partition = Partition::random();
        let mut process = Process::start(&format!("crash {partition}"), &directory.file("auth.db"));
        let mut acknowledged = HashSet::new();
        let [random] = mcp_core::random_bytes::<1>();
        for _ in 0..=usize::from(random) {
            acknowledged.insert(process.line().unwrap());
        }
        process.child.kill().unwrap();
        // What it said before it died counts.
        acknowledged.extend(std::iter::from_fn(|| process.line()));

        let store = match bystander.take() {
            Some(open) => open,
            None => directory.started().await,
        };
        let mut whole = HashSet::new();
        let mut after = None;
        let mut parts = Vec::new();
        loop {
            let page = store.scan(&partition, "", after.as_ref(), 1000, NOON).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(last.name.clone());
            parts.extend(page.iter().map(|entry| entry.name.to_string()));
        }
        for triple in parts.chunks(PARTS.len()) {
            let (number, _) = triple[0].split_once('.').unwrap();
            assert_eq!(*triple, PARTS.map(|part| format!("{number}.{part}")), "half a commit, round {round}");
            whole.insert(number.to_owned());
        }
        assert!(
            acknowledged.is_subset(&whole),
            "lost in round {round}: {:?}",
            acknowledged.difference(&whole)
        );
        // And it goes on.
        let again = Batch::new().put(name("after"), "x", None);
        assert!(store.commit(&partition, again, NOON).await.unwrap().is_done());
        if round % 2 == 0 {
            bystander = Some(store);
        }
    }
}
