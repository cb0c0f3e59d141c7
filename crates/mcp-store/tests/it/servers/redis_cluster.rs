//! Redis as a cluster.

use std::collections::BTreeSet;
use std::time::Duration;

use mcp_store::testkit::servers::RedisCluster;
use mcp_store::{Batch, Partition, RedisStore, Store};
use tokio::time::Instant;

use super::redis::{count, increment};
use crate::support::{NOON, name};

#[tokio::test]
async fn a_cluster_keeps_partitions_on_all_its_nodes_and_lists_them() {
    let Some(mut cluster) = RedisCluster::start() else { return };
    for node in cluster.nodes() {
        // One of them is killed below. With `everysec` Redis holds back what it has acknowledged while the disk is busy.
        let _ = node.ask("CONFIG SET appendfsync always");
    }
    let alone = RedisStore::connect(&cluster.urls()[0]).unwrap();
    assert!(alone.start().await.unwrap_err().to_string().contains("RedisStore::cluster"));
    let store = RedisStore::cluster(cluster.urls()).unwrap();
    store.start().await.unwrap();
    let mut all = BTreeSet::new();
    for _ in 0..60 {
        let partition = Partition::random();
        let batch = increment(Batch::new().require_absent(name("counter")), 1);
        assert!(store.commit(&partition, batch, NOON).await.unwrap().is_done());
        assert_eq!(count(&store, &partition).await, 1);
        all.insert(partition);
    }
    let (mut found, mut cursor) = (BTreeSet::new(), None);
    loop {
        let page = store.partitions(cursor.as_ref(), 5).await.unwrap();
        assert!(page.partitions.len() <= 5);
        found.extend(page.partitions);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(found, all);
    // One node goes, and comes back. The others are not disturbed.
    cluster.nodes()[1].stop();
    let mut failed = 0;
    for partition in &all {
        let begun = Instant::now();
        match store.get(partition, &[name("counter")], NOON).await {
            Ok(records) => assert!(records[0].is_some()),
            Err(error) => {
                assert!(error.is_transient() && !error.is_unknown());
                failed += 1;
            }
        }
        assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
        if failed > 1 {
            break;
        }
    }
    assert!(failed > 0);
    cluster.nodes()[1].restart();
    let back = async {
        for partition in &all {
            let back = async || store.get(partition, &[name("counter")], NOON).await;
            while !matches!(back().await, Ok(records) if records[0].is_some()) {
                tokio::task::yield_now().await;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), back).await.unwrap();
}
