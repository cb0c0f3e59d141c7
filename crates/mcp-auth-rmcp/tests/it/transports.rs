//! Both transports and both eras reach the same tools.

use mcp_auth_testkit::{Client, Era};
use rmcp::ServiceExt;
use rmcp::model::CallToolRequestParams;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::json;

use crate::server::{Tools, server, start};

#[tokio::test]
async fn both_eras_of_streamable_http_work() {
    let (_server, client) = start().await;
    for era in [Era::Sessions, Era::Stateless] {
        let mut mcp = client.mcp("/mcp").era(era).bearer("ada");
        if era == Era::Sessions {
            mcp.open().await;
        }
        assert_eq!(mcp.call_text("whoami", json!({})).await, "ada");
        assert!(mcp.tools().await.contains(&"whoami".to_owned()));
    }
}

// covers: SSE-02, SSE-07
#[tokio::test]
async fn sse_works_beside_it() {
    let (server, client) = start().await;
    let mut sse = client.sse("/sse").bearer("ada").open().await;
    assert!(sse.endpoint().starts_with("/messages?sessionId="));
    let info = sse.initialize().await;
    assert_eq!(info["protocolVersion"], "2024-11-05");
    let answer = sse.call("whoami", json!({})).await;
    assert_eq!(answer["result"]["content"][0]["text"], "ada");
    assert_eq!(server.sse_sessions(), 1);
}

#[tokio::test]
async fn the_sdks_own_client_connects() {
    let (server, _) = start().await;
    let config = StreamableHttpClientTransportConfig::with_uri(format!("{}/mcp", server.url()))
        .auth_header("ada".to_owned());
    let client = ().serve(StreamableHttpClientTransport::from_config(config)).await.unwrap();
    let tools = client.list_all_tools().await.unwrap();
    assert!(tools.iter().any(|tool| tool.name == "whoami"));
    let answer = client.call_tool(CallToolRequestParams::new("whoami")).await.unwrap();
    let answer = serde_json::to_value(&answer).unwrap();
    assert_eq!(answer["content"][0]["text"], "ada");
    client.cancel().await.unwrap();
}

// covers: AUTH-06, SSE-05
#[tokio::test]
async fn no_endpoint_is_open() {
    let (server, client) = start().await;
    for path in ["/mcp", "/messages"] {
        client.post(path).json(&json!({})).send().await.expect_status(401);
    }
    for path in ["/mcp", "/sse"] {
        client.get(path).header("accept", "text/event-stream").send().await.expect_status(401);
    }
    client.delete("/mcp").send().await.expect_status(401);
    assert_eq!(server.sse_sessions(), 0);
    assert_eq!(server.site().open_streams(), 0);
}

#[tokio::test]
async fn what_is_no_mcp_request_is_answered_on_the_stream() {
    // Without rules, nobody reads the body before the SDK does.
    let running = server(Tools::new()).start().await.unwrap();
    let client = Client::new(running.url().as_str());
    let mut sse = client.sse("/sse").bearer("ada").open().await;
    sse.initialize().await;
    sse.post(&json!({ "jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": { "name": 7 } }))
        .await
        .expect_status(202);
    let answer = sse.next().await.unwrap();
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(9), &json!(-32601)));
    // And the session goes on.
    assert_eq!(sse.call("whoami", json!({})).await["result"]["content"][0]["text"], "ada");
}

#[tokio::test]
async fn endpoints_can_be_moved_and_left_out() {
    let moved = server(Tools::new()).mcp("/").sse("/old/sse", "/old/messages").start().await.unwrap();
    let client = Client::new(moved.url().as_str());
    let mut mcp = client.mcp("/").bearer("ada");
    mcp.open().await;
    let mut sse = client.sse("/old/sse").bearer("ada").open().await;
    sse.initialize().await;

    let one = server(Tools::new()).without_sse().start().await.unwrap();
    let client = Client::new(one.url().as_str());
    client.get("/sse").bearer("ada").send().await.expect_status(404);
    client.post("/messages").bearer("ada").send().await.expect_status(404);

    let other = server(Tools::new()).without_mcp().start().await.unwrap();
    let client = Client::new(other.url().as_str());
    client.post("/mcp").bearer("ada").send().await.expect_status(404);
    client.sse("/sse").bearer("ada").open().await.initialize().await;
}

// covers: SSE-04
#[tokio::test]
async fn a_proxy_may_strip_the_path() {
    let service = server(Tools::new()).at("https://mcp.example.com/tools").into_service().await.unwrap();
    // Not stripped.
    let client = Client::in_memory("https://mcp.example.com/tools", service.clone());
    let mut sse = client.sse("/sse").bearer("ada").open().await;
    assert!(sse.endpoint().starts_with("/tools/messages?"));
    sse.initialize().await;
    // Stripped: the proxy sends on what is behind /tools.
    let client = Client::in_memory("https://mcp.example.com", service);
    let stream = client.sse("/sse").bearer("ada").get().await.expect_status(200);
    let endpoint = stream.events().next().await.unwrap().data;
    assert!(endpoint.starts_with("/tools/messages?"), "{endpoint}");
}

// covers: TR-05
#[tokio::test]
async fn foreign_hosts_are_turned_away_and_allowed_ones_reach_the_sdk() {
    let service = server(Tools::new())
        .at("https://mcp.example.com")
        .allow_host("mcp.internal:8000")
        .into_service()
        .await
        .unwrap();
    let initialize = json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": { "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } },
    });
    let client = Client::in_memory("https://mcp.example.com", service);
    for (host, status) in [("mcp.example.com", 200), ("mcp.internal:8000", 200), ("evil.test", 421)] {
        client
            .post("/mcp")
            .replace_header("host", host)
            .bearer("ada")
            .json(&initialize)
            .send()
            .await
            .expect_status(status);
    }
}
