//! What strangers can do to others by naming clients that nobody heard of.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use mcp_auth_provider::ClientMetadataDocuments;
use mcp_auth_testkit::Answer;
use mcp_outbound::OutboundError;

use super::stand::{Stand, expect_error, expect_in};

const GOOD: &str = "https://good.example.com/client.json";
const USER: &str = "192.0.2.1";

struct Scene {
    stand: Stand,
    fetches: Arc<AtomicUsize>,
}

impl Scene {
    /// Every URL has a document, but for those that end in `none`.
    async fn start() -> Self {
        let fetches = Arc::new(AtomicUsize::new(0));
        let counter = fetches.clone();
        let client = move |request: http::Request<Bytes>| {
            counter.fetch_add(1, Ordering::SeqCst);
            let id = request.uri().to_string();
            let body = serde_json::json!({
                "client_id": id, "client_name": "C", "redirect_uris": ["https://c.test/cb"],
            });
            let status = if id.ends_with("none") { 404 } else { 200 };
            let answer = http::Response::builder().status(status).header("content-type", "application/json");
            let answer = answer.body(Bytes::from(body.to_string())).unwrap();
            async move { Ok::<_, OutboundError>(answer) }
        };
        let documents = ClientMetadataDocuments::open().http_client(client);
        let stand = Stand::start(|provider| provider.client_metadata_documents(documents)).await;
        Self { stand, fetches }
    }

    async fn come(&self, address: &str, id: &str) -> Answer {
        self.stand.try_from(address, &[("client_id", id)]).await
    }

    async fn authorize(&self, address: &str, id: &str) -> Answer {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("client_id", id), ("redirect_uri", "https://c.test/cb")])
            .finish();
        let request = self.stand.client.get(&format!("/authorize?{query}"));
        request.header("x-forwarded-for", address).send().await
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }
}

// covers: CI04
#[tokio::test]
async fn one_address_cannot_use_up_the_fetches_of_all() {
    let scene = Scene::start().await;
    // A /64 is one address, and a browser counts as a client does.
    for n in 0..200 {
        let id = format!("https://h{n}.example.net/{}", if n % 2 == 0 { "none" } else { "client" });
        let from = format!("2001:db8::{n:x}");
        match n % 3 {
            0 => scene.authorize(&from, &id).await,
            _ => scene.come(&from, &id).await,
        };
    }
    assert_eq!(scene.fetches(), 10);
    let refused = scene.come("2001:db8::1", GOOD).await;
    expect_error(&refused, 503, "temporarily_unavailable");
    expect_in(&scene.come(USER, GOOD).await);
    // What is known costs nobody anything.
    expect_in(&scene.come("2001:db8::1", GOOD).await);
    // It gets better with time.
    scene.stand.clock().advance(Duration::from_secs(5));
    expect_in(&scene.come("2001:db8::1", "https://new.example.net/client").await);
    expect_error(
        &scene.come("2001:db8::1", "https://newer.example.net/client").await,
        503,
        "temporarily_unavailable",
    );
}

#[tokio::test]
async fn one_address_cannot_use_up_the_fetches_from_one_host() {
    let scene = Scene::start().await;
    for n in 0..200 {
        scene.come("192.0.2.66", &format!("https://good.example.com/{n}/none")).await;
    }
    assert_eq!(scene.fetches(), 5);
    expect_in(&scene.come(USER, GOOD).await);
}

#[tokio::test]
async fn many_addresses_cannot_deny_what_was_good_before() {
    let scene = Scene::start().await;
    expect_in(&scene.come(USER, GOOD).await);
    // Longer than the last document would serve.
    scene.stand.clock().advance(Duration::from_secs(2 * 3600));
    for n in 0..100 {
        let from = format!("198.51.100.{n}");
        scene.come(&from, &format!("https://h{n}.example.net/client")).await;
        scene.come(&from, &format!("https://good.example.com/{n}/none")).await;
    }
    let refused = scene.come(USER, "https://other.example.com/client").await;
    expect_error(&refused, 503, "temporarily_unavailable");
    expect_in(&scene.come(USER, GOOD).await);
}

#[tokio::test]
async fn who_shares_an_address_with_a_nuisance_goes_on_with_what_was_good() {
    let scene = Scene::start().await;
    expect_in(&scene.come(USER, GOOD).await);
    scene.stand.clock().advance(Duration::from_secs(2 * 3600));
    for n in 0..20 {
        scene.come(USER, &format!("https://h{n}.example.net/none")).await;
    }
    let before = scene.fetches();
    expect_in(&scene.come(USER, GOOD).await);
    assert_eq!(scene.fetches(), before + 1);
}

#[tokio::test]
async fn who_asked_too_often_is_told_of_the_last_document() {
    let scene = Scene::start().await;
    let id = |n: usize| format!("https://h{n}.example.net/client");
    for n in 0..15 {
        expect_in(&scene.come(&format!("198.51.100.{n}"), &id(n)).await);
    }
    scene.stand.clock().advance(Duration::from_secs(300));
    for n in 0..15 {
        expect_in(&scene.come(USER, &id(n)).await);
    }
    assert_eq!(scene.fetches(), 15 + 10);
}
