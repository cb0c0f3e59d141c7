//! The memory of verified tokens never knows more than the token says.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mcp_auth_jwt::JwtAuthenticator;
use mcp_auth_testkit::TokenAuthority;

use crate::support::{Guarded, authority, good, secs, with_keys};

/// The mapper runs once for each verification, so it counts them.
async fn counting(
    set_up: impl FnOnce(JwtAuthenticator) -> JwtAuthenticator,
) -> (TokenAuthority, Guarded, Arc<AtomicUsize>) {
    let (authority, clock) = authority().await;
    let count = Arc::new(AtomicUsize::new(0));
    let counter = count.clone();
    let auth = with_keys(&authority).map_claims(move |_, identity| {
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(identity)
    });
    let guarded = Guarded::start(set_up(auth), &clock).await.unwrap();
    (authority, guarded, count)
}

#[tokio::test]
async fn a_token_seen_before_is_not_verified_again_until_its_time_is_up() {
    let (authority, guarded, count) = counting(|auth| auth.remember(100, secs(60))).await;
    let token = good(&authority).mint();
    for _ in 0..10 {
        assert_eq!(guarded.status(&token).await, 200);
    }
    assert_eq!(count.load(Ordering::Relaxed), 1);
    guarded.clock.advance(secs(59));
    assert_eq!(guarded.status(&token).await, 200);
    assert_eq!(count.load(Ordering::Relaxed), 1);
    guarded.clock.advance(secs(1));
    assert_eq!(guarded.status(&token).await, 200);
    assert_eq!(count.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn another_signature_over_the_same_words_is_another_token() {
    let (authority, guarded, _) = counting(|auth| auth).await;
    let token = good(&authority).mint();
    assert_eq!(guarded.status(&token).await, 200);
    let (message, _) = token.rsplit_once('.').unwrap();
    let other = good(&authority).mint();
    let (_, signature) = other.rsplit_once('.').unwrap();
    guarded.refuses("another's signature", &format!("{message}.{signature}")).await;
}

#[tokio::test]
async fn memory_can_be_turned_off_and_is_bounded() {
    let (authority, guarded, count) = counting(|auth| auth.remember(0, secs(60))).await;
    let token = good(&authority).mint();
    for _ in 0..3 {
        assert_eq!(guarded.status(&token).await, 200);
    }
    assert_eq!(count.load(Ordering::Relaxed), 3);

    // Room for 8: of 200 tokens in turn, most have to be verified again.
    let (authority, guarded, count) = counting(|auth| auth.remember(8, secs(60))).await;
    let tokens: Vec<_> = (0..200).map(|_| good(&authority).mint()).collect();
    for token in tokens.iter().chain(&tokens) {
        assert_eq!(guarded.status(token).await, 200);
    }
    assert!(count.load(Ordering::Relaxed) > 350, "{count:?}");
}
