//! What is in the file, and what is not any more.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::apply::{self, Sweep};
use super::super::query;
use super::super::schema::STEPS;
use super::*;
use crate::Swept;

fn in_memory() -> rusqlite::Connection {
    let connection = rusqlite::Connection::open_in_memory().unwrap();
    for step in STEPS {
        connection.execute_batch(step).unwrap();
    }
    connection
}

fn commit(connection: &rusqlite::Connection, partition: &Partition, batch: Batch) {
    let commit = Commit { partition: partition.clone(), batch, now: NOON, size: 0 };
    assert!(apply::commit(connection, &commit).unwrap().is_done());
}

fn count(connection: &rusqlite::Connection, table: &str) -> i64 {
    connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn a_partition_goes_with_its_last_record() {
    let connection = in_memory();
    let (one, other) = (partition("one"), partition("other"));
    commit(&connection, &one, put("a").put(name("b"), "x", None));
    commit(&connection, &other, put("a"));
    commit(&connection, &one, Batch::new().delete(name("a")));
    assert_eq!(count(&connection, "partitions"), 2);
    commit(&connection, &one, Batch::new().delete(name("b")).delete(name("never")));
    assert_eq!((count(&connection, "partitions"), count(&connection, "records")), (1, 1));
    // Emptied and filled by one batch.
    commit(&connection, &other, Batch::new().delete(name("a")).put(name("b"), "x", Some(NOON)));
    assert_eq!((count(&connection, "partitions"), count(&connection, "records")), (1, 1));
    let portion = apply::sweep(&connection, Sweep { now: NOON, limit: 10 }).unwrap();
    assert_eq!((portion.swept.deleted, portion.swept.more, portion.is_roomy), (1, false, false));
    assert_eq!((count(&connection, "partitions"), count(&connection, "records")), (0, 0));
    commit(&connection, &other, Batch::new().delete(name("a")));
    assert_eq!(count(&connection, "partitions"), 0, "what is not there is not made to be emptied");
}

#[test]
fn first_and_last_moments_are_kept_as_they_are() {
    let connection = in_memory();
    let partition = Partition::random();
    let last = (1 << 53) - 1;
    for end in [0, 1, last].map(Timestamp::from_millis) {
        let name = name(&end.as_millis().to_string());
        commit(&connection, &partition, Batch::new().put(name.clone(), "x", Some(end)));
        if end > Timestamp::default() {
            let before = end - std::time::Duration::from_millis(1);
            let found = query::get(&connection, &partition, std::slice::from_ref(&name), before).unwrap();
            assert_eq!(found[0].as_ref().unwrap().expires_at(), Some(end));
        }
        assert_eq!(query::get(&connection, &partition, &[name], end).unwrap(), [None]);
    }
    commit(&connection, &partition, put("endless"));
    for (now, deleted) in [(0, 1), (1, 1), (last - 1, 0), (u64::MAX, 1)] {
        let now = Timestamp::from_millis(now);
        let portion = apply::sweep(&connection, Sweep { now, limit: 10 }).unwrap();
        assert_eq!(portion.swept, Swept { deleted, more: false }, "{now:?}");
    }
    let end_of_time = Timestamp::from_millis(u64::MAX);
    assert!(query::get(&connection, &partition, &[name("endless")], end_of_time).unwrap()[0].is_some());
}

#[test]
fn much_room_is_given_back() {
    let file = File::new();
    let mut link = file.link();
    let partition = Partition::random();
    let pages = |connection: &rusqlite::Connection| -> i64 {
        connection.query_row("SELECT page_count FROM pragma_page_count", [], |row| row.get(0)).unwrap()
    };
    let connection = link.get().unwrap();
    connection.execute_batch("BEGIN").unwrap();
    for number in 0..500 {
        let batch = Batch::new().put(name(&number.to_string()), vec![7; 64 * 1024], Some(NOON));
        commit(connection, &partition, batch);
    }
    connection.execute_batch("COMMIT").unwrap();
    let before = pages(connection);
    let mut rounds = 0;
    loop {
        connection.execute_batch("BEGIN").unwrap();
        let portion = apply::sweep(connection, Sweep { now: NOON, limit: 100 }).unwrap();
        connection.execute_batch("COMMIT").unwrap();
        rounds += 1;
        if !portion.swept.more && !portion.is_roomy {
            break;
        }
        assert!(rounds < 200, "a portion gives back some pages");
    }
    let after = pages(connection);
    assert!(before > 8000 && after < 4200, "{before} pages, then {after}");
}

/// Few characters, so that names meet; and some that no name has.
fn texts() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[-.09Aaz_~]{1,4}").unwrap()
}

proptest! {
    #[test]
    fn a_scan_finds_what_begins_so_and_comes_after(
        names in proptest::collection::btree_set(texts(), 0..40),
        prefix in "[-.09Aaz_~ \u{7f}é\0]{0,2}",
        after in proptest::option::of(texts()),
        limit in 1_usize..50,
    ) {
        let connection = in_memory();
        let partition = Partition::random();
        let mut model = BTreeMap::new();
        for text in &names {
            let end = (text.len() == 3).then_some(NOON);
            commit(&connection, &partition, Batch::new().put(name(text), text.clone(), end));
            if end.is_none() {
                model.insert(text.clone(), text.clone().into_bytes());
            }
        }
        let after = after.map(|text| name(&text));
        let found = query::scan(&connection, &partition, &prefix, after.as_ref(), limit, NOON).unwrap();
        let found: Vec<_> = found.into_iter().map(|entry| (entry.name.to_string(), entry.record.value().to_vec())).collect();
        let expected: Vec<_> = model
            .into_iter()
            .filter(|(text, _)| text.starts_with(&prefix) && after.as_ref().is_none_or(|after| &**text > after.as_str()))
            .take(limit)
            .collect();
        prop_assert_eq!(found, expected);
    }
}
