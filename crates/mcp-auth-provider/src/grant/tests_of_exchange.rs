//! Tokens for tokens.

use std::time::Duration;

use mcp_auth_testkit::DpopKey;
use mcp_core::{Clock, Scopes, Timestamp};
use serde_json::{Value, json};

use super::check::Known;
use super::tests::{CALLBACK, RS, RS2, VERIFIER, World, client, params, world};
use super::tests_of_clients::machine;
use super::*;
use crate::client::{Client, ClientAuthentication, GrantType};
use crate::dpop::ProvenKey;
use crate::wire::OAuthError;

const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";

/// A service that may go on with users' tokens at the second resource.
fn service() -> Client {
    Client {
        grant_types: vec![GrantType::TokenExchange, GrantType::ClientCredentials],
        resources: Some(vec![RS.into(), RS2.into()]),
        ..machine("service")
    }
}

impl World {
    async fn exchange(
        &self,
        client: &Client,
        token: &str,
        more: &[(&str, &str)],
        key: Option<&ProvenKey>,
    ) -> Result<TokenAnswer, OAuthError> {
        let mut pairs = vec![("subject_token", token), ("subject_token_type", ACCESS)];
        for (name, value) in more {
            pairs.retain(|(own, _)| own != name);
            pairs.push((name, value));
        }
        pairs.retain(|(_, value)| !value.is_empty());
        exchange(&self.engine, client, &params(&pairs), key).await
    }

    async fn exchanged(&self, token: &str, more: &[(&str, &str)]) -> TokenAnswer {
        self.exchange(&service(), token, more, None).await.unwrap()
    }

    async fn refused(&self, token: &str, more: &[(&str, &str)]) -> &'static str {
        self.exchange(&service(), token, more, None).await.unwrap_err().code()
    }

    async fn known(&self, token: &str) -> std::sync::Arc<Known> {
        look_up(&self.engine, &place_of(&self.engine, token).unwrap(), token, &[0; 32]).await.unwrap()
    }

    fn proven(&self, key: &DpopKey) -> ProvenKey {
        let proof = key.proof("POST", "https://mcp.test/token", self.clock.now()).mint();
        let head = http::Request::post("/token").header("dpop", proof).body(()).unwrap().into_parts().0;
        self.engine.dpop.prove(&self.engine, &head, "/token", &self.web).unwrap().unwrap()
    }
}

#[tokio::test]
async fn a_service_goes_on_with_less() {
    let world = world().await;
    let user = world.tokens().await;
    let answer = world.exchanged(&user.access_token, &[("resource", RS2), ("scope", "mcp:read")]).await;
    assert_eq!(answer.issued_token_type.as_deref(), Some(ACCESS));
    assert_eq!((answer.scope.as_str(), answer.token_type.as_str()), ("mcp:read", "Bearer"));
    assert!(answer.refresh_token.is_none());
    let known = world.known(&answer.access_token).await;
    let identity = &known.identity;
    assert_eq!(identity.subject().as_str(), "ada");
    assert_eq!(identity.client().unwrap().as_str(), "service");
    assert_eq!(identity.audience()[0].as_str(), RS2);
    assert_eq!(identity.props::<Value>().unwrap()["email"], "ada@example.com");
    assert!(identity.claims().get("act").is_none());
    // `audience` says the same in another word, and both may be there if they mean the same.
    let answer = world.exchanged(&user.access_token, &[("audience", RS2), ("resource", RS2)]).await;
    assert_eq!(answer.scope, "mcp:read mcp:write");
    let same = world.exchanged(&user.access_token, &[]).await;
    assert_eq!(world.known(&same.access_token).await.identity.audience()[0].as_str(), RS);
}

// covers: TX01, TX02
#[tokio::test]
async fn only_our_own_living_access_tokens_for_those_who_may() {
    let world = world().await;
    let user = world.tokens().await;
    let token = user.access_token.as_str();
    let public = Client { authentication: ClientAuthentication::None, ..service() };
    let without = Client { grant_types: vec![GrantType::ClientCredentials], ..service() };
    for client in [public, without, client("web")] {
        let error = world.exchange(&client, token, &[], None).await.unwrap_err();
        assert_eq!(error.code(), "unauthorized_client");
    }
    let id_token = "urn:ietf:params:oauth:token-type:id_token";
    for (name, value) in [
        ("subject_token", ""),
        ("subject_token", user.refresh_token.as_deref().unwrap()),
        ("subject_token", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ."),
        ("subject_token", "mcp_at_"),
        ("subject_token_type", ""),
        ("subject_token_type", id_token),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:refresh_token"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ("requested_token_type", id_token),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"),
        ("actor_token", token),
        ("actor_token_type", ACCESS),
    ] {
        assert_eq!(world.refused(token, &[(name, value)]).await, "invalid_request", "{name}={value}");
    }
    world.exchanged(token, &[("requested_token_type", ACCESS)]).await;
    world.clock.advance(Duration::from_secs(3600));
    assert_eq!(world.refused(token, &[]).await, "invalid_request");
    let user = world.tokens().await;
    end_of_user(&world.engine, "ada", "locked").await.unwrap();
    assert_eq!(world.refused(&user.access_token, &[]).await, "invalid_request");
}

// covers: TX03
#[tokio::test]
async fn only_where_the_operator_said() {
    let world = world().await;
    let token = world.tokens().await.access_token;
    for more in [
        [("resource", "https://other.test/mcp")].as_slice(),
        &[("audience", "other-service")],
        &[("audience", RS), ("resource", RS2)],
    ] {
        assert_eq!(world.refused(&token, more).await, "invalid_target", "{more:?}");
    }
    let narrow = Client { resources: Some(vec![RS2.into()]), ..service() };
    let unsaid = Client { resources: None, ..service() };
    for (client, resource) in [(&narrow, RS), (&narrow, ""), (&unsaid, RS2)] {
        let error = world.exchange(client, &token, &[("resource", resource)], None).await.unwrap_err();
        assert_eq!(error.code(), "invalid_target");
    }
    // Without a list, what the user consented to.
    assert!(world.exchange(&unsaid, &token, &[("resource", RS)], None).await.is_ok());
}

// covers: TX04
#[tokio::test]
async fn never_wider() {
    let world = world().await;
    let first = world.tokens().await;
    let token =
        world.refresh(first.refresh_token.as_deref().unwrap(), &[("scope", "mcp:read")]).await.unwrap();
    let token = token.access_token.as_str();
    assert_eq!(world.exchanged(token, &[]).await.scope, "mcp:read");
    for scope in ["mcp:write", "mcp:read mcp:write", "unheard", "\""] {
        assert_eq!(world.refused(token, &[("scope", scope)]).await, "invalid_scope", "{scope}");
    }
    let few = Client { scopes: Some(Scopes::from("mcp:write")), ..service() };
    assert_eq!(world.exchange(&few, token, &[], None).await.unwrap().scope, "");
    let error = world.exchange(&few, token, &[("scope", "mcp:read")], None).await.unwrap_err();
    assert_eq!(error.code(), "invalid_scope");
    // And what was exchanged is no way back.
    let less = world.exchanged(&first.access_token, &[("scope", "mcp:read")]).await;
    assert_eq!(world.refused(&less.access_token, &[("scope", "mcp:write")]).await, "invalid_scope");
}

// covers: TX06
#[tokio::test]
async fn a_bound_token_needs_its_proof_and_its_client() {
    let world = world().await;
    let (key, thief) = (DpopKey::generate(), DpopKey::generate());
    let code = world.code().await;
    let pairs = [("code", code.as_str()), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];
    let bound = world.redeem_with(&world.web, &pairs, Some(&world.proven(&key))).await.unwrap();
    let token = bound.access_token.as_str();
    let owner = Client { resources: None, ..Client { id: world.web.id.clone(), ..service() } };
    for proof in [None, Some(world.proven(&thief))] {
        let error = world.exchange(&owner, token, &[], proof.as_ref()).await.unwrap_err();
        assert_eq!(error.code(), "invalid_request");
    }
    let stolen = world.exchange(&service(), token, &[], Some(&world.proven(&key))).await.unwrap_err();
    assert_eq!(stolen.code(), "invalid_request");
    let answer = world.exchange(&owner, token, &[], Some(&world.proven(&key))).await.unwrap();
    assert_eq!(answer.token_type, "DPoP");
    assert_eq!(world.known(&answer.access_token).await.jkt, Some(key.thumbprint()));
    // An unbound one may become bound.
    let plain = world.tokens().await;
    let proof = world.proven(&thief);
    let answer = world.exchange(&service(), &plain.access_token, &[], Some(&proof)).await.unwrap();
    assert_eq!(world.known(&answer.access_token).await.jkt, Some(thief.thumbprint()));
}

// covers: TX07
#[tokio::test]
async fn actors_are_named_one_before_the_other_and_not_without_end() {
    let world = world().await;
    let user = world.tokens().await.access_token;
    let own = world.ask(&service(), &[]).await.unwrap().access_token;
    let actor = |token: &'static str| [("actor_token", token), ("actor_token_type", ACCESS)];
    let own: &'static str = own.leak();
    let mut token = user.clone();
    for depth in 1..=4 {
        let answer = world.exchanged(&token, &actor(own)).await;
        token = answer.access_token;
        let known = world.known(&token).await;
        let act = known.identity.claims().get("act").unwrap().clone();
        assert_eq!(exchange::depth(&act), depth);
        assert_eq!(act["sub"], "client:service");
    }
    assert_eq!(world.refused(&token, &actor(own)).await, "invalid_request");
    // Without an actor, nobody is dropped from the chain.
    let same = world.exchanged(&token, &[]).await;
    let known = world.known(&same.access_token).await;
    assert_eq!(exchange::depth(known.identity.claims().get("act").unwrap()), 4);
    let expected = json!({"sub": "client:service", "client_id": "service"});
    assert_eq!(known.identity.claims()["act"]["act"]["act"]["act"], expected);

    // Not another client's token, nor one that is for somebody else, nor a dead one.
    let other: &'static str = world.ask(&machine("other"), &[]).await.unwrap().access_token.leak();
    let user: &'static str = user.leak();
    let delegated: &'static str = token.leak();
    for wrong in [other, user, delegated, "mcp_at_x"] {
        assert_eq!(world.refused(user, &actor(wrong)).await, "invalid_request");
    }
}

// covers: TX08
#[tokio::test]
async fn it_ends_with_what_it_came_from() {
    let world = world().await;
    let user = world.tokens().await;
    let end: Timestamp = user.expires_at;
    world.clock.advance(Duration::from_secs(3000));
    let answer = world.exchanged(&user.access_token, &[]).await;
    assert_eq!(answer.expires_at, end);
    let again = world.exchanged(&answer.access_token, &[]).await;
    assert_eq!(again.expires_at, end);
    // The actor's end counts too.
    let fresh = world.tokens().await;
    let own = world.ask(&service(), &[]).await.unwrap();
    world.clock.advance(Duration::from_secs(60));
    let fresher = world.tokens().await;
    let actor = [("actor_token", own.access_token.as_str()), ("actor_token_type", ACCESS)];
    assert_eq!(world.exchanged(&fresher.access_token, &actor).await.expires_at, own.expires_at);
    let other = world.exchanged(&fresh.access_token, &[]).await;
    assert!(world.is_good(&other.access_token).await);
    end_of_user(&world.engine, "ada", "locked").await.unwrap();
    for token in [&answer, &again, &other] {
        assert!(!world.is_good(&token.access_token).await);
    }
}
