//! How many wrong codes are looked at, from wherever they come.

use std::sync::Arc;
use std::time::Duration;

use mcp_auth_testkit::FakeClock;
use mcp_core::Clock;
use mcp_store::MemoryStore;
use mcp_store::testkit::{Call, Fault, FaultyStore};

use super::guesses::{Guess, Origin, Refused, guess};
use super::*;
use crate::dpop::DpopPolicy;
use crate::engine::Engine;
use crate::grant::tests::{World, world, world_with};

fn short(n: u32) -> UserCode {
    code(n, 8)
}

fn long(n: u32) -> UserCode {
    code(n, 12)
}

/// One of many codes.
fn code(mut n: u32, length: usize) -> UserCode {
    let mut letters = String::new();
    for _ in 0..length {
        letters.push(char::from(b"BCDFGHJKLMNPQRSTVWXZ"[n as usize % 20]));
        n /= 20;
    }
    UserCode::read(&letters).unwrap()
}

fn from(n: u32) -> Origin<'static> {
    Origin { address: Some(std::net::Ipv4Addr::from_bits(0xc633_0000 + n).into()), ..Origin::default() }
}

async fn looked_at(engine: &Engine, code: &UserCode, origin: Origin<'_>) -> bool {
    guess(engine, code, origin).await.unwrap().is_ok()
}

async fn wait(world: &World, code: &UserCode, origin: Origin<'_>) -> (bool, Duration) {
    match guess(&world.engine, code, origin).await.unwrap() {
        Ok(_) => panic!("it was looked at"),
        Err(Refused::Here(wait)) => (false, wait),
        Err(Refused::Everywhere(wait)) => (true, wait),
    }
}

// covers: DV05
#[test]
fn the_chance_of_a_hit_is_small_enough() {
    let least = 0.5_f64.powi(32);
    assert!(f64::from(u32::try_from(guesses::SHORT).unwrap()) / 20_f64.powi(8) < least);
    assert!(2.0 * f64::from(guesses::LONG) / 20_f64.powi(12) < least);
}

// covers: DV05
#[tokio::test]
async fn from_however_many_addresses_five_short_codes_are_looked_at() {
    let world = world().await;
    let mut count = 0;
    for n in 0..1000 {
        count += u32::from(looked_at(&world.engine, &short(n), from(n)).await);
    }
    assert_eq!(count, 5);
    assert_eq!(wait(&world, &short(1000), from(1000)).await, (true, Duration::from_secs(600)));
    assert!(guesses::is_pressed(&world.engine).await.unwrap());
    // Each is forgotten by itself: within the life of any code there are five.
    world.clock.advance(Duration::from_secs(300));
    assert!(!looked_at(&world.engine, &short(1), from(1001)).await);
    world.clock.advance(Duration::from_secs(300));
    assert!(!guesses::is_pressed(&world.engine).await.unwrap());
    assert!(looked_at(&world.engine, &short(1), from(1002)).await);
    world.clock.advance(Duration::from_secs(599));
    for n in 0..4 {
        assert!(looked_at(&world.engine, &short(n), from(n)).await);
    }
    assert_eq!(wait(&world, &short(2), from(1003)).await, (true, Duration::from_secs(1)));
    world.clock.advance(Duration::from_secs(1));
    assert!(looked_at(&world.engine, &short(2), from(1003)).await);
    assert!(!looked_at(&world.engine, &short(3), from(1003)).await);
}

// covers: DV05
#[tokio::test]
async fn an_address_a_browser_and_an_account_have_ten_each() {
    let world = world().await;
    for (shared, other) in [
        ((|n| from(n / 10_000)) as fn(u32) -> Origin<'static>, from(9999)),
        (|n| Origin { browser: Some("b"), ..from(1000 + n) }, Origin { browser: Some("c"), ..from(9998) }),
        (|n| Origin { account: Some("ada"), ..from(2000 + n) }, Origin { account: Some("b"), ..from(9997) }),
    ] {
        let mut count = 0;
        for n in 0..1000 {
            count += u32::from(looked_at(&world.engine, &long(n), shared(n)).await);
        }
        assert_eq!(count, 10);
        let (everywhere, wait) = wait(&world, &long(1), shared(1)).await;
        assert!(!everywhere && wait <= Duration::from_secs(600));
        assert!(looked_at(&world.engine, &long(1), other).await);
    }
    // Who is signed in is not held up by the neighbours.
    let neighbour = Origin { account: Some("bob"), browser: Some("d"), ..from(0) };
    assert!(!looked_at(&world.engine, &long(1), from(0)).await);
    assert!(looked_at(&world.engine, &long(1), neighbour).await);
}

// covers: DV05
#[tokio::test]
async fn of_64_who_all_saw_room_for_theirs_five_are_looked_at() {
    let store = FaultyStore::new(Arc::new(MemoryStore::new()), Arc::new(FakeClock::new()));
    let world = Arc::new(world_with(DpopPolicy::new(), store.clone()).await);
    let before = store.calls(Call::Commit);
    store.fail_always(Call::Commit, Fault::Hang);
    let racers: Vec<_> = (0..64)
        .map(|n| {
            let world = world.clone();
            tokio::spawn(async move { looked_at(&world.engine, &short(n), from(n)).await })
        })
        .collect();
    while store.calls(Call::Commit) < before + 64 {
        tokio::task::yield_now().await;
    }
    store.heal();
    let mut count = 0;
    for racer in racers {
        count += u32::from(racer.await.unwrap());
    }
    assert_eq!(count, 5);
}

#[tokio::test]
async fn what_was_right_does_not_count() {
    let world = world().await;
    for n in 0..50 {
        let guess: Guess = guess(&world.engine, &short(n), from(1)).await.unwrap().ok().unwrap();
        guess.was_right(&world.engine).await.unwrap();
    }
    for n in 0..5 {
        assert!(looked_at(&world.engine, &short(n), from(n)).await);
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_locks_nobody_out_for_long() {
    let world = world().await;
    let now = world.clock.now();
    world.clock.advance(Duration::from_secs(365 * 24 * 3600));
    for n in 0..5 {
        assert!(looked_at(&world.engine, &short(n), from(n)).await);
    }
    world.clock.set(now);
    assert!(looked_at(&world.engine, &short(7), from(7)).await);
}
