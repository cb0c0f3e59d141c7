//! Wrong set-ups are sentences at start.

use mcp_auth_rmcp::{ServeError, serve};
use mcp_core::{Access, NoAuth};

use crate::server::{Tools, server};

async fn sentence(server: mcp_auth_rmcp::Serve<std::sync::Arc<Tools>>) -> String {
    // What `main` prints is the `Debug` of its error.
    format!("{:?}", server.start().await.unwrap_err())
}

#[tokio::test]
async fn what_is_missing_is_said() {
    let error = sentence(serve(Tools::new()).auth(NoAuth::new())).await;
    assert!(error.contains(".at(\"http://127.0.0.1:8000\")"), "{error}");
    let error = sentence(serve(Tools::new()).at("http://127.0.0.1:0")).await;
    assert!(error.contains(".auth("), "{error}");
    let error = sentence(server(Tools::new()).without_mcp().without_sse()).await;
    assert!(error.contains("without_mcp()"), "{error}");
    let error = sentence(server(Tools::new()).at("http://mcp.example.com")).await;
    assert!(error.contains("https"), "{error}");
    let error = sentence(server(Tools::new()).allow_origin("https://app.example.com/x")).await;
    assert!(error.contains("is not an origin"), "{error}");
}

#[tokio::test]
async fn paths_that_cannot_be_told_apart_are_said() {
    let error = sentence(server(Tools::new()).sse("/sse", "/messages/sse")).await;
    assert!(error.contains("/messages/sse: give the messages a path"), "{error}");
}

#[tokio::test]
async fn an_ipv6_address_is_one_like_others() {
    let running = server(Tools::new()).at("http://[::1]:0").start().await.unwrap();
    let client = mcp_auth_testkit::Client::new(running.url().as_str());
    let mut mcp = client.mcp("/mcp").bearer("ada");
    mcp.open().await;
    assert_eq!(mcp.call_text("whoami", serde_json::json!({})).await, "ada");
}

// covers: TR-06
#[tokio::test]
async fn no_auth_listens_on_loopback_only() {
    let everywhere = serve(Tools::new()).at("http://127.0.0.1:8000").bind("0.0.0.0:0").auth(NoAuth::new());
    let error = sentence(everywhere).await;
    assert!(error.contains("NoAuth::public()"), "{error}");
}

#[tokio::test]
async fn an_address_in_use_is_said() {
    let first = server(Tools::new()).start().await.unwrap();
    let second = server(Tools::new()).bind(first.address().to_string()).start().await;
    let error = second.unwrap_err();
    assert!(matches!(error, ServeError::Listen { .. }));
    assert!(format!("{error:?}").contains("in use"), "{error:?}");
}

#[tokio::test]
async fn only_known_routes_are_open() {
    let service = server(Tools::new()).into_service().await.unwrap();
    let mut open: Vec<_> = service
        .routes()
        .iter()
        .filter(|route| route.access != Access::Protected)
        .map(|route| route.path.as_str())
        .collect();
    open.sort_unstable();
    assert_eq!(
        open,
        [
            "/.well-known/oauth-protected-resource",
            "/.well-known/oauth-protected-resource/mcp",
            "/.well-known/oauth-protected-resource/sse",
            "/healthz",
        ]
    );
    let mut protected: Vec<_> = service
        .routes()
        .iter()
        .filter(|route| route.access == Access::Protected)
        .map(|route| route.path.as_str())
        .collect();
    protected.sort_unstable();
    assert_eq!(protected, ["/mcp", "/messages", "/sse"]);
}
