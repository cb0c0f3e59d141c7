//! What becomes of a request whose store does not answer: never a verdict on the client, and never two tokens for one proof.

use std::sync::Arc;

use mcp_auth_testkit::FakeClock;
use mcp_store::MemoryStore;
use mcp_store::testkit::{Call, Fault, FaultyStore};

use super::tests::{params, world_with};
use super::tests_of_clients::machine;
use super::tests_of_id_jag::{Trusting, trusting_as};
use super::*;
use crate::client::{Client, GrantType};
use crate::dpop::DpopPolicy;
use crate::idp::TrustedIdp;
use crate::wire::OAuthError;

async fn faulty() -> (Trusting, FaultyStore) {
    let store = FaultyStore::new(Arc::new(MemoryStore::new()), Arc::new(FakeClock::new()));
    let world = world_with(DpopPolicy::new(), store.clone()).await;
    let trusting = trusting_as(world, |idp| {
        let keys = mcp_auth_jwt::Keys::jwks(idp.jwks().to_string()).unwrap();
        vec![TrustedIdp::keys(idp.issuer(), keys)]
    });
    (trusting.await, store)
}

async fn give(trusting: &Trusting, assertion: &str) -> Result<TokenAnswer, OAuthError> {
    let agent = Client { grant_types: vec![GrantType::JwtBearer], ..machine("agent") };
    id_jag(&trusting.world.engine, &agent, &params(&[("assertion", assertion)]), None).await
}

#[tokio::test]
async fn an_assertion_is_burnt_only_with_its_token() {
    let (trusting, store) = faulty().await;
    let assertion = trusting.assertion().mint();
    for call in [Call::Get, Call::Commit] {
        store.fail_next(call, Fault::Unavailable);
        assert_eq!(give(&trusting, &assertion).await.unwrap_err().status(), 503);
    }
    // Two entries of lists, then the commit: it did not happen, or nobody knows.
    store.fail_after(2, Call::Commit, Fault::LostRequest);
    assert_eq!(give(&trusting, &assertion).await.unwrap_err().status(), 503);
    store.fail_after(2, Call::Commit, Fault::LostAnswer);
    let answer = give(&trusting, &assertion).await.unwrap();
    assert!(trusting.world.is_good(&answer.access_token).await);
    assert_eq!(give(&trusting, &assertion).await.unwrap_err().code(), "invalid_grant");
}

#[tokio::test]
async fn clients_get_their_tokens_or_503() {
    let (trusting, store) = faulty().await;
    let (world, ci) = (&trusting.world, machine("ci"));
    for (call, fault) in [
        (Call::Get, Fault::Unavailable),
        (Call::Commit, Fault::Unavailable),
        (Call::Commit, Fault::LostRequest),
    ] {
        store.fail_next(call, fault);
        assert_eq!(world.ask(&ci, &[]).await.unwrap_err().status(), 503);
    }
    store.fail_next(Call::Commit, Fault::LostAnswer);
    let answer = world.ask(&ci, &[]).await.unwrap();
    assert!(world.is_good(&answer.access_token).await);
    // The same for what is exchanged for it.
    let service = Client { grant_types: vec![GrantType::TokenExchange], ..machine("service") };
    let pairs = [
        ("subject_token", answer.access_token.as_str()),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
    ];
    for (call, fault) in [(Call::Get, Fault::Unavailable), (Call::Commit, Fault::LostRequest)] {
        store.fail_next(call, fault);
        let error = exchange(&world.engine, &service, &params(&pairs), None).await.unwrap_err();
        assert_eq!(error.status(), 503);
    }
    store.fail_next(Call::Commit, Fault::LostAnswer);
    let exchanged = exchange(&world.engine, &service, &params(&pairs), None).await.unwrap();
    assert!(world.is_good(&exchanged.access_token).await);
}

// covers: EXT-EMA-09
#[tokio::test]
async fn of_64_racers_who_all_saw_an_unused_assertion_one_uses_it() {
    let (trusting, store) = faulty().await;
    let trusting = Arc::new(trusting);
    let assertion = trusting.assertion().mint();
    let before = store.calls(Call::Commit);
    store.fail_always(Call::Commit, Fault::Hang);
    let racers: Vec<_> = (0..64)
        .map(|_| {
            let (trusting, assertion) = (trusting.clone(), assertion.clone());
            tokio::spawn(async move { give(&trusting, &assertion).await })
        })
        .collect();
    while store.calls(Call::Commit) < before + 64 {
        tokio::task::yield_now().await;
    }
    store.heal();
    let mut won = 0;
    for racer in racers {
        match racer.await.unwrap() {
            Ok(answer) => {
                won += 1;
                assert!(trusting.world.is_good(&answer.access_token).await);
            }
            Err(error) => assert_eq!(error.code(), "invalid_grant"),
        }
    }
    assert_eq!(won, 1);
}
