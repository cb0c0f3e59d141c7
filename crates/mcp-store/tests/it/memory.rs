//! What is particular to the store in memory: sweeping and paging over its shards.

use std::collections::HashSet;

use mcp_store::{Batch, MemoryStore, Partition, Store};

use crate::support::{NOON, millis, name};

#[tokio::test]
async fn a_sweep_deletes_what_expired_in_portions_and_nothing_else() {
    let store = MemoryStore::new();
    let (partition, kept) = (Partition::random(), Partition::random());
    for number in 0..50 {
        let put = Batch::new().put(name(&format!("r{number}")), "x", Some(NOON + millis(number)));
        assert!(store.commit(&partition, put, NOON).await.unwrap().is_done());
    }
    let put = Batch::new().put(name("kept"), "x", None).put(name("later"), "x", Some(NOON + millis(50)));
    assert!(store.commit(&kept, put, NOON).await.unwrap().is_done());
    // A life that was made longer, one that was made endless and one that was ended leave nothing behind for the sweep.
    let again = Batch::new()
        .put(name("r0"), "y", Some(NOON + millis(60)))
        .put(name("r1"), "y", None)
        .delete(name("r2"));
    assert!(store.commit(&partition, again, NOON - millis(1)).await.unwrap().is_done());

    let now = NOON + millis(49);
    let mut portions = Vec::new();
    loop {
        let swept = store.sweep(now, 20).await.unwrap();
        portions.push(swept.deleted);
        if !swept.more {
            break;
        }
    }
    assert_eq!(portions.iter().sum::<usize>(), 47);
    assert!(portions.iter().all(|deleted| *deleted <= 20));
    let left = store.scan(&partition, "", None, 100, NOON - millis(1)).await.unwrap();
    assert_eq!(left.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["r0", "r1"]);
    assert_eq!(store.scan(&kept, "", None, 100, now).await.unwrap().len(), 2);
}

#[tokio::test]
async fn every_partition_is_on_one_page() {
    let store = MemoryStore::new();
    let mut all = HashSet::new();
    for _ in 0..100 {
        let partition = Partition::random();
        assert!(
            store.commit(&partition, Batch::new().put(name("a"), "x", None), NOON).await.unwrap().is_done()
        );
        all.insert(partition);
    }
    for limit in [1, 7, 1000] {
        let (mut found, mut cursor, mut pages) = (HashSet::new(), None, 0);
        loop {
            let page = store.partitions(cursor.as_ref(), limit).await.unwrap();
            assert!(page.partitions.len() <= limit);
            found.extend(page.partitions);
            pages += 1;
            assert!(pages < 1000);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(found, all);
    }
    // A partition without records is none.
    for partition in &all {
        assert!(store.commit(partition, Batch::new().delete(name("a")), NOON).await.unwrap().is_done());
    }
    let page = store.partitions(None, 1000).await.unwrap();
    assert!(page.partitions.is_empty());
}
