//! Deny by default: whoever is not on this machine gets nothing but the health probe.

use mcp_auth_testkit::{Client, expect_closed};

#[tokio::test]
async fn nobody_else_on_the_network_gets_in() {
    let settings = crate::Settings {
        bind: "127.0.0.1:8000".to_owned(),
        public_url: "http://127.0.0.1:8000".to_owned(),
        allow_origins: Vec::new(),
    };
    let site = crate::server(settings).into_service().await.unwrap();
    let neighbour = "192.0.2.7:40000".parse().unwrap();
    let client = Client::in_memory("http://127.0.0.1:8000", site.clone()).from_address(neighbour);
    assert_eq!(expect_closed(&client, &site, &["/healthz"], 403).await, 18, "/mcp, /sse and /messages");
}
