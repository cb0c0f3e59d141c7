//! Grants that wait for a device, in races and with a store that breaks.

use std::sync::Arc;
use std::time::Duration;

use mcp_auth_testkit::FakeClock;
use mcp_core::{Clock, Scopes};
use mcp_store::testkit::{Call, Fault, FaultyStore};
use mcp_store::{Batch, MemoryStore, Partition};
use serde_json::json;

use super::tests::{RS, World, client, params, world_with};
use super::*;
use crate::client::{Client, GrantType};
use crate::dpop::DpopPolicy;
use crate::sign_in::User;
use crate::wire::{OAuthError, TokenKind, TokenText};

fn telly() -> Client {
    Client { grant_types: vec![GrantType::DeviceCode, GrantType::RefreshToken], ..client("tv") }
}

async fn faulty() -> (World, FaultyStore) {
    let store = FaultyStore::new(Arc::new(MemoryStore::new()), Arc::new(FakeClock::new()));
    (world_with(DpopPolicy::new(), store.clone()).await, store)
}

/// A request that waits.
async fn begun(world: &World) -> TokenText {
    let scopes = Scopes::from("mcp:read");
    crate::device::begin(&world.engine, &telly(), vec![RS.into()], scopes).await.unwrap().device_code
}

/// A user says yes.
async fn approve(world: &World, code: &TokenText) {
    let now = world.clock.now();
    let user = User::new("ada", "Ada", now).props(json!({ "email": "ada@example.com" }));
    let allowed = Allowed {
        partition: code.partition(),
        client: &telly(),
        user: &user,
        scopes: Scopes::from("mcp:read"),
        resources: vec![RS.into()],
        refreshable: true,
    };
    let until = now + Duration::from_secs(600);
    let witness = ConsentGranted::witnessed();
    let (batch, answer) =
        begin_for_device(&world.engine, Batch::new(), allowed, until, witness).await.unwrap();
    let batch = batch.put_json(answered_name(), &answer, None).unwrap();
    assert!(world.engine.vault.commit(code.partition(), batch).await.unwrap().is_done());
}

async fn ask(world: &World, code: &TokenText) -> Result<TokenAnswer, OAuthError> {
    poll(&world.engine, &telly(), &params(&[("device_code", code.expose())]), None).await
}

async fn key_of(world: &World, partition: &Partition) -> Vec<u8> {
    let found = world.engine.vault.get_one(partition, &answered_name()).await.unwrap().unwrap();
    found.json::<Answered>().unwrap().key
}

#[tokio::test]
async fn what_tools_may_know_waits_for_the_device_and_then_for_its_tokens() {
    let (world, _store) = faulty().await;
    let code = begun(&world).await;
    approve(&world, &code).await;
    assert_eq!(key_of(&world, code.partition()).await.len(), 32);
    let answer = ask(&world, &code).await.unwrap();
    assert!(key_of(&world, code.partition()).await.is_empty());
    let refreshed = [("refresh_token", answer.refresh_token.as_deref().unwrap())];
    let next = refresh(&world.engine, &telly(), &params(&refreshed), None).await.unwrap();
    for token in [&answer.access_token, &next.access_token] {
        let place = place_of(&world.engine, token).unwrap();
        let known = look_up(&world.engine, &place, token, &check::digest_of(token)).await.unwrap();
        let props: serde_json::Value = known.identity.props().unwrap();
        assert_eq!(props, json!({ "email": "ada@example.com" }));
    }
}

#[tokio::test]
async fn a_grant_that_ended_before_the_device_asked_gives_nothing() {
    let (world, _store) = faulty().await;
    let code = begun(&world).await;
    approve(&world, &code).await;
    assert_eq!(page_of_user(&world.engine, "ada", None).await.unwrap().0.len(), 1);
    assert_eq!(end_of_user(&world.engine, "ada", "locked").await.unwrap(), 1);
    assert_eq!(ask(&world, &code).await.unwrap_err().code(), "invalid_grant");
}

#[tokio::test]
async fn what_the_store_does_not_say_is_no_verdict() {
    let (world, store) = faulty().await;
    let code = begun(&world).await;
    for (call, fault) in [(Call::Get, Fault::Unavailable), (Call::Commit, Fault::LostRequest)] {
        store.fail_next(call, fault);
        assert_eq!(ask(&world, &code).await.unwrap_err().status(), 503);
    }
    store.fail_next(Call::Commit, Fault::LostAnswer);
    assert_eq!(ask(&world, &code).await.unwrap_err().code(), "authorization_pending");
    approve(&world, &code).await;
    for (call, fault) in [(Call::Get, Fault::Unavailable), (Call::Commit, Fault::LostRequest)] {
        store.fail_next(call, fault);
        assert_eq!(ask(&world, &code).await.unwrap_err().status(), 503);
    }
    store.fail_next(Call::Commit, Fault::LostAnswer);
    let answer = ask(&world, &code).await.unwrap();
    assert!(world.is_good(&answer.access_token).await);
}

// covers: DV04
#[tokio::test]
async fn of_64_who_all_saw_the_yes_one_gets_tokens() {
    let (world, store) = faulty().await;
    let world = Arc::new(world);
    let code = begun(&world).await;
    approve(&world, &code).await;
    let before = store.calls(Call::Commit);
    store.fail_always(Call::Commit, Fault::Hang);
    let racers: Vec<_> = (0..64)
        .map(|_| {
            let (world, code) = (world.clone(), code.clone());
            tokio::spawn(async move { ask(&world, &code).await })
        })
        .collect();
    while store.calls(Call::Commit) < before + 64 {
        tokio::task::yield_now().await;
    }
    store.heal();
    let mut tokens = Vec::new();
    for racer in racers {
        match racer.await.unwrap() {
            Ok(answer) => tokens.push(answer.access_token),
            Err(error) => assert_eq!(error.code(), "invalid_grant"),
        }
    }
    assert_eq!(tokens.len(), 1);
    assert!(world.is_good(&tokens[0]).await);
}

#[tokio::test]
async fn a_code_whose_device_was_never_noted_leads_nowhere() {
    let (world, store) = faulty().await;
    // The user code is claimed, and then the process dies.
    store.fail_after(1, Call::Commit, Fault::LostRequest);
    let scopes = Scopes::from("mcp:read");
    let begun = crate::device::begin(&world.engine, &telly(), vec![RS.into()], scopes).await;
    assert_eq!(begun.err().unwrap().status(), 503);
    let never = TokenText::new(TokenKind::Device, &Partition::random());
    assert_eq!(ask(&world, &never).await.unwrap_err().code(), "invalid_grant");
}
