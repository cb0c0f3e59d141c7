//! What a connection may do to the server, byte by byte.

use std::net::SocketAddr;
use std::time::Duration;

use mcp_auth_rmcp::ListenLimits;
use mcp_auth_testkit::Client;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::server::{Tools, eventually, server, start};

/// Sends these bytes on a connection of their own and reads all that comes back until the server closes it.
async fn exchange(address: SocketAddr, bytes: &str) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), socket.read_to_end(&mut answer)).await;
    let _ = read.expect("the server keeps the connection");
    String::from_utf8_lossy(&answer).into_owned()
}

fn statuses(answers: &str) -> Vec<&str> {
    answers.split("HTTP/1.1 ").skip(1).filter_map(|answer| answer.get(..3)).collect()
}

// covers: FT09
#[tokio::test]
async fn ambiguous_framing_smuggles_nothing_in() {
    let (running, _) = start().await;
    let address = running.address();
    let post = |more: &str, body: &str| {
        format!(
            "POST /mcp HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer ada\r\n\
             Content-Type: application/json\r\n{more}\r\n{body}"
        )
    };
    let smuggled = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    // Read by the one length or the other, the body ends before the second request or swallows it. Whichever it is, the
    // connection ends after the first answer.
    let length = smuggled.len() + 5;
    for more in [
        format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n"),
        format!("Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n"),
    ] {
        let answers = exchange(address, &post(&more, &format!("0\r\n\r\n{smuggled}"))).await;
        assert_eq!(statuses(&answers).len(), 1, "{more}: {answers}");
        assert!(!answers.contains("\r\n\r\nok"), "{answers}");
    }
    for more in [
        "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 5, 6\r\n",
        "Content-Length : 5\r\n",
        "Host: evil.test\r\n",
        " folded: x\r\n",
    ] {
        let answers = exchange(address, &post(more, &format!("0\r\n\r\n{smuggled}"))).await;
        assert_eq!(statuses(&answers).first(), Some(&"400"), "{more}: {answers}");
        assert!(!answers.contains("\r\n\r\nok"), "{more}: {answers}");
    }
    eventually("no connection is left", || running.connections() == 0).await;
}

// covers: FT09
#[tokio::test]
async fn every_transport_refuses_paths_that_are_almost_right() {
    let (running, _) = start().await;
    let address = running.address();
    for path in ["/mcp", "/sse", "/messages"] {
        for target in [
            format!("{path}/"),
            format!("/{path}"),
            format!("/x/..{path}"),
            path.to_uppercase(),
            path.replace('m', "%6d").replace("/s", "%2fs"),
        ] {
            let request = format!(
                "POST {target} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer ada\r\nConnection: close\r\n\r\n"
            );
            let answers = exchange(address, &request).await;
            let status = statuses(&answers).first().copied();
            assert!(matches!(status, Some("404" | "400")), "{target}: {answers}");
        }
        // A whole URL in the request line, of another host than the header's.
        let request = format!(
            "POST http://evil.test{path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer ada\r\nConnection: close\r\n\r\n"
        );
        assert_eq!(statuses(&exchange(address, &request).await), ["400"], "{path}");
    }
}

// covers: TR-26
#[tokio::test]
async fn nobody_is_known_by_the_connection_they_come_on() {
    let (running, _) = start().await;
    let address = running.address();
    let body = serde_json::json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "admin", "arguments": {}, "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        } },
    })
    .to_string();
    let request = |token: &str, connection: &str| {
        format!(
            "POST /mcp HTTP/1.1\r\nHost: {address}\r\n{token}Content-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\n\
             Mcp-Method: tools/call\r\nMcp-Name: admin\r\nConnection: {connection}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let (root, ada) = ("Authorization: Bearer root.admin\r\n", "Authorization: Bearer ada\r\n");
    // On one connection: an administrator, then nobody, then somebody else.
    let all = [request(root, "keep-alive"), request("", "keep-alive"), request(ada, "close")].concat();
    let answers = exchange(address, &all).await;
    assert_eq!(statuses(&answers), ["200", "401", "403"], "{answers}");
}

// covers: FT05
#[tokio::test]
async fn idle_connections_make_room_for_others() {
    let limits = ListenLimits::default().connections(20).header_timeout(Duration::from_millis(200));
    let running = server(Tools::new()).listen_limits(limits).start().await.unwrap();
    let address = running.address();
    let mut idle = Vec::new();
    for n in 0..20 {
        let mut socket = TcpStream::connect(address).await.unwrap();
        // Half of them have said something once and are kept alive.
        if n % 2 == 0 {
            let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\n");
            socket.write_all(request.as_bytes()).await.unwrap();
            let mut answer = [0; 15];
            socket.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"HTTP/1.1 200 OK");
        }
        idle.push(socket);
    }
    eventually("all places are taken", || running.connections() == 20).await;
    let answer = Client::new(running.url().as_str()).get("/healthz").send();
    tokio::time::timeout(Duration::from_secs(10), answer).await.expect("shut out").expect_status(200);
    drop(idle);
}
