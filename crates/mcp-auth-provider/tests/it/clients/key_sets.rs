//! Key sets at URLs that clients named.

use std::time::Duration;

use mcp_auth_provider::{ClientMetadataDocuments, GrantType, OAuthProvider, PreRegistered};
use mcp_auth_testkit::{Algorithm, Answer, Behaviour, Endpoint, TokenAuthority, TokenBuilder};
use mcp_outbound::OutboundClient;

use super::stand::{Ground, Stand, URL, expect_error, expect_in, expect_out};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

struct Scene {
    ground: Ground,
    stand: Stand,
    signer: TokenAuthority,
}

impl Scene {
    async fn start() -> Self {
        let ground = Ground::new();
        let signer = TokenAuthority::builder().clock(ground.clock.clone());
        let signer = signer.algorithms([Algorithm::Es256]).start().await.unwrap();
        let stand = ground.stand(|provider| loopback(provider).client(client(&signer.jwks_url()))).await;
        Self { ground, stand, signer }
    }

    fn good(&self) -> TokenBuilder {
        self.signer.token().issuer("pkj").subject("pkj").audience(URL).typ("JWT")
    }

    async fn show(&self, assertion: TokenBuilder) -> Answer {
        let assertion = assertion.mint();
        self.stand.try_in(&[("client_assertion_type", TYPE), ("client_assertion", &assertion)]).await
    }

    fn fetches(&self) -> usize {
        self.signer.requests(Endpoint::Jwks)
    }
}

fn loopback(provider: OAuthProvider) -> OAuthProvider {
    provider.dangerous().allow_loopback_client_metadata()
}

fn client(url: &str) -> PreRegistered {
    let client = PreRegistered::with_keys_at("pkj", url).redirect_uri("https://c.test/cb");
    client.grants([GrantType::AuthorizationCode])
}

#[tokio::test]
async fn keys_are_fetched_once_and_again_when_they_are_old() {
    let scene = Scene::start().await;
    assert_eq!(scene.fetches(), 0);
    for _ in 0..5 {
        expect_in(&scene.show(scene.good()).await);
    }
    assert_eq!(scene.fetches(), 1);
    scene.ground.clock.advance(Duration::from_secs(3600));
    expect_in(&scene.show(scene.good()).await);
    assert_eq!(scene.fetches(), 2);
    // What says wrong things of itself is not worth a fetch.
    scene.ground.clock.advance(Duration::from_secs(3600));
    expect_out(&scene.show(scene.good().claim("aud", "https://other.test")).await);
    assert_eq!(scene.fetches(), 2);
}

// covers: TK26
#[tokio::test]
async fn a_new_key_is_found_and_unknown_ones_are_looked_for_seldom() {
    let scene = Scene::start().await;
    expect_in(&scene.show(scene.good()).await);
    scene.signer.rotate();
    expect_in(&scene.show(scene.good()).await);
    assert_eq!(scene.fetches(), 2);
    expect_out(&scene.show(scene.good().kid("unknown")).await);
    assert_eq!(scene.fetches(), 3);
    for n in 0..20 {
        let answer = scene.show(scene.good().kid(&format!("unknown {n}"))).await;
        expect_error(&answer, 503, "temporarily_unavailable");
        assert_eq!(answer.header("retry-after"), Some("30"));
    }
    assert_eq!(scene.fetches(), 3);
    // Known keys are not held up by any of that.
    expect_in(&scene.show(scene.good()).await);
    scene.ground.clock.advance(Duration::from_secs(30));
    expect_out(&scene.show(scene.good().kid("unknown")).await);
    assert_eq!(scene.fetches(), 4);
}

#[tokio::test]
async fn old_keys_serve_while_their_host_is_down_and_not_for_ever() {
    let scene = Scene::start().await;
    expect_in(&scene.show(scene.good()).await);
    scene.signer.behave(Endpoint::Jwks, Behaviour::Status(503));
    scene.ground.clock.advance(Duration::from_secs(3600));
    expect_in(&scene.show(scene.good()).await);
    scene.ground.clock.advance(Duration::from_secs(4 * 3600));
    let answer = scene.show(scene.good()).await;
    expect_error(&answer, 503, "temporarily_unavailable");
    scene.signer.behave(Endpoint::Jwks, Behaviour::Normal);
    scene.ground.clock.advance(Duration::from_secs(30));
    expect_in(&scene.show(scene.good()).await);
}

// covers: TK26
#[tokio::test]
async fn places_that_hold_no_key_set_let_nobody_in() {
    for behaviour in [
        Behaviour::Redirect("http://169.254.169.254/latest/meta-data".to_owned()),
        Behaviour::Status(404),
        Behaviour::Body("<html>".to_owned()),
        Behaviour::Body("[]".to_owned()),
        Behaviour::Body("{}".to_owned()),
        Behaviour::Body(format!("{{\"keys\":[],\"x\":\"{}\"}}", "a".repeat(70_000))),
    ] {
        let scene = Scene::start().await;
        scene.signer.behave(Endpoint::Jwks, behaviour.clone());
        let answer = scene.show(scene.good()).await;
        assert_eq!(answer.status(), 401, "{behaviour:?}");
        expect_out(&answer);
        assert_eq!(scene.fetches(), 1, "{behaviour:?}");
    }
}

// covers: TK26
#[tokio::test]
async fn a_key_set_that_does_not_come_is_not_waited_for() {
    let scene = Scene::start().await;
    let client = |request: http::Request<bytes::Bytes>| async move {
        let limits = request.extensions().get::<mcp_outbound::Limits>().unwrap();
        assert!(limits.deadline().unwrap() <= Duration::from_secs(10));
        assert!(limits.max_body().unwrap() <= 64 * 1024);
        Err::<http::Response<bytes::Bytes>, _>(mcp_outbound::OutboundError::timeout())
    };
    let documents = ClientMetadataDocuments::off().http_client(client);
    let url = "https://keys.example.com/jwks";
    let stand = Ground { clock: scene.ground.clock.clone(), ..Ground::new() }
        .stand(|provider| provider.client_metadata_documents(documents).client(self::client(url)))
        .await;
    let assertion = scene.good().mint();
    let answer = stand.try_in(&[("client_assertion_type", TYPE), ("client_assertion", &assertion)]).await;
    expect_error(&answer, 503, "temporarily_unavailable");
}

// covers: TK26
#[tokio::test]
async fn a_key_set_on_an_inner_address_is_not_gone_to() {
    let scene = Scene::start().await;
    // A public name, with an inner address behind it.
    let resolver = super::documents_guard::Names::all("10.0.0.1");
    let http = OutboundClient::builder().resolver(resolver).build().unwrap();
    let documents = ClientMetadataDocuments::off().http_client(http);
    let url = "https://keys.example.com/jwks";
    let stand = Ground { clock: scene.ground.clock.clone(), ..Ground::new() }
        .stand(|provider| provider.client_metadata_documents(documents).client(client(url)))
        .await;
    let assertion = scene.good().mint();
    expect_out(&stand.try_in(&[("client_assertion_type", TYPE), ("client_assertion", &assertion)]).await);
}
