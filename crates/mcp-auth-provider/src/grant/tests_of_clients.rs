//! Tokens that clients get for themselves.

use std::sync::Arc;
use std::time::Duration;

use mcp_core::Scopes;
use mcp_store::Batch;

use super::record::{GrantRecord, grant_name};
use super::tests::{RS, RS2, World, client, params, world};
use super::*;
use crate::client::{Client, ClientAuthentication, GrantType};
use crate::wire::OAuthError;

pub(super) fn machine(id: &str) -> Client {
    Client {
        authentication: ClientAuthentication::Secret { basic: true, hash: Vec::new(), expires_at: None },
        grant_types: vec![GrantType::ClientCredentials],
        redirect_uris: Vec::new(),
        ..client(id)
    }
}

impl World {
    pub(super) async fn ask(
        &self,
        client: &Client,
        pairs: &[(&str, &str)],
    ) -> Result<TokenAnswer, OAuthError> {
        client_credentials(&self.engine, client, &params(pairs), None).await
    }
}

fn code_of(result: Result<TokenAnswer, OAuthError>) -> &'static str {
    result.unwrap_err().code()
}

// covers: TK30
#[tokio::test]
async fn a_client_gets_a_token_for_itself_and_nothing_else() {
    let world = world().await;
    let answer = world.ask(&machine("ci"), &[]).await.unwrap();
    assert_eq!((answer.token_type.as_str(), answer.scope.as_str()), ("Bearer", "mcp:read mcp:write"));
    assert!(answer.refresh_token.is_none());
    let place = place_of(&world.engine, &answer.access_token).unwrap();
    let known = look_up(&world.engine, &place, &answer.access_token, &[0; 32]).await.unwrap();
    let identity = &known.identity;
    assert_eq!(identity.subject().as_str(), "client:ci");
    assert_eq!(identity.client().unwrap().as_str(), "ci");
    assert_eq!(identity.audience()[0].as_str(), RS);
}

// covers: TK28, TK29, TK32
#[tokio::test]
async fn what_a_client_may_not_have_it_does_not_get() {
    let world = world().await;
    let public = Client { authentication: ClientAuthentication::None, ..machine("ci") };
    assert_eq!(code_of(world.ask(&public, &[]).await), "unauthorized_client");
    let other = Client { grant_types: vec![GrantType::AuthorizationCode], ..machine("ci") };
    assert_eq!(code_of(world.ask(&other, &[]).await), "unauthorized_client");

    let few = Client { scopes: Some(Scopes::from("mcp:read offline_access openid")), ..machine("few") };
    for scope in ["mcp:write", "mcp:read mcp:write", "offline_access", "mcp:read openid", "unheard", "\""] {
        assert_eq!(code_of(world.ask(&few, &[("scope", scope)]).await), "invalid_scope", "{scope}");
    }
    assert_eq!(world.ask(&few, &[("scope", "mcp:read")]).await.unwrap().scope, "mcp:read");
    assert_eq!(world.ask(&few, &[]).await.unwrap().scope, "mcp:read");

    let bound = Client { resources: Some(vec![RS2.into()]), ..machine("bound") };
    let (none, own) =
        (world.ask(&bound, &[]).await.unwrap(), world.ask(&bound, &[("resource", RS2)]).await.unwrap());
    for answer in [none, own] {
        let place = place_of(&world.engine, &answer.access_token).unwrap();
        let known = look_up(&world.engine, &place, &answer.access_token, &[0; 32]).await.unwrap();
        assert_eq!(known.identity.audience()[0].as_str(), RS2);
    }
    for resource in [RS, "https://other.test/mcp", "https://mcp.test/mcp2#x"] {
        assert_eq!(
            code_of(world.ask(&bound, &[("resource", resource)]).await),
            "invalid_target",
            "{resource}"
        );
    }
    let both = [("resource", RS), ("resource", RS2)];
    assert_eq!(code_of(world.ask(&machine("ci"), &both).await), "invalid_target");
    let nowhere = Client { resources: Some(Vec::new()), ..machine("nowhere") };
    assert_eq!(code_of(world.ask(&nowhere, &[]).await), "invalid_target");
}

#[tokio::test]
async fn the_end_of_a_client_is_the_end_of_all_its_tokens_and_of_no_others() {
    let world = world().await;
    let (ci, cd) = (machine("ci"), machine("cd"));
    let (first, second) = (world.ask(&ci, &[]).await.unwrap(), world.ask(&ci, &[]).await.unwrap());
    let other = world.ask(&cd, &[]).await.unwrap();
    let listed = page_of_client(&world.engine, &ci.id, None).await.unwrap().0;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed, page_of_user(&world.engine, "client:ci", None).await.unwrap().0);
    assert_eq!(end_of_client(&world.engine, &ci.id, "deleted").await.unwrap(), 1);
    for token in [&first, &second] {
        assert!(!world.is_good(&token.access_token).await);
    }
    assert!(world.is_good(&other.access_token).await);
    // Asked again, there is a new grant, and the old tokens stay dead.
    let third = world.ask(&ci, &[]).await.unwrap();
    assert!(world.is_good(&third.access_token).await && !world.is_good(&first.access_token).await);
    assert_eq!(end_of_user(&world.engine, "client:ci", "locked").await.unwrap(), 1);
    assert!(!world.is_good(&third.access_token).await);
    assert_eq!(world.sign_in_ended(), 0);
}

#[tokio::test]
async fn a_crash_in_the_middle_of_an_end_revives_nothing() {
    let world = world().await;
    let ci = machine("ci");
    let first = world.ask(&ci, &[]).await.unwrap();
    // The process died after it had marked the grant.
    let partition = client_credentials::partition(&world.engine, &ci.id);
    let found = world.engine.vault.get_one(&partition, &grant_name()).await.unwrap().unwrap();
    let grant: GrantRecord = found.json().unwrap();
    let ended = GrantRecord { ended: Some("crash".into()), ..grant.clone() };
    let batch = Batch::new();
    let marked = batch.revision();
    let batch = batch.put_json(grant_name(), &ended, found.expires_at()).unwrap();
    assert!(world.engine.vault.commit(&partition, batch).await.unwrap().is_done());
    assert!(!world.is_good(&first.access_token).await);
    let second = world.ask(&ci, &[]).await.unwrap();
    assert!(world.is_good(&second.access_token).await && !world.is_good(&first.access_token).await);
    // And whoever was about to clear away wakes up late.
    end::clean(&world.engine, &partition, &grant, marked).await.unwrap();
    assert!(world.is_good(&second.access_token).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_who_ask_at_once_all_get_a_token_of_one_grant() {
    let world = Arc::new(world().await);
    let racers: Vec<_> = (0..64)
        .map(|_| {
            let world = world.clone();
            tokio::spawn(async move { world.ask(&machine("ci"), &[]).await })
        })
        .collect();
    let mut tokens = Vec::new();
    for racer in racers {
        tokens.push(racer.await.unwrap().unwrap().access_token);
    }
    for token in &tokens {
        assert!(world.is_good(token).await);
    }
    assert_eq!(end_of_client(&world.engine, &"ci".into(), "deleted").await.unwrap(), 1);
    for token in &tokens {
        assert!(!world.is_good(token).await);
    }
}

#[tokio::test]
async fn the_grant_is_renewed_before_it_could_cut_a_token_short() {
    let world = world().await;
    let ci = machine("ci");
    world.ask(&ci, &[]).await.unwrap();
    for _ in 0..8 {
        world.clock.advance(Duration::from_secs(60 * 24 * 3600));
        let answer = world.ask(&ci, &[]).await.unwrap();
        assert_eq!(answer.expires_at, mcp_core::Clock::now(&world.clock) + Duration::from_secs(3600));
        assert!(world.is_good(&answer.access_token).await);
    }
    // What an operator changes shows at once.
    let less = Client { scopes: Some(Scopes::from("mcp:read")), ..ci };
    world.ask(&less, &[]).await.unwrap();
    assert_eq!(page_of_client(&world.engine, &less.id, None).await.unwrap().0[0].scopes, "mcp:read");
}

#[tokio::test]
async fn a_sign_in_cannot_name_a_user_like_a_client() {
    let world = world().await;
    for name in ["client:ci", "idp:https://idp.test|ada"] {
        assert!(world.code_of_user(name).await.is_err(), "{name}");
    }
}
