//! Ends: clients go, the server goes, with calls running.

use std::time::Duration;

use mcp_auth_rmcp::ListenLimits;
use mcp_auth_testkit::Client;
use serde_json::json;

use crate::server::{Tools, eventually, server, start};

#[tokio::test]
async fn nothing_is_left_when_clients_go() {
    let (running, client) = start().await;
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let mut sessions = Vec::new();
    for _ in 0..10 {
        let mut sse = client.sse("/sse").bearer("ada").open().await;
        sse.initialize().await;
        sse.call("whoami", json!({})).await;
        sessions.push(sse);
    }
    assert_eq!(running.sse_sessions(), 10);
    assert_eq!(running.site().open_streams(), 10);
    drop(sessions);
    eventually("no session is left", || running.sse_sessions() == 0).await;
    eventually("no stream is left", || running.site().open_streams() == 0).await;
    eventually("no connection is left", || running.connections() == 0).await;
    eventually("no task is left", || tasks() <= before).await;
}

#[tokio::test]
async fn a_client_that_goes_stops_its_call() {
    let tools = Tools::new();
    let running = server(tools.clone()).start().await.unwrap();
    let client = Client::new(running.url().as_str());
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let mut sse = client.sse("/sse").bearer("ada").open().await;
    sse.initialize().await;
    let call = json!({ "jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": { "name": "slow" } });
    sse.post(&call).await.expect_status(202);
    tools.begun.acquire().await.unwrap().forget();
    drop(sse);
    eventually("no session is left", || running.sse_sessions() == 0).await;
    // A tool that does not look at its cancellation goes on; its answer reaches nobody and keeps nothing alive.
    tools.gate.add_permits(1);
    eventually("no task is left", || tasks() <= before).await;
}

#[tokio::test]
async fn stopping_lets_running_calls_finish() {
    let tools = Tools::new();
    let running = server(tools.clone()).start().await.unwrap();
    let client = Client::new(running.url().as_str());
    let sites = running.site().clone();

    let mut sse = client.sse("/sse").bearer("ada").open().await;
    sse.initialize().await;
    let call = json!({ "jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": { "name": "slow" } });
    sse.post(&call).await.expect_status(202);
    let mut mcp = client.mcp("/mcp").bearer("bob");
    mcp.open().await;
    // A stream for notifications, which has no end of its own.
    let mut notifications = mcp.listen().await.expect_status(200).events();
    let streamable = tokio::spawn(async move { mcp.call_text("slow", json!({})).await });
    for _ in 0..2 {
        tools.begun.acquire().await.unwrap().forget();
    }

    let stopping = tokio::spawn(running.stop());
    // Nobody new is let in.
    eventually("no new connection is served", || {
        std::net::TcpStream::connect(client.url().socket_addrs(|| None).unwrap()[0]).is_err()
    })
    .await;
    assert!(!stopping.is_finished());

    tools.gate.add_permits(2);
    let answer = sse.next().await.unwrap();
    assert_eq!(answer["result"]["content"][0]["text"], "at last");
    assert!(sse.next().await.is_none());
    assert_eq!(streamable.await.unwrap(), "at last");
    while notifications.next().await.is_some() {}
    stopping.await.unwrap();
    assert_eq!(sites.open_streams(), 0);
}

#[tokio::test]
async fn stopping_does_not_wait_for_ever() {
    let tools = Tools::new();
    let limits = ListenLimits::default().patience(Duration::from_millis(200));
    let running = server(tools.clone()).listen_limits(limits).start().await.unwrap();
    let client = Client::new(running.url().as_str());
    let mut sse = client.sse("/sse").bearer("ada").open().await;
    sse.initialize().await;
    let call = json!({ "jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": { "name": "slow" } });
    sse.post(&call).await.expect_status(202);
    tools.begun.acquire().await.unwrap().forget();
    running.stop().await;
    assert!(sse.next().await.is_none());
}

#[tokio::test]
async fn an_idle_server_stops_at_once() {
    let (running, client) = start().await;
    let mut sse = client.sse("/sse").bearer("ada").open().await;
    sse.initialize().await;
    tokio::time::timeout(Duration::from_secs(10), running.stop()).await.unwrap();
    assert!(sse.next().await.is_none());
}

// covers: FT05
#[tokio::test]
async fn connections_are_bounded() {
    let running =
        server(Tools::new()).listen_limits(ListenLimits::default().connections(1)).start().await.unwrap();
    let client = Client::new(running.url().as_str());
    let held = client.sse("/sse").bearer("ada").get().await.expect_status(200);
    let waiting = tokio::spawn(client.get("/healthz").send());
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!waiting.is_finished());
    drop(held);
    waiting.await.unwrap().expect_status(200);
}

// covers: FT05
#[tokio::test]
async fn a_slow_head_is_not_waited_for() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let limits = ListenLimits::default().header_timeout(Duration::from_millis(200));
    let running = server(Tools::new()).listen_limits(limits).start().await.unwrap();
    let mut socket = tokio::net::TcpStream::connect(running.address()).await.unwrap();
    socket.write_all(b"GET /sse HTTP/1.1\r\nHost: 127").await.unwrap();
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(10), socket.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert!(!rest.starts_with(b"HTTP/1.1 200"));
    eventually("no connection is left", || running.connections() == 0).await;
}
