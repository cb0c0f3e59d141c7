//! The fake clock.

use std::time::Duration;

use mcp_auth_testkit::FakeClock;
use mcp_core::{Clock, Timestamp};

#[tokio::test]
async fn sleepers_wake_when_their_time_has_come_and_not_before() {
    let clock = FakeClock::at(Timestamp::from_secs(100));
    let short = tokio::spawn(clock.sleep(Duration::from_secs(10)));
    let long = tokio::spawn(clock.sleep(Duration::from_secs(20)));
    clock.until_sleeping(2).await;
    clock.advance(Duration::from_secs(10));
    short.await.unwrap();
    assert!(!long.is_finished());
    assert_eq!(clock.sleepers(), 1);
    clock.set(Timestamp::from_secs(120));
    long.await.unwrap();
    assert_eq!(clock.sleepers(), 0);
}

#[tokio::test]
async fn a_dropped_sleep_leaves_nothing_behind() {
    let clock = FakeClock::new();
    drop(clock.sleep(Duration::from_secs(1)));
    assert_eq!(clock.sleepers(), 0);
}

#[tokio::test]
async fn waiting_for_sleepers_hears_those_that_come_later() {
    let clock = FakeClock::new();
    let waiter = tokio::spawn({
        let clock = clock.clone();
        async move { clock.until_sleeping(1).await }
    });
    tokio::task::yield_now().await;
    assert!(!waiter.is_finished());
    let _sleep = clock.sleep(Duration::from_secs(1));
    waiter.await.unwrap();
}
