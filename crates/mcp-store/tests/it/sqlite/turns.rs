//! Two writers on one file take turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mcp_store::{Batch, Partition, Store};
use tokio::task::JoinSet;

use super::{Directory, put};
use crate::support::{NOON, name};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_never_pauses_lets_the_other_in() {
    let directory = Directory::new();
    let (busy, other) = (directory.started().await, directory.started().await);
    let done = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    for _ in 0..256 {
        let (busy, done) = (busy.clone(), done.clone());
        tasks.spawn(async move {
            let partition = Partition::random();
            while !done.load(Ordering::Relaxed) {
                let batch =
                    Batch::new().put(name("a"), vec![7; 4000], None).put(name("b"), vec![7; 4000], None);
                assert!(busy.commit(&partition, batch, NOON).await.unwrap().is_done());
            }
        });
    }
    // A wait that took longer than the store's patience would be an error.
    for _ in 0..50 {
        assert!(other.commit(&Partition::random(), put("a"), NOON).await.unwrap().is_done());
    }
    done.store(true, Ordering::Relaxed);
    tasks.join_all().await;
}
