//! Where documents are fetched from, and where not.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mcp_auth_provider::ClientMetadataDocuments;
use mcp_outbound::{OutboundClient, Resolve};

use super::stand::{Stand, expect_in, expect_out};

/// Says the same address for every name, and counts how often it was asked.
#[derive(Clone)]
pub(crate) struct Names {
    address: IpAddr,
    asked: Arc<AtomicUsize>,
}

impl Names {
    pub(crate) fn all(address: &str) -> Self {
        Self { address: address.parse().unwrap(), asked: Arc::default() }
    }
}

#[mcp_auth_provider::async_trait]
impl Resolve for Names {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        Ok(vec![self.address])
    }
}

// covers: CI06, AUTH-83, PX-14, SEC-03
#[tokio::test]
async fn names_with_inner_addresses_are_not_gone_to() {
    for address in [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "198.18.0.1",
        "::1",
        "fc00::1",
        "fe80::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "2001::1",
        "fe80::5efe:a00:1",
    ] {
        let names = Names::all(address);
        let http = OutboundClient::builder().resolver(names.clone()).build().unwrap();
        let documents = ClientMetadataDocuments::open().http_client(http);
        let stand = Stand::start(|provider| provider.client_metadata_documents(documents)).await;
        expect_out(&stand.try_in(&[("client_id", "https://c.example.com/client.json")]).await);
        assert_eq!(names.asked.load(Ordering::SeqCst), 1, "{address}");
        let reasons = stand.events.reasons("client_authentication");
        assert_eq!(reasons, ["the URL is none that this server fetches from"], "{address}");
    }
}

// covers: CI01
#[tokio::test]
async fn nothing_is_fetched_for_what_is_no_identifier() {
    let fetches = Arc::new(AtomicUsize::new(0));
    let counter = fetches.clone();
    let client = move |request: http::Request<bytes::Bytes>| {
        counter.fetch_add(1, Ordering::SeqCst);
        let id = request.uri().to_string();
        let body = serde_json::json!({
            "client_id": id, "client_name": "C", "redirect_uris": ["https://c.test/cb"],
        });
        let answer = http::Response::builder().header("content-type", "application/json");
        let answer = answer.body(bytes::Bytes::from(body.to_string())).unwrap();
        async move { Ok::<_, mcp_outbound::OutboundError>(answer) }
    };
    let documents = ClientMetadataDocuments::open().http_client(client);
    let stand = Stand::start(|provider| provider.client_metadata_documents(documents)).await;
    for bad in [
        "http://c.test/x.json",
        "https://c.test",
        "https://c.test/",
        "https://c.test/x#f",
        "https://user:pw@c.test/x",
        "https://c.test/a/../b",
        "https://c.test/a/%2e%2e/b",
        "https://c.test/a b",
        "https://c.test/a\\b",
        "https://c.test/a\u{1}",
        "https://C.test/x",
        "https://c.test:443/x",
        "https://localhost/x",
        "https://127.0.0.1/x",
        "https://intranet/x",
    ] {
        expect_out(&stand.try_in(&[("client_id", bad)]).await);
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("client_id", bad),
                ("redirect_uri", "https://c.test/cb"),
                ("response_type", "code"),
            ])
            .finish();
        let page = stand.client.get(&format!("/authorize?{query}")).send().await.expect_status(400);
        assert_eq!(page.header("location"), None, "{bad}");
    }
    // Nor for a secret, which such a client cannot have.
    let secret = [("client_id", "https://c.test/x.json"), ("client_secret", "s")];
    expect_out(&stand.try_in(&secret).await);
    assert_eq!(fetches.load(Ordering::SeqCst), 0);
    expect_in(&stand.try_in(&[("client_id", "https://c.test/x.json")]).await);
    assert_eq!(fetches.load(Ordering::SeqCst), 1);
}

// covers: AUTH-87
#[tokio::test]
async fn an_operator_says_whom_to_trust() {
    let serve = |request: http::Request<bytes::Bytes>| {
        let body = serde_json::json!({
            "client_id": request.uri().to_string(), "client_name": "C", "redirect_uris": ["https://c.test/cb"],
        });
        let answer = http::Response::builder().header("content-type", "application/json");
        let answer = answer.body(bytes::Bytes::from(body.to_string())).unwrap();
        async move { Ok::<_, mcp_outbound::OutboundError>(answer) }
    };
    let hosts = ClientMetadataDocuments::from_hosts(["Claude.AI"]).http_client(serve);
    let stand = Stand::start(|provider| provider.client_metadata_documents(hosts)).await;
    expect_in(&stand.try_in(&[("client_id", "https://claude.ai/client.json")]).await);
    for other in ["https://evil.claude.ai/c", "https://claude.ai.evil.test/c", "https://evil.test/claude.ai"]
    {
        expect_out(&stand.try_in(&[("client_id", other)]).await);
    }
    let policy = ClientMetadataDocuments::open().http_client(serve).policy(|url| url.path() == "/good");
    let stand = Stand::start(|provider| provider.client_metadata_documents(policy)).await;
    expect_in(&stand.try_in(&[("client_id", "https://c.test/good")]).await);
    expect_out(&stand.try_in(&[("client_id", "https://c.test/bad")]).await);
    let off = ClientMetadataDocuments::off().http_client(serve);
    let stand = Stand::start(|provider| provider.client_metadata_documents(off)).await;
    expect_out(&stand.try_in(&[("client_id", "https://c.test/good")]).await);
}
