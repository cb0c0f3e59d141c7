//! Clients known by the URL of their metadata.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderValue, Response, StatusCode};
use mcp_auth_provider::{ClientMetadataDocuments, OAuthProvider};
use mcp_auth_testkit::{Algorithm, Answer, Server, TokenAuthority};
use mcp_core::{Body, BoxService};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::stand::{Ground, START, Stand, URL, expect_error, expect_in, expect_out, with};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A place on the web with one document, at every path.
struct Place {
    server: Server,
    shared: Arc<Shared>,
}

/// A status, headers and a body.
type Said = (StatusCode, Vec<(&'static str, String)>, String);

struct Shared {
    answer: Mutex<Said>,
    fetches: AtomicUsize,
    /// How many fetches may be answered.
    gate: Semaphore,
}

impl Place {
    async fn new() -> Self {
        let shared = Arc::new(Shared {
            answer: Mutex::new((StatusCode::OK, json_type(), String::new())),
            fetches: AtomicUsize::new(0),
            gate: Semaphore::new(1000),
        });
        let serving = shared.clone();
        let server = Server::start(BoxService::from_fn(move |_| {
            let shared = serving.clone();
            async move {
                shared.fetches.fetch_add(1, Ordering::SeqCst);
                shared.gate.acquire().await.unwrap().forget();
                let (status, headers, body) = shared.answer.lock().unwrap().clone();
                let mut response = Response::new(Body::from(body));
                *response.status_mut() = status;
                for (name, value) in headers {
                    response.headers_mut().append(name, HeaderValue::from_str(&value).unwrap());
                }
                response
            }
        }))
        .await
        .unwrap();
        let place = Self { server, shared };
        place.says(&place.document());
        place
    }

    fn url(&self) -> String {
        format!("{}/client.json", self.server.url())
    }

    /// A good document.
    fn document(&self) -> Value {
        json!({
            "client_id": self.url(), "client_name": "Notes", "redirect_uris": ["https://c.test/cb"],
            "grant_types": ["authorization_code", "refresh_token"], "token_endpoint_auth_method": "none",
        })
    }

    fn says(&self, document: &Value) {
        self.answers(200, &[], &document.to_string());
    }

    fn answers(&self, status: u16, headers: &[(&'static str, &str)], body: &str) {
        let mut all = json_type();
        all.retain(|(name, _)| !headers.iter().any(|(other, _)| name == other));
        all.extend(headers.iter().map(|(name, value)| (*name, (*value).to_owned())));
        *self.shared.answer.lock().unwrap() = (StatusCode::from_u16(status).unwrap(), all, body.to_owned());
    }

    fn fetches(&self) -> usize {
        self.shared.fetches.load(Ordering::SeqCst)
    }
}

fn json_type() -> Vec<(&'static str, String)> {
    vec![("content-type", "application/json".to_owned())]
}

fn loopback(provider: OAuthProvider) -> OAuthProvider {
    provider.dangerous().allow_loopback_client_metadata()
}

async fn come(stand: &Stand, id: &str) -> Answer {
    stand.try_in(&[("client_id", id)]).await
}

/// A fresh server's word on a document: whether its client is let in, and why not.
async fn verdict(place: &Place) -> Result<(), String> {
    let stand = Stand::start(loopback).await;
    let answer = come(&stand, &place.url()).await;
    if answer.status() == 400 {
        expect_in(&answer);
        return Ok(());
    }
    expect_out(&answer);
    Err(stand.events.reasons("client_authentication").remove(0))
}

async fn authorize(stand: &Stand, id: &str, redirect_uri: &str) -> Answer {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("client_id", id),
            ("redirect_uri", redirect_uri),
            ("response_type", "code"),
            ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
            ("code_challenge_method", "S256"),
            ("state", "s1"),
        ])
        .finish();
    stand.client.get(&format!("/authorize?{query}")).send().await
}

// covers: AUTH-76, AUTH-78, AUTH-79, AUTH-52
#[tokio::test]
async fn a_document_makes_a_client() {
    let place = Place::new().await;
    assert_eq!(verdict(&place).await, Ok(()));
    place.answers(
        200,
        &[("content-type", "application/client+json; charset=utf-8")],
        &place.document().to_string(),
    );
    assert_eq!(verdict(&place).await, Ok(()));
    let stand = Stand::start(loopback).await;
    let metadata = stand.client.get("/.well-known/oauth-authorization-server").send().await.json();
    assert_eq!(metadata["client_id_metadata_document_supported"], true);
    let off = |provider: OAuthProvider| {
        loopback(provider).client_metadata_documents(ClientMetadataDocuments::off())
    };
    let stand = Stand::start(off).await;
    let metadata = stand.client.get("/.well-known/oauth-authorization-server").send().await.json();
    assert_ne!(metadata.get("client_id_metadata_document_supported"), Some(&json!(true)));
}

// covers: AUTH-79, AUTH-81, CI02, CI10, CI19
#[tokio::test]
async fn a_document_that_says_odd_things_makes_none() {
    let place = Place::new().await;
    let url = place.url();
    let good = place.document();
    let mut cases: Vec<Value> = [
        json!(url.to_uppercase()),
        json!(format!("{url}/")),
        json!(url.replace("127.0.0.1", "localhost")),
        json!(url.replace("http:", "https:")),
        json!([url]),
        json!(null),
    ]
    .into_iter()
    .map(|id| with(good.clone(), "client_id", id))
    .collect();
    for name in ["client_id", "client_name", "redirect_uris"] {
        let mut lacking = good.clone();
        lacking.as_object_mut().unwrap().remove(name);
        cases.push(lacking);
    }
    for (name, value) in [
        ("client_name", json!("")),
        ("client_name", json!(" \u{200b}\u{202e}")),
        ("redirect_uris", json!([])),
        ("redirect_uris", json!(["http://c.test/cb"])),
        ("redirect_uris", json!(["https://mcp.test/consent"])),
        ("client_secret", json!("s")),
        ("client_secret", json!(null)),
        ("client_secret_expires_at", json!(0)),
        ("token_endpoint_auth_method", json!("client_secret_basic")),
        ("token_endpoint_auth_method", json!("client_secret_post")),
        ("token_endpoint_auth_method", json!("client_secret_jwt")),
        ("token_endpoint_auth_method", json!("tls_client_auth")),
        ("token_endpoint_auth_method", json!("private_key_jwt")),
        ("backchannel_logout_uri", json!("https://c.test/out")),
        ("registration_access_token", json!("x")),
        ("skip_consent", json!(true)),
        ("logo_uri", json!("javascript:alert(1)")),
        ("jwks_uri", json!("https://keys.other.test/jwks")),
        ("jwks", json!({ "keys": [{ "kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr0" }] })),
    ] {
        let mut odd = with(good.clone(), name, value);
        if name == "jwks_uri" {
            odd["token_endpoint_auth_method"] = json!("private_key_jwt");
        }
        cases.push(odd);
    }
    for odd in cases {
        place.says(&odd);
        assert!(verdict(&place).await.is_err(), "{odd}");
    }
}

// covers: CI03, CI04, AUTH-82
#[tokio::test]
async fn an_answer_that_is_no_document_makes_none() {
    let place = Place::new().await;
    let good = place.document().to_string();
    for body in
        ["", "null", "[]", "\"x\"", "<html></html>", "{", &good.replacen('{', "{\"client_id\":\"x\",", 1)]
    {
        place.answers(200, &[], body);
        assert!(verdict(&place).await.is_err(), "{body}");
    }
    place.answers(200, &[], &format!("[{good}]"));
    assert!(verdict(&place).await.is_err());
    for kind in ["text/html", "text/plain", "application/x-json", ""] {
        place.answers(200, &[("content-type", kind)], &good);
        assert!(verdict(&place).await.is_err(), "{kind}");
    }
    let elsewhere = format!("{}/other.json", place.server.url());
    for status in [201, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 404, 410] {
        place.answers(status, &[("location", &elsewhere)], &good);
        let before = place.fetches();
        assert!(verdict(&place).await.is_err(), "{status}");
        assert_eq!(place.fetches(), before + 1, "{status}: a redirect is not followed");
    }
}

// covers: CI05, AUTH-84
#[tokio::test]
async fn a_document_has_five_kibibytes() {
    let place = Place::new().await;
    let good = place.document().to_string();
    place.answers(200, &[], &format!("{good}{}", " ".repeat(5120 - good.len())));
    assert_eq!(verdict(&place).await, Ok(()));
    place.answers(200, &[], &format!("{good}{}", " ".repeat(5121 - good.len())));
    assert_eq!(verdict(&place).await, Err("what is at the URL is too large".to_owned()));
}

// covers: CI05
#[tokio::test]
async fn a_document_that_does_not_come_is_waited_for_ten_seconds() {
    let client = |request: http::Request<bytes::Bytes>| async move {
        let limits = request.extensions().get::<mcp_outbound::Limits>().unwrap();
        assert_eq!(limits.deadline(), Some(Duration::from_secs(10)));
        assert_eq!(limits.max_body(), Some(5 * 1024));
        Err::<Response<bytes::Bytes>, _>(mcp_outbound::OutboundError::timeout())
    };
    let documents = ClientMetadataDocuments::open().http_client(client);
    let stand = Stand::start(|provider| provider.client_metadata_documents(documents)).await;
    expect_error(&come(&stand, "https://c.test/x").await, 503, "temporarily_unavailable");
}

// covers: CI13, AUTH-85
#[tokio::test]
async fn a_document_is_kept_as_long_as_it_says_within_bounds() {
    let seconds = Duration::from_secs;
    for (said, least, most) in [
        (None, 299, 300),
        (Some("max-age=0"), 29, 30),
        (Some("no-store"), 29, 30),
        (Some("max-age=600"), 599, 600),
        (Some("max-age=1000000000"), 86_399, 86_400),
    ] {
        let (place, stand) = (Place::new().await, Stand::start(loopback).await);
        let headers: Vec<_> = said.map(|said| ("cache-control", said)).into_iter().collect();
        place.answers(200, &headers, &place.document().to_string());
        expect_in(&come(&stand, &place.url()).await);
        stand.clock().advance(seconds(least));
        expect_in(&come(&stand, &place.url()).await);
        assert_eq!(place.fetches(), 1, "{said:?}");
        stand.clock().advance(seconds(most - least));
        expect_in(&come(&stand, &place.url()).await);
        assert_eq!(place.fetches(), 2, "{said:?}");
    }
}

// covers: CI09, CI13, AUTH-80, AUTH-68
#[tokio::test]
async fn redirect_uris_are_those_of_the_document_and_no_longer() {
    let (place, stand) = (Place::new().await, Stand::start(loopback).await);
    place.says(&with(
        place.document(),
        "redirect_uris",
        json!(["https://c.test/old", "http://127.0.0.1/cb"]),
    ));
    let id = place.url();
    // A sign-in that is not there answers: the request was in order.
    for good in ["https://c.test/old", "http://127.0.0.1:4711/cb"] {
        assert_eq!(authorize(&stand, &id, good).await.status(), 503, "{good}");
    }
    for bad in
        ["https://c.test/new", "https://evil.test/cb", "https://c.test/old/", "http://127.0.0.1:1/other"]
    {
        let page = authorize(&stand, &id, bad).await.expect_status(400);
        assert_eq!(page.header("location"), None, "{bad}");
    }
    place.says(&with(place.document(), "redirect_uris", json!(["https://c.test/new"])));
    assert_eq!(authorize(&stand, &id, "https://c.test/old").await.status(), 503);
    stand.clock().advance(Duration::from_secs(300));
    authorize(&stand, &id, "https://c.test/old").await.expect_status(400);
    assert_eq!(authorize(&stand, &id, "https://c.test/new").await.status(), 503);
}

// covers: CI04, AUTH-85
#[tokio::test]
async fn errors_are_not_kept_and_not_asked_for_without_end() {
    let (place, stand) = (Place::new().await, Stand::start(loopback).await);
    place.answers(404, &[], "");
    expect_out(&come(&stand, &place.url()).await);
    place.says(&place.document());
    expect_in(&come(&stand, &place.url()).await);

    let (place, stand) = (Place::new().await, Stand::start(loopback).await);
    place.answers(404, &[], "");
    let from = async |n: usize, id: &str| stand.try_from(&format!("192.0.2.{n}"), &[("client_id", id)]).await;
    for n in 0..10 {
        expect_out(&from(n, &place.url()).await);
    }
    for n in 0..30 {
        // By any path of that host.
        let id = format!("{}/{n}", place.server.url());
        expect_error(&from(n, &id).await, 503, "temporarily_unavailable");
    }
    assert_eq!(place.fetches(), 10);
    stand.clock().advance(Duration::from_secs(5));
    place.says(&place.document());
    expect_in(&come(&stand, &place.url()).await);
}

#[tokio::test]
async fn the_last_document_serves_while_its_host_is_down_and_not_for_ever() {
    let (place, stand) = (Place::new().await, Stand::start(loopback).await);
    expect_in(&come(&stand, &place.url()).await);
    place.answers(503, &[], "");
    stand.clock().advance(Duration::from_secs(300));
    expect_in(&come(&stand, &place.url()).await);
    stand.clock().advance(Duration::from_secs(3599));
    expect_in(&come(&stand, &place.url()).await);
    stand.clock().advance(Duration::from_secs(1));
    expect_error(&come(&stand, &place.url()).await, 503, "temporarily_unavailable");

    // One that answers has withdrawn it, at once and for good.
    place.says(&place.document());
    stand.clock().advance(Duration::from_secs(60));
    expect_in(&come(&stand, &place.url()).await);
    place.answers(410, &[], "");
    stand.clock().advance(Duration::from_secs(300));
    expect_out(&come(&stand, &place.url()).await);
    place.answers(503, &[], "");
    expect_error(&come(&stand, &place.url()).await, 503, "temporarily_unavailable");
}

#[tokio::test]
async fn a_clock_that_is_set_back_keeps_nothing_for_longer() {
    let (place, stand) = (Place::new().await, Stand::start(loopback).await);
    expect_in(&come(&stand, &place.url()).await);
    stand.clock().set(START - Duration::from_secs(86_400));
    // The counts of fetches go by the clock too, and are sure again after a minute each.
    for _ in 0..2 {
        expect_in(&come(&stand, &place.url()).await);
        stand.clock().advance(Duration::from_secs(60));
    }
    expect_in(&come(&stand, &place.url()).await);
    assert_eq!(place.fetches(), 2);
}

#[tokio::test]
async fn many_at_once_are_one_fetch() {
    let (place, stand) = (Place::new().await, Arc::new(Stand::start(loopback).await));
    place.shared.gate.forget_permits(1000);
    let id = place.url();
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let (stand, id) = (stand.clone(), id.clone());
            tokio::spawn(async move { come(&stand, &id).await.status() })
        })
        .collect();
    while place.fetches() == 0 {
        tokio::task::yield_now().await;
    }
    // The one that began it may be gone by now.
    tasks[0].abort();
    place.shared.gate.add_permits(1000);
    for task in tasks.into_iter().skip(1) {
        assert_eq!(task.await.unwrap(), 400);
    }
    assert_eq!(place.fetches(), 1);
}

// covers: CI11
#[tokio::test]
async fn grants_that_are_not_there_are_no_offence() {
    let place = Place::new().await;
    let grants = json!([
        "authorization_code",
        "refresh_token",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "urn:ietf:params:oauth:grant-type:device_code",
        "client_credentials"
    ]);
    place.says(&with(place.document(), "grant_types", grants));
    assert_eq!(verdict(&place).await, Ok(()));
    place.says(&with(place.document(), "grant_types", json!(["client_credentials"])));
    assert!(verdict(&place).await.is_err());
}

// covers: CI12, AUTH-74
#[tokio::test]
async fn a_client_of_either_kind_comes_as_it_likes_but_a_bad_proof_is_none() {
    let ground = Ground::new();
    let signer = TokenAuthority::builder().clock(ground.clock.clone());
    let signer = signer.algorithms([Algorithm::Es256]).start().await.unwrap();
    let (place, stand) = (Place::new().await, ground.stand(loopback).await);
    let mut document = with(place.document(), "token_endpoint_auth_method", "private_key_jwt");
    document["jwks"] = signer.jwks();
    document["token_endpoint_auth_methods_supported"] = json!(["none", "private_key_jwt"]);
    place.says(&document);
    let id = place.url();
    let sign = || signer.token().issuer(&id).subject(&id).audience(URL).typ("JWT");
    let with_proof = async |assertion: &str, named: bool| {
        let mut form = vec![("client_assertion_type", TYPE), ("client_assertion", assertion)];
        if named {
            form.push(("client_id", &id));
        }
        stand.try_in(&form).await
    };
    expect_in(&come(&stand, &id).await);
    expect_in(&with_proof(&sign().mint(), false).await);
    expect_in(&with_proof(&sign().mint(), true).await);
    for bad in [
        sign().tampered().mint(),
        sign().by_stranger().mint(),
        sign().claim("aud", "https://other.test").mint(),
        sign().unsigned().mint(),
        "x".to_owned(),
    ] {
        expect_out(&with_proof(&bad, true).await);
    }
    expect_out(&stand.try_in(&[("client_id", &id), ("client_secret", "x")]).await);

    // Who says private_key_jwt and nothing else has to prove itself (AUTH-81).
    let (place, stand) = (Place::new().await, ground.stand(loopback).await);
    let mut document = with(place.document(), "token_endpoint_auth_method", "private_key_jwt");
    document["jwks"] = signer.jwks();
    place.says(&document);
    expect_out(&come(&stand, &place.url()).await);
}
