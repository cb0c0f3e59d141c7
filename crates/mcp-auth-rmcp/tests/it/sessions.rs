//! A session is its principal's, on every verb and both transports.

use mcp_auth_testkit::Client;
use mcp_core::Policy;
use serde_json::json;

use crate::server::{Tools, server, start};

// covers: TL-05, SEC-05
#[tokio::test]
async fn a_stolen_session_id_opens_nothing() {
    let (_server, client) = start().await;
    let mut ada = client.mcp("/mcp").bearer("ada");
    ada.open().await;
    let id = ada.session().unwrap().to_owned();

    let mut bob = client.mcp("/mcp").bearer("bob").with_session(&id);
    bob.call("whoami", json!({})).await.expect_status(404);
    bob.listen().await.expect_status(404);
    bob.close().await.expect_status(404);

    // Ada's session is untouched, and ends when she says so.
    assert_eq!(ada.call_text("whoami", json!({})).await, "ada");
    ada.close().await;
    ada.call("whoami", json!({})).await.expect_status(404);
}

// covers: TL-05
#[tokio::test]
async fn a_session_opened_without_signing_in_is_no_session_of_somebody_who_did() {
    let policy = Policy::new().allow_anonymous_tool("hello");
    let running = server(Tools::new()).policy(policy).start().await.unwrap();
    let client = Client::new(running.url().as_str());
    let mut nobody = client.mcp("/mcp");
    nobody.open().await;
    let id = nobody.session().unwrap().to_owned();
    // Whoever knows the id may hold this stream, to which rmcp sends what it cannot tell whose it is.
    let _held = nobody.listen().await.expect_status(200).events();

    let mut ada = client.mcp("/mcp").bearer("ada").with_session(&id);
    ada.call("hello", json!({})).await.expect_status(404);
    ada.call("whoami", json!({})).await.expect_status(404);
    ada.notify("notifications/initialized").await.expect_status(404);
    ada.listen().await.expect_status(404);
    ada.close().await.expect_status(404);
    assert_eq!(nobody.call_text("hello", json!({})).await, "hello");

    // She opens one of her own, which is nobody else's.
    let mut own = client.mcp("/mcp").bearer("ada");
    own.open().await;
    assert_eq!(own.call_text("hello", json!({})).await, "hello ada");
    let mut nobody = client.mcp("/mcp").with_session(own.session().unwrap());
    nobody.call("hello", json!({})).await.expect_status(404);
    nobody.listen().await.expect_status(404);
}

// covers: TL-07
#[tokio::test]
async fn an_answer_on_a_stream_that_broke_is_its_caller_s_on_another() {
    let tools = Tools::new();
    let running = server(tools.clone()).start().await.unwrap();
    let client = Client::new(running.url().as_str());
    let mut ada = client.mcp("/mcp").bearer("ada");
    ada.open().await;
    let broken = ada.call("slow", json!({})).await.expect_status(200);
    tools.begun.acquire().await.unwrap().forget();
    drop(broken);
    // rmcp's name of the event that the first stream began with.
    let session = ada.session().unwrap();
    let resume = || client.get("/mcp").header("accept", "text/event-stream").header("last-event-id", "0/0");
    let other = resume().header("mcp-session-id", session).bearer("bob").send().await;
    other.expect_status(404);
    let mut events = resume().header("mcp-session-id", session).bearer("ada").send().await.events();
    tools.gate.add_permits(1);
    let answer = events.next().await.unwrap().data;
    assert!(answer.contains("at last"), "{answer}");
}

// covers: SSE-05
#[tokio::test]
async fn a_stolen_sse_session_takes_no_message() {
    let (_server, client) = start().await;
    let mut ada = client.sse("/sse").bearer("ada").open().await;
    ada.initialize().await;
    let call = json!({ "jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": { "name": "whoami" } });
    client
        .at_root(http::Method::POST, ada.endpoint())
        .bearer("bob")
        .json(&call)
        .send()
        .await
        .expect_status(404);
    assert_eq!(ada.call("whoami", json!({})).await["result"]["content"][0]["text"], "ada");
}

// covers: AUTH-11
#[tokio::test]
async fn tools_never_see_the_token() {
    let (_server, client) = start().await;
    let mut mcp = client.mcp("/mcp").bearer("ada");
    mcp.open().await;
    let streamable = mcp.call_text("headers", json!({})).await;
    let mut sse = client.sse("/sse").bearer("ada").open().await;
    sse.initialize().await;
    let answer = sse.call("headers", json!({})).await;
    let over_sse = answer["result"]["content"][0]["text"].as_str().unwrap();
    for headers in [streamable.as_str(), over_sse] {
        assert!(headers.contains("content-type"), "{headers}");
        assert!(!headers.contains("authorization"), "{headers}");
    }
}

#[tokio::test]
async fn the_scopes_of_each_message_count() {
    let (_server, client) = start().await;
    let mut sse = client.sse("/sse").bearer("ada").open().await;
    sse.initialize().await;
    let call = json!({ "jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": { "name": "admin" } });
    sse.post(&call).await.expect_status(403);
    // The same person with another token: the session goes on.
    sse.set_bearer("ada.admin");
    assert_eq!(sse.call("admin", json!({})).await["result"]["content"][0]["text"], "done");
}
