//! What waits for the writer is bounded, and what the writer has taken is done.

use std::thread;
use std::time::Instant;

use super::super::checkpoint::Log;
use super::super::ticket::PATIENCE;
use super::super::writer::{self, Job, MAX_BYTES, MAX_JOBS, Writes};
use super::*;

#[test]
fn a_full_queue_refuses_at_once() {
    let writes = Writes::default();
    let partition = Partition::random();
    for _ in 0..MAX_JOBS {
        writes.push(job(&partition, put("a")).0, 1).unwrap();
    }
    let error = writes.push(job(&partition, put("a")).0, 1).unwrap_err();
    assert!(error.is_transient() && !error.is_unknown());
}

#[test]
fn large_batches_fill_the_queue_by_their_bytes() {
    let writes = Writes::default();
    let partition = Partition::random();
    let push = |bytes| writes.push(job(&partition, put("a")).0, bytes);
    push(MAX_BYTES * 2).expect("the first may be larger than all the room");
    push(1).unwrap_err();
    let writes = Writes::default();
    let push = |bytes| writes.push(job(&partition, put("a")).0, bytes);
    push(MAX_BYTES / 2).unwrap();
    push(MAX_BYTES / 2).unwrap();
    push(1).unwrap_err();
}

#[tokio::test]
async fn a_closed_writer_does_what_waits_and_takes_no_more() {
    let file = File::new();
    let link = file.link();
    let (writes, log) = (Writes::default(), Log::default());
    let partition = Partition::random();
    // More than one group.
    let waiting: Vec<_> = (0..300)
        .map(|number| {
            let (job, waiting) = job(&partition, put(&format!("r{number}")));
            writes.push(job, 1).unwrap();
            waiting
        })
        .collect();
    writes.close();
    assert!(writes.push(job(&partition, put("late")).0, 1).is_err());
    writer::run(&writes, &log, link);
    for waiting in waiting {
        assert!(waiting.answer().await.unwrap().is_done());
    }
}

#[tokio::test]
async fn who_waits_too_long_is_told_whether_it_was_begun() {
    let writes = Writes::default();
    let partition = Partition::random();
    let (first, waits) = job(&partition, put("a"));
    writes.push(first, 1).unwrap();
    let late = Instant::now() + PATIENCE;
    assert!(writes.expire(Instant::now()), "somebody waits");
    assert!(!writes.expire(late), "nobody any more");
    assert!(!waits.answer().await.unwrap_err().is_unknown());
}

#[test]
fn a_defect_is_told_and_does_not_silence_the_store() {
    let file = File::new();
    let link = file.link();
    let (writes, log) = (Writes::default(), Log::default());
    let partition = Partition::random();
    let (first, before) = job(&partition, put("a"));
    writes.push(first, 1).unwrap();
    writes.push(Job::Defect, 1).unwrap();
    thread::scope(|threads| {
        threads.spawn(|| writer::run(&writes, &log, link));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let error = runtime.block_on(before.answer()).unwrap_err();
        assert!(error.is_unknown());
        let (next, after) = job(&partition, put("b"));
        writes.push(next, 1).unwrap();
        let after = runtime.block_on(after.answer());
        writes.close();
        assert!(after.unwrap().is_done());
    });
}
