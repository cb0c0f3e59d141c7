//! The SDK's own client against this server: every kind of token it may come with.

use std::time::Duration;

use mcp_auth_rmcp::Running;
use mcp_auth_testkit::{TokenAuthority, TokenBuilder};
use rmcp::model::{CallToolRequestParams, CallToolResult};
use rmcp::service::RunningService;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{RoleClient, ServiceExt};

type Client = RunningService<RoleClient, ()>;

async fn start() -> (Running, TokenAuthority) {
    let settings = crate::Settings {
        bind: "127.0.0.1:0".to_owned(),
        public_url: "http://127.0.0.1:0".to_owned(),
        allow_origins: Vec::new(),
    };
    let (tokens, authority) = crate::issuer::from_env().await.unwrap();
    (crate::server(settings, tokens).start().await.unwrap(), authority.unwrap())
}

fn good(server: &Running, authority: &TokenAuthority) -> TokenBuilder {
    authority.token().subject("ada").audience(&server.url().join("/mcp"))
}

async fn connect(server: &Running, token: Option<String>) -> Result<Client, String> {
    let config = StreamableHttpClientTransportConfig::with_uri(server.url().join("/mcp"));
    let config = match token {
        Some(token) => config.auth_header(token),
        None => config,
    };
    ().serve(StreamableHttpClientTransport::from_config(config)).await.map_err(|error| format!("{error:?}"))
}

async fn call(client: &Client, tool: &'static str) -> Result<CallToolResult, String> {
    client.call_tool(CallToolRequestParams::new(tool)).await.map_err(|error| format!("{error:?}"))
}

#[tokio::test]
async fn a_good_token_gets_in_and_sees_what_it_may() {
    let (server, authority) = start().await;
    let client = connect(&server, Some(good(&server, &authority).mint())).await.unwrap();
    let tools: Vec<String> =
        client.list_all_tools().await.unwrap().iter().map(|tool| tool.name.to_string()).collect();
    assert!(tools.contains(&"whoami".to_owned()) && !tools.contains(&"secret".to_owned()), "{tools:?}");
    let whoami = format!("{:?}", call(&client, "whoami").await.unwrap());
    assert!(whoami.contains("ada"), "{whoami}");
    // The scope is missing: refused by status, before the SDK sees the call.
    let refused = call(&client, "secret").await.unwrap_err();
    assert!(refused.contains("insufficient_scope") || refused.contains("InsufficientScope"), "{refused}");

    let scoped = good(&server, &authority).scopes("demo:secret").mint();
    let client = connect(&server, Some(scoped)).await.unwrap();
    assert!(format!("{:?}", call(&client, "secret").await.unwrap()).contains("drawer"));
}

#[tokio::test]
async fn any_other_token_stays_outside() {
    let (server, authority) = start().await;
    let elsewhere = authority.token().subject("ada").audience(&server.url().join("/sse")).mint();
    let refused = [
        ("none", None),
        ("nonsense", Some("nonsense".to_owned())),
        ("expired", Some(good(&server, &authority).expired(Duration::from_secs(60)).mint())),
        ("another audience", Some(authority.token().audience("https://other.example.com/mcp").mint())),
        ("for /sse", Some(elsewhere)),
        ("tampered", Some(good(&server, &authority).tampered().mint())),
        ("of a stranger", Some(good(&server, &authority).by_stranger().mint())),
    ];
    for (what, token) in refused {
        let error = connect(&server, token).await.err();
        let error = error.unwrap_or_else(|| panic!("{what} was let in"));
        assert!(error.contains("Auth") || error.contains("401"), "{what}: {error}");
    }
}
