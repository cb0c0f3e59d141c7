//! The keys over a store: several nodes, rotation, keys taken back, a store that fails.

use std::sync::Arc;
use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};
use mcp_auth_testkit::FakeClock;
use mcp_core::audit::Audit;
use mcp_core::{Clock, Issuer, SecretKey};
use mcp_store::testkit::{Call, Fault, FaultyStore};
use mcp_store::{RootKey, Store, Vault};
use serde_json::{Map, Value};

use crate::testing::store;

use super::{JwtTokens, KeyUse, SigningKeys};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

async fn node(store: &FaultyStore, clock: &FakeClock) -> SigningKeys {
    let root = RootKey::from_secret(&SecretKey::new(vec![7; 32]).unwrap());
    let vault = Vault::open(Arc::new(store.clone()), Some(root), Arc::new(clock.clone())).await.unwrap();
    let issuer = Issuer::new("https://as.test");
    SigningKeys::start(&vault, &Audit::default(), &issuer, &JwtTokens::eddsa(), HOUR).await.unwrap()
}

/// The id of the key that signs.
fn signs(keys: &SigningKeys) -> String {
    let token = keys.sign("at+jwt", Map::new()).unwrap();
    let header = Base64UrlUnpadded::decode_vec(token.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    assert_eq!(header["typ"], "at+jwt");
    header["kid"].as_str().unwrap().to_owned()
}

fn published(keys: &SigningKeys) -> Vec<String> {
    let set = keys.jwks();
    set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn nodes_that_start_at_once_agree() {
    let clock = FakeClock::new();
    let store = store(&clock);
    let nodes: Vec<_> = (0..16)
        .map(|_| {
            let (store, clock) = (store.clone(), clock.clone());
            tokio::spawn(async move { node(&store, &clock).await })
        })
        .collect();
    let mut ids = Vec::new();
    for node in nodes {
        ids.push(signs(&node.await.unwrap()));
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    // And one that starts later has it as well.
    assert_eq!(signs(&node(&store, &clock).await), ids[0]);
}

// covers: KR01, MD07
#[tokio::test]
async fn a_rotation_overlaps_at_every_node() {
    let clock = FakeClock::new();
    let store = store(&clock);
    let (one, two) = (node(&store, &clock).await, node(&store, &clock).await);
    let first = signs(&one);

    clock.advance(30 * DAY - HOUR);
    one.keep_up().await.unwrap();
    two.keep_up().await.unwrap();
    assert_eq!(published(&one).len(), 2, "the next one is published");
    assert_eq!(published(&one), published(&two));
    assert_eq!((signs(&one), signs(&two)), (first.clone(), first.clone()));
    for key in one.jwks()["keys"].as_array().unwrap() {
        let mut members: Vec<&str> = key.as_object().unwrap().keys().map(String::as_str).collect();
        members.sort_unstable();
        assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x"], "nothing private");
    }

    clock.advance(HOUR);
    one.keep_up().await.unwrap();
    two.keep_up().await.unwrap();
    let second = signs(&one);
    assert_ne!(second, first);
    assert_eq!(signs(&two), second);
    assert_eq!(published(&two), [first.clone(), second.clone()]);

    clock.advance(HOUR + Duration::from_secs(601));
    two.keep_up().await.unwrap();
    assert_eq!(published(&two), [second]);
}

// covers: KR02
#[tokio::test]
async fn a_key_taken_back_is_gone_everywhere_within_the_bound() {
    let clock = FakeClock::new();
    let store = store(&clock);
    let (one, two) = (node(&store, &clock).await, node(&store, &clock).await);
    let leaked = signs(&one);
    assert!(one.retire(&leaked, "operator").await.unwrap());
    assert!(!one.retire(&leaked, "operator").await.unwrap());
    let fresh = signs(&one);
    assert_ne!(fresh, leaked);
    assert_eq!(published(&one), std::slice::from_ref(&fresh));
    assert!(one.is_retired(&leaked));

    clock.advance(15 * SECOND);
    two.keep_up().await.unwrap();
    assert_eq!(signs(&two), fresh);
    assert_eq!(published(&two), [fresh]);
    assert!(two.is_retired(&leaked));
}

#[tokio::test]
async fn an_operator_sees_what_each_key_is_for() {
    let clock = FakeClock::new();
    let store = store(&clock);
    let keys = node(&store, &clock).await;
    let next = keys.rotate("operator").await.unwrap().unwrap();
    assert_eq!(keys.rotate("operator").await.unwrap().unwrap(), next, "one waits already");
    let uses: Vec<KeyUse> = keys.view().iter().map(|key| key.used).collect();
    assert_eq!(uses, [KeyUse::Signs, KeyUse::Next]);
    clock.advance(HOUR);
    keys.keep_up().await.unwrap();
    assert_eq!(signs(&keys), next);
    let view = keys.view();
    assert_eq!(view[0].used, KeyUse::Verifies);
    assert_eq!(view[0].published_until, Some(view[1].signs_from + HOUR + Duration::from_secs(600)));
    assert_eq!(view[1].published_until, None);
}

#[tokio::test]
async fn the_private_key_is_nowhere_readable() {
    let clock = FakeClock::new();
    let store = store(&clock);
    let keys = node(&store, &clock).await;
    let record = store
        .get(&super::keeper::partition(), &[super::keeper::name()], clock.now())
        .await
        .unwrap()
        .remove(0)
        .unwrap();
    assert!(!record.value().windows(7).any(|bytes| bytes == b"PRIVATE"));
    assert!(!format!("{keys:?}").contains("PRIVATE"));
}

#[tokio::test]
async fn a_node_without_its_store_soon_signs_nothing_and_publishes_nothing() {
    let clock = FakeClock::new();
    let store = store(&clock);
    let keys = node(&store, &clock).await;
    store.fail_always(Call::Get, Fault::Unavailable);
    clock.advance(14 * SECOND);
    keys.keep_up().await.unwrap();
    clock.advance(SECOND);
    assert!(keys.keep_up().await.unwrap_err().is_transient());
    signs(&keys);
    clock.advance(45 * SECOND);
    assert!(keys.sign("at+jwt", Map::new()).is_err());

    // It is asked once a second, not once a request.
    assert!(keys.keep_up().await.is_err());
    store.heal();
    assert!(keys.keep_up().await.is_err());
    clock.advance(SECOND);
    keys.keep_up().await.unwrap();
    signs(&keys);
}

#[tokio::test]
async fn a_lost_answer_does_not_hide_that_a_key_was_taken_back() {
    let clock = FakeClock::new();
    let store = store(&clock);
    let keys = node(&store, &clock).await;
    let leaked = signs(&keys);
    store.fail_next(Call::Commit, Fault::LostAnswer);
    assert!(keys.retire(&leaked, "operator").await.unwrap());
    assert_ne!(signs(&keys), leaked);
}
