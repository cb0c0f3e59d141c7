//! What ends a grant and what does not: sign-ins that say no, replays without the key, tokens that were read before.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};
use mcp_core::{Clock, Scopes};
use serde_json::json;

use crate::dpop::ProvenKey;
use crate::sign_in::Refreshed;
use crate::wire::{TokenKind, TokenText};

use super::tests::{CALLBACK, VERIFIER, refresh_of, world};
use super::*;

/// A sign-in whose upstream rotates its tokens: it refuses whoever comes second with the same one.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_sign_in_that_refuses_the_second_of_two_refreshes_logs_nobody_out() {
    let world = Arc::new(world().await);
    let first = world.tokens().await;
    let place = place_of(&world.engine, &first.access_token).unwrap();
    // What a slower request holds, that read before the faster one rotated.
    let names =
        [TokenText::parse(TokenKind::Refresh, refresh_of(&first)).unwrap().name(), record::grant_name()];
    let held = world.engine.vault.get(&place.partition, &names).await.unwrap();
    let still: Vec<_> =
        names.iter().cloned().zip(held.iter().map(|record| record.as_ref().unwrap().revision())).collect();
    let second = world.refresh(refresh_of(&first), &[]).await.unwrap();
    assert!(!end::end_if(&world.engine, &place.partition, "sign_in_ended", &still).await.unwrap());
    assert!(world.is_good(&second.access_token).await);
    assert_eq!(world.sign_in.ended.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn what_was_read_before_an_end_is_not_remembered_after_it() {
    let world = world().await;
    let held = world.tokens().await;
    let place = place_of(&world.engine, &held.access_token).unwrap();
    let known = &world.engine.known;
    let edition = known.edition();
    let read = look_up(&world.engine, &place, &held.access_token, &[7; 32]).await.unwrap();
    known.forget(&place.partition);
    known.remember(&[7; 32], &read, edition);
    assert!(known.get(&[7; 32], world.clock.now()).is_none());
    known.remember(&[7; 32], &read, known.edition());
    assert!(known.get(&[7; 32], world.clock.now()).is_some());
}

#[tokio::test]
async fn a_jwt_that_names_the_vault_is_not_ours_rather_than_an_outage() {
    let world = world().await;
    let claims = Base64UrlUnpadded::encode_string(br#"{"iss":"https://mcp.test","jti":"vault.x"}"#);
    let token = format!("eyJhbGciOiJFUzI1NiJ9.{claims}.AAAA");
    assert!(place_of(&world.engine, &token).is_err());
}

#[tokio::test]
async fn what_a_sign_in_has_to_remember_is_kept_though_the_request_fails() {
    let world = world().await;
    let first = world.tokens().await;
    *world.sign_in.refreshed.lock().unwrap() = Some(Refreshed::Changed {
        props: None,
        memory: Some(json!({ "upstream": "rotated" })),
        scopes: Some(Scopes::from("mcp:read")),
    });
    // The scope was granted, and is taken away by this very refresh.
    let refused = world.refresh(refresh_of(&first), &[("scope", "mcp:write")]).await.unwrap_err();
    assert_eq!(refused.code(), "invalid_scope");
    let place = place_of(&world.engine, &first.access_token).unwrap();
    let (_, grant) = check::read(&world.engine, &place).await.unwrap().unwrap();
    assert_eq!(grant.memory, json!({ "upstream": "rotated" }));
    assert_eq!(world.refresh(refresh_of(&first), &[]).await.unwrap().scope, "mcp:read");
}

// covers: AC02, DP14
#[tokio::test]
async fn who_has_code_and_verifier_but_not_the_key_ends_nothing() {
    let world = world().await;
    let (own, thief) = (ProvenKey::for_tests("own"), ProvenKey::for_tests("thief"));
    let code = world.bound_code("own").await;
    let pairs = [("code", &*code), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];
    let held = world.redeem_with(&world.web, &pairs, Some(&own)).await.unwrap();
    world.clock.advance(Duration::from_secs(30));
    for key in [None, Some(&thief)] {
        assert_eq!(world.redeem_with(&world.web, &pairs, key).await.unwrap_err().code(), "invalid_grant");
        assert!(world.is_good(&held.access_token).await);
    }
    // The same from whoever has the key is a replay.
    world.redeem_with(&world.web, &pairs, Some(&own)).await.unwrap_err();
    assert!(!world.is_good(&held.access_token).await);
}
