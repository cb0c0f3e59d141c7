//! Deny by default: without a token, every route that is not named here answers 401.

use mcp_auth_testkit::{Client, expect_closed};

/// What needs no token. Whatever is added to it is added on purpose.
const PUBLIC: [&str; 4] = [
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-protected-resource/mcp",
    "/.well-known/oauth-protected-resource/sse",
    "/healthz",
];

#[tokio::test]
async fn every_other_route_wants_a_token() {
    let settings = crate::Settings {
        bind: "127.0.0.1:8000".to_owned(),
        public_url: "http://127.0.0.1:8000".to_owned(),
        allow_origins: Vec::new(),
    };
    let (tokens, _authority) = crate::issuer::from_env().await.unwrap();
    let site = crate::server(settings, tokens).into_service().await.unwrap();
    let client = Client::in_memory("http://127.0.0.1:8000", site.clone());
    assert_eq!(expect_closed(&client, &site, &PUBLIC, 401).await, 18, "/mcp, /sse and /messages");
}
