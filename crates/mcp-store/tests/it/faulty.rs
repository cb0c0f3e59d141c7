//! The store that fails when it is told to.

use std::sync::Arc;

use mcp_auth_testkit::FakeClock;
use mcp_store::testkit::{Call, Fault, FaultyStore};
use mcp_store::{Batch, MemoryStore, Partition, Store};

use crate::support::{NOON, millis, name};

fn faulty() -> (FaultyStore, FakeClock) {
    let clock = FakeClock::at(NOON);
    (FaultyStore::new(Arc::new(MemoryStore::new()), Arc::new(clock.clone())), clock)
}

#[tokio::test]
async fn each_fault_is_what_it_says() {
    for (fault, unknown, written) in [
        (Fault::Unavailable, false, false),
        (Fault::LostRequest, true, false),
        (Fault::LostAnswer, true, true),
    ] {
        let (store, _) = faulty();
        let partition = Partition::random();
        let put = || Batch::new().put(name("a"), "x", None);
        store.fail_next(Call::Commit, fault);
        let error = store.commit(&partition, put(), NOON).await.unwrap_err();
        assert_eq!((error.is_unknown(), error.is_transient()), (unknown, true), "{fault:?}");
        let found = store.get(&partition, &[name("a")], NOON).await.unwrap().remove(0);
        assert_eq!(found.is_some(), written, "{fault:?}");
        assert!(store.commit(&partition, put(), NOON).await.unwrap().is_done());
        assert_eq!((store.calls(Call::Commit), store.calls(Call::Get), store.calls(Call::Scan)), (2, 1, 0));

        store.fail_next(Call::Get, fault);
        assert!(!store.get(&partition, &[name("a")], NOON).await.unwrap_err().is_unknown());
    }
}

#[tokio::test]
async fn faults_come_in_their_turn_and_end() {
    let (store, _) = faulty();
    let partition = Partition::random();
    let get = || async { store.get(&partition, &[name("a")], NOON).await.is_ok() };
    store.fail_after(1, Call::Get, Fault::Unavailable);
    store.fail_after(3, Call::Get, Fault::Unavailable);
    let mut answers = Vec::new();
    for _ in 0..5 {
        answers.push(get().await);
    }
    assert_eq!(answers, [true, false, true, false, true]);
    store.fail_always(Call::Get, Fault::Unavailable);
    for _ in 0..3 {
        assert!(!get().await);
    }
    store.heal();
    assert!(get().await);
}

#[tokio::test]
async fn slow_calls_take_the_time_of_the_clock_and_hanging_ones_wait_to_be_healed() {
    let (store, clock) = faulty();
    let get = |store: &FaultyStore| {
        let store = store.clone();
        tokio::spawn(async move { store.get(&Partition::random(), &[name("a")], NOON).await.is_ok() })
    };
    store.fail_next(Call::Get, Fault::Slow(millis(500)));
    let slow = get(&store);
    clock.until_sleeping(1).await;
    clock.advance(millis(499));
    tokio::task::yield_now().await;
    assert!(!slow.is_finished());
    clock.advance(millis(1));
    assert!(slow.await.unwrap());

    store.fail_next(Call::Get, Fault::Hang);
    let hanging = get(&store);
    while store.calls(Call::Get) < 2 {
        tokio::task::yield_now().await;
    }
    tokio::task::yield_now().await;
    assert!(!hanging.is_finished());
    store.heal();
    assert!(hanging.await.unwrap());
}
