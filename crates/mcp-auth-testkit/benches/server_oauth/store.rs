//! The store alone: commits as a refresh makes them, from 64 tasks.

use std::time::Instant;

use mcp_core::{Clock, SystemClock, random_id};
use mcp_store::{Batch, Name, Partition, SqliteStore, Store};

use crate::child::answer_lines;

/// Answers numbers of commits with the seconds they took.
pub(crate) fn run() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("auth.db")).unwrap();
    runtime.block_on(store.start()).unwrap();
    answer_lines(|commits| {
        let each = commits.parse::<usize>().unwrap() / 64;
        let begun = Instant::now();
        runtime.block_on(async {
            let tasks: Vec<_> = (0..64).map(|_| tokio::spawn(commit(store.clone(), each))).collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        begun.elapsed().as_secs_f64().to_string()
    });
}

/// What was read is still so; the used token, the answer, the new tokens.
async fn commit(store: SqliteStore, times: usize) {
    let (partition, grant, now) = (Partition::random(), Name::new("grant").unwrap(), SystemClock.now());
    let end = Some(now + std::time::Duration::from_secs(3600));
    let batch = Batch::new().put(grant.clone(), vec![7; 500], end);
    let revision = batch.revision();
    assert!(store.commit(&partition, batch, now).await.unwrap().is_done());
    for _ in 0..times {
        let name = |kind: &str| Name::new(format!("{kind}.{}", random_id())).unwrap();
        let batch = Batch::new()
            .require(grant.clone(), revision)
            .put(name("refresh"), vec![7; 330], end)
            .put(name("answer"), vec![7; 450], end)
            .put(name("access"), vec![7; 330], end)
            .put(name("refresh"), vec![7; 250], end);
        assert!(store.commit(&partition, batch, now).await.unwrap().is_done());
    }
}
