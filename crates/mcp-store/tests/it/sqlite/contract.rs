//! The promises of every store, kept by this one.

use std::collections::HashSet;

use mcp_store::{Batch, Committed, Name, Partition, Store};

use super::Directory;
use crate::support::{NOON, millis, name};

#[tokio::test]
async fn a_commit_is_read_and_refused_like_a_promise() {
    let directory = Directory::new();
    let (one, other) = (directory.open().await, directory.open().await);
    let partition = Partition::random();
    let (a, b) = (name("a"), name("b"));

    let batch = Batch::new().require_absent(a.clone()).put(a.clone(), "1", None).put(
        b.clone(),
        "2",
        Some(NOON + millis(5)),
    );
    let revision = batch.revision();
    assert_eq!(one.commit(&partition, batch, NOON).await.unwrap(), Committed::Done(revision));

    let found = other.get(&partition, &[b.clone(), name("c"), a.clone()], NOON + millis(4)).await.unwrap();
    let values: Vec<_> =
        found.iter().map(|found| found.as_ref().map(|record| record.value().to_vec())).collect();
    assert_eq!(values, [Some(b"2".to_vec()), None, Some(b"1".to_vec())]);
    assert!(found.iter().flatten().all(|record| record.revision() == revision));
    assert_eq!(found[0].as_ref().unwrap().expires_at(), Some(NOON + millis(5)));
    assert!(other.get(&partition, &[b.clone()], NOON + millis(5)).await.unwrap()[0].is_none());

    let refused = Batch::new().require_absent(a.clone()).put(b.clone(), "3", None);
    assert_eq!(other.commit(&partition, refused, NOON).await.unwrap(), Committed::Refused(a.clone()));
    let taken = Batch::new().require(a.clone(), revision).delete(a.clone());
    assert!(other.commit(&partition, taken, NOON).await.unwrap().is_done());
    let again = Batch::new().require(a.clone(), revision).put(a.clone(), "4", None);
    assert_eq!(one.commit(&partition, again, NOON).await.unwrap(), Committed::Refused(a.clone()));
    // What has expired is absent.
    let renewed = Batch::new().require_absent(b.clone()).put(b.clone(), "5", None);
    assert!(one.commit(&partition, renewed, NOON + millis(5)).await.unwrap().is_done());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_racers_one_wins() {
    let directory = Directory::new();
    let stores = [directory.open().await, directory.open().await];
    let partition = Partition::random();
    let put = Batch::new().put(name("code"), "1", None);
    let revision = put.revision();
    assert!(stores[0].commit(&partition, put, NOON).await.unwrap().is_done());
    let racers: Vec<_> = (0..64)
        .map(|number| {
            let (store, partition) = (stores[number % 2].clone(), partition.clone());
            let take = Batch::new().require(name("code"), revision).delete(name("code")).put(
                name(&format!("token{number}")),
                "t",
                None,
            );
            tokio::spawn(async move { store.commit(&partition, take, NOON).await.unwrap().is_done() })
        })
        .collect();
    let mut winners = 0;
    for racer in racers {
        winners += usize::from(racer.await.unwrap());
    }
    assert_eq!(winners, 1);
    assert_eq!(stores[1].scan(&partition, "token", None, 100, NOON).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_scan_goes_on_where_it_stopped() {
    let directory = Directory::new();
    let store = directory.open().await;
    let partition = Partition::random();
    // Around every edge of the prefix `a.`: before it, it itself, its first and last names, and after it.
    let names = ["a", "a-", "a.", "a.-", "a.0", "a.a", "a.a.b", "a.~", "a.~~", "a0", "b"];
    let mut batch = Batch::new();
    for text in names {
        batch = batch.put(name(text), "x", None);
    }
    batch = batch.put(name("a.b"), "expired", Some(NOON));
    assert!(store.commit(&partition, batch, NOON - millis(1)).await.unwrap().is_done());
    for (prefix, expected) in
        [("", &names[..]), ("a.", &names[2..9]), ("a.a", &names[5..7]), ("c", &[]), ("a.a.b", &names[6..7])]
    {
        for limit in [1, 2, 1000] {
            let (mut found, mut after): (Vec<String>, Option<Name>) = (Vec::new(), None);
            loop {
                let page = store.scan(&partition, prefix, after.as_ref(), limit, NOON).await.unwrap();
                assert!(page.len() <= limit);
                after = page.last().map(|entry| entry.name.clone());
                found.extend(page.into_iter().map(|entry| entry.name.to_string()));
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(found, expected, "{prefix} by {limit}");
        }
    }
}

#[tokio::test]
async fn partitions_are_listed_in_pages_and_swept_records_are_gone() {
    let directory = Directory::new();
    let store = directory.open().await;
    let mut all = HashSet::new();
    for number in 0..30 {
        let partition = Partition::random();
        let end = (number % 3 == 0).then_some(NOON + millis(number));
        let batch = Batch::new().put(name("a"), "x", None).put(name("b"), "x", end);
        assert!(store.commit(&partition, batch, NOON - millis(1)).await.unwrap().is_done());
        all.insert(partition);
    }
    let (mut found, mut cursor) = (HashSet::new(), None);
    loop {
        let page = store.partitions(cursor.as_ref(), 7).await.unwrap();
        assert!(page.partitions.len() <= 7);
        found.extend(page.partitions);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(found, all);
    let swept = store.sweep(NOON + millis(9), 3).await.unwrap();
    assert_eq!((swept.deleted, swept.more), (3, true));
    let swept = store.sweep(NOON + millis(9), 3).await.unwrap();
    assert_eq!((swept.deleted, swept.more), (1, false));
}
