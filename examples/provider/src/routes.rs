//! Deny by default: without a token, every route that is not named here answers 401.

use mcp_auth_provider::OwnerSignIn;
use mcp_auth_testkit::{Client, expect_closed};

use crate::settings::Settings;
use crate::store::StoreChoice;

/// What needs no token. Whatever is added to it is added on purpose.
const PUBLIC: [&str; 16] = [
    "/.well-known/oauth-authorization-server",
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-protected-resource/mcp",
    "/.well-known/oauth-protected-resource/sse",
    "/.well-known/openid-configuration",
    "/authorize",
    "/consent",
    "/healthz",
    "/introspect",
    "/jwks",
    "/par",
    "/register",
    "/revoke",
    "/sign-in",
    "/sign-out",
    "/token",
];

#[tokio::test]
async fn every_other_route_wants_a_token() {
    let settings = Settings {
        bind: "127.0.0.1:8000".to_owned(),
        public_url: "http://127.0.0.1:8000".to_owned(),
        allow_origins: Vec::new(),
        loopback_fetch: false,
        owner: OwnerSignIn::with_password("correct horse battery staple"),
        store: StoreChoice::memory(),
    };
    let site = crate::server(settings).unwrap().into_service().await.unwrap();
    let client = Client::in_memory("http://127.0.0.1:8000", site.clone());
    assert_eq!(expect_closed(&client, &site, &PUBLIC, 401).await, 18, "/mcp, /sse and /messages");
}
