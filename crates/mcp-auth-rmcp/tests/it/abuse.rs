//! Clients that ask for too much, and tools that break.

use std::time::Duration;

use mcp_auth_rmcp::ListenLimits;
use mcp_auth_testkit::Client;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::server::{Tools, eventually, server, start};

fn call(id: usize, tool: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": tool } })
}

#[tokio::test]
async fn one_session_runs_a_bounded_number_of_calls() {
    let tools = Tools::new();
    let running = server(tools.clone()).start().await.unwrap();
    let client = Client::new(running.url().as_str());
    let mut sse = client.sse("/sse").bearer("ada").open().await;
    sse.initialize().await;
    for id in 1000..1128 {
        sse.post(&call(id, "slow")).await.expect_status(202);
    }
    tools.begun.acquire_many(128).await.unwrap().forget();
    sse.post(&call(1128, "slow")).await.expect_status(202);
    let refused = sse.next().await.unwrap();
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(1128), &json!(-31429)));
    assert_eq!(tools.begun.available_permits(), 0);

    // One that is answered makes room for one.
    tools.gate.add_permits(1);
    assert!(sse.next().await.unwrap()["result"].is_object());
    assert_eq!(sse.call("hello", json!({})).await["result"]["content"][0]["text"], "hello ada");
    tools.gate.add_permits(127);
}

#[tokio::test]
async fn two_calls_cannot_run_under_one_id() {
    let tools = Tools::new();
    let running = server(tools.clone()).start().await.unwrap();
    let client = Client::new(running.url().as_str());
    let mut sse = client.sse("/sse").bearer("ada").open().await;
    sse.initialize().await;
    sse.post(&call(1000, "slow")).await.expect_status(202);
    sse.post(&call(1000, "slow")).await.expect_status(202);
    assert_eq!(sse.next().await.unwrap()["error"]["code"], -32600);
    tools.gate.add_permits(1);
    assert_eq!(sse.next().await.unwrap()["result"]["content"][0]["text"], "at last");
}

#[tokio::test]
async fn a_tool_that_panics_is_an_error_and_no_silence() {
    let (running, client) = start().await;
    let mut sse = client.sse("/sse").bearer("ada").open().await;
    sse.initialize().await;
    assert_eq!(sse.call("broken", json!({})).await["error"]["code"], -32603);
    assert_eq!(sse.call("whoami", json!({})).await["result"]["content"][0]["text"], "ada");
    let mut mcp = client.mcp("/mcp").bearer("ada");
    mcp.open().await;
    let answer = mcp.call("broken", json!({})).await.expect_status(200).message().await;
    assert_eq!(answer["error"]["code"], -32603);
    // Nothing runs any more that a stopping server would wait for.
    tokio::time::timeout(Duration::from_secs(10), running.stop()).await.unwrap();
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let (running, _) = start().await;
    let mut socket = TcpStream::connect(running.address()).await.unwrap();
    let head = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\nX-Long: ", running.address());
    socket.write_all(head.as_bytes()).await.unwrap();
    // The server may be gone before all of it is sent.
    let _ = socket.write_all(&[b'x'; 100_000]).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(10), socket.read_to_end(&mut answer)).await.unwrap();
    assert!(
        answer.is_empty() || answer.starts_with(b"HTTP/1.1 431 "),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    eventually("no connection is left", || running.connections() == 0).await;
}

// covers: FT05
#[tokio::test]
async fn a_slow_body_is_not_waited_for() {
    let limits = ListenLimits::default().body_timeout(Duration::from_millis(200));
    // Without rules, nobody reads the body before the SDK does.
    let running = server(Tools::new()).listen_limits(limits).start().await.unwrap();
    let mut socket = TcpStream::connect(running.address()).await.unwrap();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer ada\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nContent-Length: 40\r\n\r\n{{",
        running.address()
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(10), socket.read_to_end(&mut answer)).await.unwrap().unwrap();
    assert!(!answer.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&answer));
    eventually("no connection is left", || running.connections() == 0).await;
}
