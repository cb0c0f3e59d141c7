//! Signed assertions as proof (`private_key_jwt`).

use std::sync::Arc;
use std::time::Duration;

use mcp_auth_provider::{GrantType, OAuthProvider, PreRegistered, Registration};
use mcp_auth_testkit::{Algorithm, Answer, TokenAuthority, TokenBuilder};
use mcp_store::testkit::{Call, Fault};
use serde_json::json;

use super::stand::{Ground, Stand, URL, basic, expect_error, expect_in, expect_out, public, with};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Signs for a client, on the clock of the server.
async fn signer(ground: &Ground) -> TokenAuthority {
    let builder = TokenAuthority::builder().clock(ground.clock.clone());
    builder.algorithms([Algorithm::Es256, Algorithm::EdDsa]).start().await.unwrap()
}

fn client(id: &str, signer: &TokenAuthority) -> PreRegistered {
    let client = PreRegistered::with_keys(id, signer.jwks()).redirect_uri("https://c.test/cb");
    client.grants([GrantType::AuthorizationCode])
}

/// A good assertion.
fn good(signer: &TokenAuthority, id: &str) -> TokenBuilder {
    signer.token().issuer(id).subject(id).audience(URL).typ("JWT").expires_in(Duration::from_secs(60))
}

async fn show(stand: &Stand, assertion: &str) -> Answer {
    stand.try_in(&[("client_assertion_type", TYPE), ("client_assertion", assertion)]).await
}

struct Scene {
    ground: Ground,
    stand: Stand,
    signer: TokenAuthority,
}

impl Scene {
    async fn start() -> Self {
        Self::with(|provider| provider).await
    }

    async fn with(change: impl FnOnce(OAuthProvider) -> OAuthProvider) -> Self {
        let ground = Ground::new();
        let signer = signer(&ground).await;
        let stand = ground.stand(|provider| change(provider.client(client("pkj", &signer)))).await;
        Self { ground, stand, signer }
    }

    fn good(&self) -> TokenBuilder {
        good(&self.signer, "pkj")
    }

    async fn expect_in(&self, assertion: TokenBuilder) {
        expect_in(&show(&self.stand, &assertion.mint()).await);
    }

    async fn expect_out(&self, what: &str, assertion: TokenBuilder) {
        let answer = show(&self.stand, &assertion.mint()).await;
        assert_eq!(answer.status(), 401, "{what}");
        expect_out(&answer);
    }
}

// covers: AUTH-74, EXT-CC-06
#[tokio::test]
async fn an_assertion_lets_its_client_in() {
    let all = [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa];
    let ground = Ground::new();
    let signer = TokenAuthority::builder().clock(ground.clock.clone()).algorithms(all).start().await.unwrap();
    let stand = ground.stand(|provider| provider.client(client("pkj", &signer))).await;
    let scene = Scene { ground, stand, signer };
    for algorithm in all {
        scene.expect_in(scene.good().algorithm(algorithm)).await;
    }
    scene.expect_in(scene.good().typ("client-authentication+jwt")).await;
    let named = scene.good().mint();
    let form = [("client_id", "pkj"), ("client_assertion_type", TYPE), ("client_assertion", &named)];
    expect_in(&scene.stand.try_in(&form).await);
    // Without it, and by other means, it is nobody.
    expect_out(&scene.stand.try_in(&[("client_id", "pkj")]).await);
    expect_out(&scene.stand.try_in(&[("client_id", "pkj"), ("client_secret", "x")]).await);
    expect_out(&scene.stand.try_with(Some(&basic("pkj", "x")), &[]).await);
    assert!(!scene.stand.events.text().contains(&named));
}

// covers: TK16, TK22, TK23
#[tokio::test]
async fn headers_that_are_odd_let_nobody_in() {
    let scene = Scene::start().await;
    scene.expect_out("none", scene.good().unsigned()).await;
    scene.expect_out("the public key as secret", scene.good().public_key_as_secret()).await;
    scene.expect_out("tampered", scene.good().tampered()).await;
    scene.expect_out("a stranger", scene.good().by_stranger()).await;
    scene.expect_out("crit", scene.good().header("crit", json!(["bork"]))).await;
    scene.expect_out("b64", scene.good().header("b64", false)).await;
    scene.expect_out("zip", scene.good().header("zip", "DEF")).await;
    scene.expect_out("jku", scene.good().header("jku", "https://evil.test/jwks")).await;
    scene.expect_out("x5u", scene.good().header("x5u", "https://evil.test/x5u")).await;
    scene.expect_out("jwk", scene.good().header("jwk", json!({ "kty": "oct", "k": "AA" }))).await;
    scene.expect_out("another key", scene.good().kid("none")).await;
    scene.expect_out("kid", scene.good().header("kid", 7)).await;
    for kind in ["oauth-id-jag+jwt", "at+jwt", "dpop+jwt", "logout+jwt", "secevent+jwt"] {
        scene.expect_out(kind, scene.good().typ(kind)).await;
    }
    let id_token = scene.signer.token().audience("pkj").id_token();
    scene.expect_out("an ID token", id_token).await;
    for text in ["x", "a.b.c", "e30.e30.AA", "..", &"a".repeat(16_000)] {
        expect_out(&show(&scene.stand, text).await);
    }
    // An Ed25519 key is not one of another algorithm, whoever says so.
    let other = scene.signer.kid(Algorithm::EdDsa);
    scene.expect_out("EdDSA as ES256", scene.good().algorithm(Algorithm::Es256).kid(&other)).await;
    scene.expect_in(scene.good()).await;
}

// covers: TK17, TK18
#[tokio::test]
async fn claims_that_are_odd_let_nobody_in() {
    let scene = Scene::start().await;
    let now = 1_800_000_000;
    for name in ["sub", "iss", "exp", "jti", "aud"] {
        scene.expect_out(name, scene.good().without(name)).await;
    }
    scene.expect_out("another subject", scene.good().subject("other")).await;
    scene.expect_out("another issuer", scene.good().issuer("other")).await;
    scene.expect_out("nobody", scene.good().subject("").issuer("")).await;
    scene.expect_out("5 min ago", scene.good().claim("exp", now - 300)).await;
    scene.expect_out("over an hour", scene.good().claim("exp", now + 3631)).await;
    scene.expect_out("exp as text", scene.good().claim("exp", (now + 60).to_string())).await;
    scene.expect_out("exp with a fraction", scene.good().claim("exp", 1_800_000_060.5)).await;
    scene.expect_out("exp below zero", scene.good().claim("exp", -1)).await;
    scene.expect_out("nbf", scene.good().claim("nbf", now + 31)).await;
    scene.expect_out("iat", scene.good().claim("iat", now + 31)).await;
    scene.expect_out("jti as number", scene.good().claim("jti", 1)).await;
    scene.expect_out("jti empty", scene.good().claim("jti", "")).await;
    scene.expect_out("jti long", scene.good().claim("jti", "a".repeat(257))).await;
    for audience in [
        json!("https://other.test"),
        json!([URL, "https://evil.test"]),
        json!([URL]),
        json!("https://mcp.test/"),
        json!("https://mcp.test/token"),
        json!("https://mcp.test/par"),
        json!("HTTPS://MCP.TEST"),
        json!(null),
    ] {
        scene.expect_out(&audience.to_string(), scene.good().claim("aud", audience.clone())).await;
    }
    // Within what clocks may differ by.
    scene.expect_in(scene.good().claim("exp", now - 29)).await;
    scene.expect_in(scene.good().claim("iat", now + 30).claim("nbf", now + 30)).await;
    scene.expect_in(scene.good().claim("exp", now + 3600)).await;
    scene.expect_in(scene.good().without("iat")).await;
}

#[tokio::test]
async fn the_token_endpoint_is_an_audience_only_where_the_operator_wants_it() {
    let scene = Scene::with(OAuthProvider::assertions_for_token_endpoint).await;
    scene.expect_in(scene.good().claim("aud", "https://mcp.test/token")).await;
    scene.expect_in(scene.good()).await;
    scene.expect_out("a list", scene.good().claim("aud", json!(["https://mcp.test/token"]))).await;
    scene.expect_out("another", scene.good().claim("aud", "https://mcp.test/par")).await;
}

// covers: TK21
#[tokio::test]
async fn a_client_speaks_for_itself_alone() {
    let ground = Ground::new();
    let (one, two) = (signer(&ground).await, signer(&ground).await);
    let stand = ground.stand(|provider| provider.client(client("a", &one)).client(client("b", &two))).await;
    expect_in(&show(&stand, &good(&one, "a").mint()).await);
    let kid = two.kid(Algorithm::Es256);
    for assertion in [good(&one, "b").mint(), good(&one, "b").kid(&kid).mint(), good(&one, "nobody").mint()] {
        expect_out(&show(&stand, &assertion).await);
    }
    let assertion = good(&one, "a").mint();
    let form = [("client_id", "b"), ("client_assertion_type", TYPE), ("client_assertion", &assertion)];
    expect_out(&stand.try_in(&form).await);
    // That burned nothing: the assertion is still good.
    expect_in(&show(&stand, &assertion).await);
}

// covers: TK16
#[tokio::test]
async fn a_registered_algorithm_is_the_only_one() {
    let ground = Ground::new();
    let signer = signer(&ground).await;
    let client = client("pkj", &signer).member("token_endpoint_auth_signing_alg", "ES256");
    let stand = ground.stand(|provider| provider.client(client)).await;
    expect_in(&show(&stand, &good(&signer, "pkj").mint()).await);
    expect_out(&show(&stand, &good(&signer, "pkj").algorithm(Algorithm::EdDsa).mint()).await);
}

#[tokio::test]
async fn an_assertion_is_good_once_on_all_nodes() {
    let ground = Ground::new();
    let signer = signer(&ground).await;
    let make = |provider: OAuthProvider| provider.client(client("a", &signer)).client(client("b", &signer));
    let nodes = [Arc::new(ground.stand(make).await), Arc::new(ground.stand(make).await)];
    let assertion = good(&signer, "a").claim("jti", "once").mint();
    let tasks: Vec<_> = (0..8)
        .map(|n| {
            let (node, assertion) = (nodes[n % 2].clone(), assertion.clone());
            tokio::spawn(async move { show(&node, &assertion).await.status() })
        })
        .collect();
    let mut statuses = Vec::new();
    for task in tasks {
        statuses.push(task.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [400, 401, 401, 401, 401, 401, 401, 401]);
    // To the last moment at which it could pass.
    for _ in 0..2 {
        ground.clock.advance(Duration::from_secs(44));
        expect_out(&show(&nodes[0], &assertion).await);
    }
    // The same name of another client's, or in its next life, is another.
    expect_in(&show(&nodes[1], &good(&signer, "b").claim("jti", "once").mint()).await);
    ground.clock.advance(Duration::from_secs(60));
    expect_in(&show(&nodes[1], &good(&signer, "a").claim("jti", "once").mint()).await);
}

#[tokio::test]
async fn keys_can_be_registered_by_the_client_itself() {
    let ground = Ground::new();
    let signer = signer(&ground).await;
    let stand = ground.stand(|provider| provider.registration(Registration::open())).await;
    let metadata = with(public(), "token_endpoint_auth_method", "private_key_jwt");
    let client = stand.registered(&with(metadata, "jwks", signer.jwks())).await;
    assert_eq!(client["jwks"], signer.jwks());
    assert_eq!((client.get("client_secret"), client.get("client_secret_expires_at")), (None, None));
    let id = client["client_id"].as_str().unwrap();
    expect_in(&show(&stand, &good(&signer, id).mint()).await);
    expect_out(&stand.try_in(&[("client_id", id)]).await);
}

#[tokio::test]
async fn a_store_that_fails_lets_no_assertion_pass() {
    let scene = Scene::start().await;
    scene.ground.store.fail_next(Call::Commit, Fault::Unavailable);
    let assertion = scene.good().mint();
    expect_error(&show(&scene.stand, &assertion).await, 503, "temporarily_unavailable");
    expect_in(&show(&scene.stand, &assertion).await);
    // With the answer lost it may have been used, and so it was.
    scene.ground.store.fail_next(Call::Commit, Fault::LostAnswer);
    let assertion = scene.good().mint();
    expect_error(&show(&scene.stand, &assertion).await, 503, "temporarily_unavailable");
    expect_out(&show(&scene.stand, &assertion).await);
}

// covers: TK16
#[tokio::test]
async fn who_registered_itself_does_not_fill_the_store_with_assertions() {
    let ground = Ground::new();
    let signer = signer(&ground).await;
    let make =
        |provider: OAuthProvider| provider.registration(Registration::open()).client(client("pkj", &signer));
    let stand = ground.stand(make).await;
    let metadata = with(public(), "token_endpoint_auth_method", "private_key_jwt");
    let metadata = with(metadata, "jwks", signer.jwks());
    let (one, two) = (stand.registered(&metadata).await, stand.registered(&metadata).await);
    let id = one["client_id"].as_str().unwrap();
    for _ in 0..100 {
        expect_in(&show(&stand, &good(&signer, id).mint()).await);
    }
    let before = ground.store.calls(Call::Commit);
    let assertion = good(&signer, id).mint();
    let refused = show(&stand, &assertion).await;
    expect_error(&refused, 429, "temporarily_unavailable");
    assert!(refused.header("retry-after").is_some());
    assert_eq!(ground.store.calls(Call::Commit), before);
    // Others are not held up: elsewhere, another client, and one that the operator named, as often as it likes.
    let form = [("client_assertion_type", TYPE), ("client_assertion", &*assertion)];
    expect_in(&stand.try_from("192.0.2.200", &form).await);
    let other = two["client_id"].as_str().unwrap();
    for _ in 0..100 {
        expect_in(&show(&stand, &good(&signer, other).mint()).await);
    }
    for _ in 0..110 {
        expect_in(&show(&stand, &good(&signer, "pkj").mint()).await);
    }
    // Clients of any number share what their address has.
    let third = stand.registered(&metadata).await;
    let third = good(&signer, third["client_id"].as_str().unwrap()).mint();
    expect_error(&show(&stand, &third).await, 429, "temporarily_unavailable");
    ground.clock.advance(Duration::from_secs(1));
    expect_in(&show(&stand, &third).await);
}
