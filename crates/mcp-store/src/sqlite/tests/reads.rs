//! What a read must not do to the next one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use rusqlite::Connection;

use super::super::reader::READERS;
use super::*;
use crate::StoreError;

fn answer_to_everything(_: &Connection) -> Result<u32, StoreError> {
    Ok(42)
}

#[tokio::test]
async fn a_defect_is_told_and_does_not_silence_the_store() {
    let store = File::new();
    let store = store.store().await;
    // More often than there are threads.
    for _ in 0..5 {
        let error = store.read::<()>(|_| panic!("a defect")).await.unwrap_err();
        assert!(error.is_transient() && !error.is_unknown());
    }
    assert_eq!(store.read(answer_to_everything).await.unwrap(), 42);
}

#[tokio::test]
async fn no_connection_stays_in_the_past() {
    let file = File::new();
    let store = file.store().await;
    for _ in 0..5 {
        let begin = |connection: &Connection| {
            connection.execute_batch("BEGIN; SELECT count(*) FROM records").map_err(StoreError::unavailable)
        };
        store.read(begin).await.unwrap();
    }
    let partition = Partition::random();
    assert!(store.commit(&partition, put("a"), NOON).await.unwrap().is_done());
    for _ in 0..5 {
        assert!(store.get(&partition, &[name("a")], NOON).await.unwrap()[0].is_some());
    }
}

#[tokio::test]
async fn readers_cannot_write() {
    let file = File::new();
    let store = file.store().await;
    let write = |connection: &Connection| {
        connection.execute_batch("DELETE FROM records").map_err(StoreError::unavailable)
    };
    assert!(store.read(write).await.is_err());
}

#[tokio::test]
async fn the_threads_end_with_the_last_handle() {
    let file = File::new();
    let store = file.store().await;
    let engine = Arc::downgrade(store.handle.engine.get().unwrap());
    let clone = store.clone();
    drop(store);
    assert_eq!(clone.read(answer_to_everything).await.unwrap(), 42);
    drop(clone);
    let patience = std::time::Instant::now();
    while engine.strong_count() > 0 {
        assert!(patience.elapsed().as_secs() < 30, "a thread goes on");
        std::thread::yield_now();
    }
    // The last connection has left a file that is complete by itself.
    assert!(!file.place.beside("-wal").exists());
}

#[tokio::test]
async fn a_disk_that_hangs_is_told_in_time_and_forgiven() {
    let file = File::new();
    let store = file.store().await;
    let begun = Arc::new(AtomicUsize::new(0));
    let mut gates = Vec::new();
    let mut hang = || {
        let (gate, opened) = mpsc::channel::<()>();
        gates.push(gate);
        let begun = Arc::clone(&begun);
        store.read(move |_| {
            begun.fetch_add(1, Ordering::SeqCst);
            // Until the other half is dropped.
            opened.recv().map_err(StoreError::unavailable)
        })
    };
    // Two for the threads, which hang in them, and one that nobody begins.
    let (first, second, third) = tokio::join!(hang(), hang(), hang());
    for told in [first, second, third] {
        let error = told.unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("does not"), "the watcher has answered: {source}");
    }
    drop(gates);
    assert_eq!(store.read(answer_to_everything).await.unwrap(), 42);
    assert_eq!(begun.load(Ordering::SeqCst), READERS, "what was refused is never begun");
}
