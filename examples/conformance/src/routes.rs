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
    let settings = crate::settings::Settings {
        bind: "127.0.0.1:8000".to_owned(),
        public_url: "http://127.0.0.1:8000".to_owned(),
        token: Some("a-token".to_owned()),
        bare: false,
    };
    let fixtures = crate::server::Everything::new().unwrap();
    let site = crate::serve::server(fixtures, &settings).into_service().await.unwrap();
    let client = Client::in_memory("http://127.0.0.1:8000", site.clone());
    assert_eq!(expect_closed(&client, &site, &PUBLIC, 401).await, 18, "/mcp, /sse and /messages");
}
