//! The caller reaches tools, prompts and plain handler methods, over both transports.

use mcp_auth_testkit::{Client, Era};
use mcp_core::{BoxService, Policy};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::json;

use crate::server::{Tools, server, start};

#[tokio::test]
async fn prompts_and_handler_methods_know_their_caller() {
    let (_server, client) = start().await;
    let mut mcp = client.mcp("/mcp").era(Era::Stateless).bearer("ada");
    let prompt = mcp.request("prompts/get", json!({ "name": "greet" })).await.message().await;
    assert_eq!(prompt["result"]["messages"][0]["content"]["text"], "Greet ada!");
    let note = mcp.request("resources/read", json!({ "uri": "note://open" })).await.message().await;
    assert_eq!(note["result"]["contents"][0]["text"], "note://open read by ada");

    let mut sse = client.sse("/sse").bearer("bob").open().await;
    sse.initialize().await;
    let prompt = sse.request("prompts/get", json!({ "name": "greet" })).await;
    assert_eq!(prompt["result"]["messages"][0]["content"]["text"], "Greet bob!");
    let note = sse.request("resources/read", json!({ "uri": "note://open" })).await;
    assert_eq!(note["result"]["contents"][0]["text"], "note://open read by bob");
}

#[tokio::test]
async fn a_caller_who_did_not_sign_in_is_none_or_refused() {
    let policy = Policy::new().allow_anonymous_tool("hello").allow_anonymous_tool("whoami");
    let running = server(Tools::new()).policy(policy).start().await.unwrap();
    let client = Client::new(running.url().as_str());
    let mut anonymous = client.mcp("/mcp").era(Era::Stateless);
    assert_eq!(anonymous.call_text("hello", json!({})).await, "hello");
    // The operator opened a tool that wants its caller: a typed refusal, not an empty name.
    let refused = anonymous.call("whoami", json!({})).await.message().await;
    assert_eq!(refused["error"]["code"], -31401);
    anonymous.call("slow", json!({})).await.expect_status(401);

    let mut ada = anonymous.bearer("ada");
    assert_eq!(ada.call_text("hello", json!({})).await, "hello ada");
}

#[tokio::test]
async fn without_an_authenticator_there_is_no_caller() {
    // rmcp's service alone, as somebody might mount it by mistake.
    let bare: StreamableHttpService<Tools, LocalSessionManager> = StreamableHttpService::new(
        || Ok(Tools::new()),
        std::sync::Arc::default(),
        StreamableHttpServerConfig::default(),
    );
    let client = Client::in_memory("http://127.0.0.1:8000", BoxService::new(bare));
    let mut mcp = client.mcp("/mcp").era(Era::Stateless);
    for tool in ["whoami", "hello"] {
        let answer = mcp.call(tool, json!({})).await.message().await;
        assert_eq!(answer["error"]["code"], -32603, "{answer}");
    }
}
