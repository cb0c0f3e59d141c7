//! Who waits learns whether the work was begun.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::ticket::{PATIENCE, Ticket};
use crate::StoreError;

fn begun() -> StoreError {
    StoreError::unknown("begun")
}

fn soon() -> Instant {
    Instant::now() + PATIENCE - Duration::from_secs(1)
}

fn late() -> Instant {
    Instant::now() + PATIENCE
}

#[tokio::test]
async fn what_nobody_began_is_refused_for_certain_and_never_begun() {
    let (ticket, waiting) = Ticket::<_, ()>::new("work");
    assert!(ticket.expire(soon(), begun));
    assert!(!ticket.expire(late(), begun));
    let error = waiting.answer().await.unwrap_err();
    assert!(error.is_transient() && !error.is_unknown());
    assert_eq!(ticket.begin(), None);
    ticket.answer(Ok(()));
}

#[tokio::test]
async fn what_was_begun_is_unknown_when_it_takes_too_long() {
    let (ticket, waiting) = Ticket::<_, ()>::new("work");
    assert_eq!(ticket.begin(), Some("work"));
    assert_eq!(ticket.begin(), None);
    assert!(ticket.expire(soon(), begun));
    assert!(!ticket.expire(late(), begun));
    ticket.answer(Ok(()));
    assert!(waiting.answer().await.unwrap_err().is_unknown());
}

#[tokio::test]
async fn the_first_answer_counts() {
    let (ticket, waiting) = Ticket::new("work");
    assert!(ticket.begin().is_some());
    ticket.answer(Ok(1));
    ticket.answer(Ok(2));
    assert!(!ticket.expire(late(), begun));
    assert_eq!(waiting.answer().await.unwrap(), 1);
}

#[test]
fn who_goes_takes_back_what_nobody_began() {
    let work = Arc::new(());
    let (ticket, waiting) = Ticket::<_, ()>::new(Arc::clone(&work));
    drop(waiting);
    assert_eq!(Arc::strong_count(&work), 1, "the work is gone with its caller, not with the queue");
    assert_eq!(ticket.begin(), None);

    let (ticket, waiting) = Ticket::<_, ()>::new(());
    assert_eq!(ticket.begin(), Some(()));
    drop(waiting);
    ticket.answer(Ok(()));
}
