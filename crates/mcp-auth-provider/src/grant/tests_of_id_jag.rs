//! Tokens for identity assertions.

use std::sync::Arc;
use std::time::Duration;

use mcp_auth_jwt::{Algorithm, Keys};
use mcp_auth_testkit::{DpopKey, TokenAuthority, TokenBuilder};
use mcp_core::{Clock, Scopes, SiteContext};
use serde_json::{Value, json};

use super::tests::{RS, RS2, World, client, params, world};
use super::tests_of_clients::machine;
use super::*;
use crate::client::{Client, ClientAuthentication, GrantType};
use crate::dpop::ProvenKey;
use crate::idp::{Idps, TrustedIdp};
use crate::wire::OAuthError;

const US: &str = "https://mcp.test";

fn agent() -> Client {
    Client { grant_types: vec![GrantType::JwtBearer], ..machine("agent") }
}

pub(super) struct Trusting {
    pub(super) world: World,
    pub(super) idp: TokenAuthority,
}

/// A server that trusts an identity provider whose keys it knows.
pub(super) async fn trusting() -> Trusting {
    trusting_as(world().await, |idp| {
        let keys = Keys::jwks(idp.jwks().to_string()).unwrap();
        vec![TrustedIdp::keys(idp.issuer(), keys)]
    })
    .await
}

pub(super) async fn trusting_as(
    mut world: World,
    config: impl FnOnce(&TokenAuthority) -> Vec<TrustedIdp>,
) -> Trusting {
    let idp = TokenAuthority::builder().clock(world.clock.clone()).start().await.unwrap();
    let site = SiteContext::new(world.engine.url.clone(), world.engine.resources.clone())
        .with_clock(world.engine.clock.clone());
    world.engine.idps = Idps::start(&config(&idp), &site).await.unwrap();
    Trusting { world, idp }
}

impl Trusting {
    /// A good assertion, but for what is changed.
    pub(super) fn assertion(&self) -> TokenBuilder {
        let token = self.idp.token().typ("oauth-id-jag+jwt").audience(US).client("agent");
        token.claim("resource", RS).scopes("mcp:read mcp:write mail:read")
    }

    async fn give(&self, assertion: &str, more: &[(&str, &str)]) -> Result<TokenAnswer, OAuthError> {
        self.give_to(&agent(), assertion, more, None).await
    }

    async fn give_to(
        &self,
        client: &Client,
        assertion: &str,
        more: &[(&str, &str)],
        key: Option<&ProvenKey>,
    ) -> Result<TokenAnswer, OAuthError> {
        let mut pairs = vec![("assertion", assertion)];
        pairs.extend_from_slice(more);
        let params = params(&pairs);
        is_profile_known(&params)?;
        id_jag(&self.world.engine, client, &params, key).await
    }

    /// Asserts that an assertion is refused, and that nothing was burnt: made right, the same `jti` is good.
    async fn refuses(&self, wrong: TokenBuilder, code: &str) {
        let wrong = wrong.claim("jti", "the-same");
        assert_eq!(self.give(&wrong.clone().mint(), &[]).await.unwrap_err().code(), code, "{wrong:?}");
    }

    async fn known(&self, token: &str) -> Arc<Known> {
        look_up(&self.world.engine, &place_of(&self.world.engine, token).unwrap(), token, &[0; 32])
            .await
            .unwrap()
    }
}

// covers: U-06, EXT-EMA-02, EXT-EMA-08, EXT-EMA-10, EXT-EMA-13, EM12
#[tokio::test]
async fn an_assertion_gives_one_token_and_nothing_to_refresh() {
    let trusting = trusting().await;
    let assertion = trusting.assertion().claim("email", "ada@example.com").mint();
    let answer = trusting.give(&assertion, &[("scope", "mcp:read mail:read")]).await.unwrap();
    assert_eq!((answer.token_type.as_str(), answer.scope.as_str()), ("Bearer", "mcp:read"));
    assert!(answer.refresh_token.is_none() && answer.issued_token_type.is_none());
    let known = trusting.known(&answer.access_token).await;
    let identity = &known.identity;
    assert_eq!(identity.subject().as_str(), format!("idp:{}|alice", trusting.idp.issuer()));
    assert_eq!(identity.client().unwrap().as_str(), "agent");
    assert_eq!(identity.audience()[0].as_str(), RS);
    assert_eq!(identity.props::<Value>().unwrap()["email"], "ada@example.com");

    // A list of one is one, too.
    let listed = trusting.assertion().claim("aud", json!([US])).claim("resource", json!([RS])).mint();
    assert_eq!(trusting.give(&listed, &[]).await.unwrap().scope, "mcp:read mcp:write");
    // Its grants are the user's and the client's, and end with either.
    let subject = identity.subject().as_str();
    assert_eq!(page_of_user(&trusting.world.engine, subject, None).await.unwrap().0.len(), 2);
    assert_eq!(end_of_client(&trusting.world.engine, &"agent".into(), "deleted").await.unwrap(), 2);
    assert!(!trusting.world.is_good(&answer.access_token).await);
    assert_eq!(trusting.world.sign_in_ended(), 0);
    // And an assertion whose grant has ended is used all the same.
    assert_eq!(trusting.give(&assertion, &[]).await.unwrap_err().code(), "invalid_grant");
}

// covers: EM01, EM02, EM03, EM04, EM05, EM06, EM07, EM10, EXT-EMA-03, EXT-EMA-04, EXT-EMA-05, EXT-EMA-06, EXT-EMA-07
#[tokio::test]
async fn whatever_is_wrong_is_refused_and_burns_nothing() {
    let trusting = trusting().await;
    let good = || trusting.assertion();
    let now = trusting.world.clock.now().as_secs();
    let issuer = trusting.idp.issuer();
    for wrong in [
        good().header("typ", Value::Null),
        good().typ("JWT"),
        good().typ("at+jwt"),
        good().issuer("https://idp.test"),
        good().issuer(&issuer[..issuer.len() - 1]),
        good().issuer(&format!("{issuer}/")),
        good().issuer(&format!("{issuer}/tenant")),
        good().without("iss"),
        good().without("aud"),
        good().claim("aud", "https://other.test"),
        good().claim("aud", "https://mcp.test/token"),
        good().claim("aud", "https://mcp.test/"),
        good().claim("aud", json!([US, "https://evil.test"])),
        good().claim("aud", json!([])),
        good().client("other"),
        good().without("client_id"),
        good().without("resource"),
        good().claim("resource", format!("{RS}#x")),
        good().expired(Duration::from_secs(1)),
        good().expires_in(Duration::from_secs(3700)),
        good().claim("iat", now - 3500).claim("exp", now + 200),
        good().not_before_in(Duration::from_secs(31)),
        good().claim("iat", now + 31),
        good().claim("exp", (now + 60).to_string()),
        good().without("iat"),
        good().without("exp"),
        good().without("sub"),
        good().unsigned(),
        good().tampered(),
        good().by_stranger(),
        good().public_key_as_secret(),
        good().kid("unheard"),
        good().header("kid", Value::Null),
        good().header("crit", json!(["x"])),
        good().header("jku", "https://evil.test/jwks"),
        good().claim("authorization_details", json!([])),
        good().claim("cnf", json!({"jkt": "x"})),
        good().claim("cnf", json!({"x5t#S256": "x"})),
        good().payload(r#"{"iss":"a","iss":"b"}"#),
    ] {
        trusting.refuses(wrong, "invalid_grant").await;
    }
    for resource in [json!("https://other.test/mcp"), json!(["https://other.test/mcp", "urn:x"])] {
        trusting.refuses(good().claim("resource", resource), "invalid_target").await;
    }
    for jti in [Value::Null, json!(""), json!(7), json!("j".repeat(257))] {
        let wrong = if jti.is_null() { good().without("jti") } else { good().claim("jti", jti) };
        assert_eq!(trusting.give(&wrong.mint(), &[]).await.unwrap_err().code(), "invalid_grant");
    }
    for text in ["", "x", "a.b.c", "e30.e30.AA"] {
        assert!(trusting.give(text, &[]).await.is_err(), "{text}");
    }
    let same = good().claim("jti", "the-same").mint();
    assert!(trusting.give(&same, &[("scope", "mail:read")]).await.is_err());
    assert!(trusting.give(&same, &[("resource", RS2)]).await.is_err());
    assert!(trusting.give(&same, &[]).await.is_ok());
    assert_eq!(trusting.give(&same, &[]).await.unwrap_err().code(), "invalid_grant");
}

// covers: EM07
#[tokio::test]
async fn algorithms_are_those_of_the_issuer() {
    let trusting = trusting_as(world().await, |idp| {
        let keys = Keys::jwks(idp.jwks().to_string()).unwrap();
        vec![TrustedIdp::keys(idp.issuer(), keys).algorithms([
            Algorithm::RS256,
            Algorithm::ES256,
            Algorithm::EdDSA,
        ])]
    })
    .await;
    let good = trusting.assertion();
    assert!(trusting.give(&good.algorithm(mcp_auth_testkit::Algorithm::EdDsa).mint(), &[]).await.is_ok());
    let ps256 = trusting.assertion().algorithm(mcp_auth_testkit::Algorithm::Ps256);
    trusting.refuses(ps256, "invalid_grant").await;
}

// covers: EM11
#[tokio::test]
async fn only_clients_that_prove_themselves_and_may() {
    let trusting = trusting().await;
    let assertion = trusting.assertion().mint();
    let public = Client { authentication: ClientAuthentication::None, ..agent() };
    let registered = Client { id: "agent".into(), ..client("web") };
    let without = Client { grant_types: vec![GrantType::ClientCredentials], ..agent() };
    let optional = Client {
        authentication: ClientAuthentication::PrivateKeyJwt {
            jwks: None,
            jwks_uri: None,
            algorithm: None,
            optional: true,
        },
        ..agent()
    };
    for client in [&public, &registered, &without, &optional] {
        let error = trusting.give_to(client, &assertion, &[], None).await.unwrap_err();
        assert_eq!(error.code(), "unauthorized_client");
    }
    let proved = [("client_assertion", "checked before")];
    assert!(trusting.give_to(&optional, &assertion, &proved, None).await.is_ok());
    let others = Client { id: "other".into(), ..agent() };
    let assertion = trusting.assertion().mint();
    let error = trusting.give_to(&others, &assertion, &[], None).await.unwrap_err();
    assert_eq!(error.code(), "invalid_grant");
}

// covers: EXT-EMA-07, EM09
#[tokio::test]
async fn resources_and_scopes_are_what_all_sides_allow() {
    let trusting = trusting_as(world().await, |idp| {
        let keys = Keys::jwks(idp.jwks().to_string()).unwrap();
        vec![TrustedIdp::keys(idp.issuer(), keys).without_resource().scopes_unless_said("mcp:read")]
    })
    .await;
    let both = || trusting.assertion().claim("resource", json!([RS, RS2, "https://other.test/mcp"])).mint();
    assert_eq!(trusting.give(&both(), &[]).await.unwrap_err().code(), "invalid_target");
    let answer = trusting.give(&both(), &[("resource", RS2)]).await.unwrap();
    assert_eq!(trusting.known(&answer.access_token).await.identity.audience()[0].as_str(), RS2);
    // None named: the one that is asked for, or the first the client may.
    let none = || trusting.assertion().without("resource").mint();
    for (more, expected) in [([("resource", RS2)].as_slice(), RS2), (&[], RS)] {
        let answer = trusting.give(&none(), more).await.unwrap();
        assert_eq!(trusting.known(&answer.access_token).await.identity.audience()[0].as_str(), expected);
    }
    let narrow = Client { resources: Some(vec![RS2.into()]), ..agent() };
    for assertion in [trusting.assertion().mint(), none()] {
        let error = trusting.give_to(&narrow, &assertion, &[("resource", RS)], None).await.unwrap_err();
        assert_eq!(error.code(), "invalid_target");
    }

    let assertion = trusting.assertion().without("scope").mint();
    assert_eq!(trusting.give(&assertion, &[]).await.unwrap().scope, "mcp:read");
    let few = Client { scopes: Some(Scopes::from("mcp:write")), ..agent() };
    let assertion = trusting.assertion().mint();
    assert_eq!(trusting.give_to(&few, &assertion, &[], None).await.unwrap().scope, "mcp:write");
    let wider = trusting.assertion().scopes("mcp:read").mint();
    assert_eq!(trusting.give(&wider, &[("scope", "mcp:write")]).await.unwrap_err().code(), "invalid_scope");
    let narrowed = trusting.give(&wider, &[("scope", "mcp:write mcp:read")]).await.unwrap();
    assert_eq!(narrowed.scope, "mcp:read");
}

// covers: EXT-EMA-09
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_racers_one_uses_an_assertion() {
    let trusting = Arc::new(trusting().await);
    let assertion = trusting.assertion().mint();
    let racers: Vec<_> = (0..64)
        .map(|_| {
            let (trusting, assertion) = (trusting.clone(), assertion.clone());
            tokio::spawn(async move { trusting.give(&assertion, &[]).await })
        })
        .collect();
    let mut won = Vec::new();
    for racer in racers {
        match racer.await.unwrap() {
            Ok(answer) => won.push(answer),
            Err(error) => assert_eq!(error.code(), "invalid_grant"),
        }
    }
    assert_eq!(won.len(), 1);
    assert!(trusting.world.is_good(&won[0].access_token).await);
}

// covers: EXT-EMA-09, U-06, U-07
#[tokio::test]
async fn an_assertion_is_remembered_to_its_end_and_ids_are_each_users_own() {
    let trusting = trusting().await;
    let assertion = trusting.assertion().claim("jti", "1").mint();
    assert!(trusting.give(&assertion, &[]).await.is_ok());
    for subject in ["bob", "alice|"] {
        let other = trusting.assertion().claim("jti", "1").subject(subject).mint();
        assert!(trusting.give(&other, &[]).await.is_ok(), "{subject}");
    }
    for _ in 0..5 {
        assert_eq!(trusting.give(&assertion, &[]).await.unwrap_err().code(), "invalid_grant");
        trusting.world.clock.advance(Duration::from_secs(60));
    }
}

#[tokio::test]
async fn a_key_can_be_asked_for_by_the_issuer() {
    let trusting = trusting().await;
    let (key, thief) = (DpopKey::generate(), DpopKey::generate());
    let bound = trusting.assertion().claim("cnf", json!({"jkt": key.thumbprint()})).mint();
    let (right, wrong) = (ProvenKey::for_tests(&key.thumbprint()), ProvenKey::for_tests(&thief.thumbprint()));
    for key in [None, Some(&wrong)] {
        let error = trusting.give_to(&agent(), &bound, &[], key).await.unwrap_err();
        assert_eq!(error.code(), "invalid_grant");
    }
    let answer = trusting.give_to(&agent(), &bound, &[], Some(&right)).await.unwrap();
    assert_eq!(answer.token_type, "DPoP");
    assert_eq!(trusting.known(&answer.access_token).await.jkt, Some(key.thumbprint()));
    let act = json!({"sub": "robot", "act": {"sub": "other"}});
    let delegated = trusting.assertion().claim("act", act.clone()).mint();
    let answer = trusting.give(&delegated, &[]).await.unwrap();
    assert_eq!(trusting.known(&answer.access_token).await.identity.claims()["act"], act);
}

#[tokio::test]
async fn set_ups_that_cannot_be_safe_do_not_start() {
    let world = world().await;
    let site = SiteContext::new(world.engine.url.clone(), world.engine.resources.clone());
    let key = r#"{"kty":"OKP","crv":"Ed25519","kid":"1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let idp = |name: &str| TrustedIdp::keys(name, Keys::jwk(key).unwrap());
    let secret = Keys::shared_secret(mcp_core::SecretKey::random());
    for (wrong, sentence) in [
        (vec![idp("https://idp.test"), idp("https://idp.test")], "twice"),
        (vec![idp(US)], "its own"),
        (vec![idp("")], "no name"),
        (vec![idp("https://idp.test").max_lifetime(Duration::ZERO)], "max_lifetime"),
        (vec![idp("https://idp.test").max_lifetime(Duration::from_secs(90_000))], "max_lifetime"),
        (vec![idp("https://idp.test").tenant("")], "tenant"),
        (vec![idp("https://idp.test").algorithms([])], "no algorithm"),
        (vec![TrustedIdp::keys("https://idp.test", secret.clone())], "secret"),
        (vec![TrustedIdp::keys("https://idp.test", secret).algorithms([Algorithm::HS256])], "secret"),
    ] {
        let said = Idps::start(&wrong, &site).await.unwrap_err().to_string();
        assert!(said.contains(sentence), "{said}");
    }
}

#[cfg(feature = "fetch")]
mod fetched {
    use mcp_auth_testkit::{Behaviour, Endpoint};
    use mcp_outbound::OutboundClient;

    use super::*;

    fn loopback() -> OutboundClient {
        OutboundClient::builder().dangerous().allow_loopback().build().unwrap()
    }

    // covers: EM02, EM07
    #[tokio::test]
    async fn keys_are_fetched_for_whom_is_trusted_and_nobody_else() {
        let stranger = TokenAuthority::start().await.unwrap();
        let trusting =
            trusting_as(world().await, |idp| vec![TrustedIdp::new(idp.issuer()).http_client(loopback())])
                .await;
        assert_eq!(trusting.idp.requests(Endpoint::Jwks), 1);
        assert!(trusting.give(&trusting.assertion().mint(), &[]).await.is_ok());
        let foreign =
            stranger.token().typ("oauth-id-jag+jwt").audience(US).client("agent").claim("resource", RS);
        for foreign in [foreign.clone(), foreign.header("jku", stranger.jwks_url())] {
            assert_eq!(trusting.give(&foreign.mint(), &[]).await.unwrap_err().code(), "invalid_grant");
        }
        assert_eq!(stranger.requests(Endpoint::Jwks) + stranger.requests(Endpoint::AuthorizationServer), 0);
        // One that says nothing of its key, where there are several.
        let nameless = trusting.assertion().header("kid", Value::Null);
        trusting.refuses(nameless, "invalid_grant").await;
        // What is wrong in itself costs no fetch either.
        let before = trusting.idp.requests(Endpoint::Jwks);
        let wrong = trusting.assertion().claim("aud", "https://other.test").kid("new");
        trusting.refuses(wrong, "invalid_grant").await;
        assert_eq!(trusting.idp.requests(Endpoint::Jwks), before);
        // A new key is found; and while the provider is down, nobody can tell.
        trusting.idp.rotate();
        assert!(trusting.give(&trusting.assertion().mint(), &[]).await.is_ok());
        trusting.idp.behave(Endpoint::Jwks, Behaviour::Status(500));
        trusting.idp.behave(Endpoint::AuthorizationServer, Behaviour::Status(500));
        trusting.idp.rotate();
        let error = trusting.give(&trusting.assertion().mint(), &[]).await.unwrap_err();
        assert_eq!(error.status(), 503);
    }
}
