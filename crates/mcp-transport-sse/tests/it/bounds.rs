//! Bounds: sessions, waiting messages, slow readers, silence.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use mcp_transport_sse::{SendError, Session, SseLimits, SseService};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use crate::client::{PING, Stream, call, post, request};
use crate::server::{Clockwork, echo, echo_server, eventually, serve};

#[tokio::test]
async fn one_principal_has_a_bounded_number_of_sessions() {
    let server = echo_server(SseLimits::default().sessions_per_principal(2)).await;
    let first = Stream::open(server.addr, "/sse", "ada").await;
    let _second = Stream::open(server.addr, "/sse", "ada").await;
    let refused = call(server.addr, request(Method::GET, "/sse", Some("ada"), "")).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.headers["retry-after"], "5");
    // Others are not affected, and a place that is given up is free again.
    let _other = Stream::open(server.addr, "/sse", "bob").await;
    drop(first);
    eventually("the session is over", || server.sse.sessions() == 2).await;
    let _third = Stream::open(server.addr, "/sse", "ada").await;
}

#[tokio::test]
async fn all_sessions_are_bounded() {
    let server = echo_server(SseLimits::default().sessions(2).sessions_per_principal(1)).await;
    // Anonymous callers cannot be told apart: the bound for one principal is not theirs.
    let _first = Stream::open(server.addr, "/sse", "nobody").await;
    let _second = Stream::open(server.addr, "/sse", "nobody").await;
    let refused = call(server.addr, request(Method::GET, "/sse", Some("nobody"), "")).await;
    assert_eq!(refused.status, 503);
    assert_eq!(refused.headers["retry-after"], "5");
}

#[tokio::test]
async fn who_did_not_sign_in_cannot_keep_out_who_did() {
    let server = echo_server(SseLimits::default().sessions(2).sessions_per_principal(1)).await;
    let mut first = Stream::open(server.addr, "/sse", "nobody").await;
    let mut ada = Stream::open(server.addr, "/sse", "ada").await;
    // Whoever has all the sessions it may have takes no place from others.
    let refused = call(server.addr, request(Method::GET, "/sse", Some("ada"), "")).await;
    assert_eq!(refused.status, 429);
    let _bob = Stream::open(server.addr, "/sse", "bob").await;
    assert!(first.event().await.is_none(), "the anonymous session gave way");
    assert_eq!(post(server.addr, &first.endpoint, "nobody", PING).await, 404);
    assert_eq!(server.sse.sessions(), 2);
    // Those who signed in do not give way to each other.
    let refused = call(server.addr, request(Method::GET, "/sse", Some("cleo"), "")).await;
    assert_eq!(refused.status, 503);
    assert_eq!(post(server.addr, &ada.endpoint, "ada", PING).await, 202);
    assert_eq!(ada.message().await, PING);
    drop(first);
    drop(ada);
    eventually("only one session is left", || server.sse.sessions() == 1).await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let limits = SseLimits::default().body_timeout(Duration::from_millis(100));
    let server = echo_server(limits).await;
    let stream = Stream::open(server.addr, "/sse", "ada").await;
    let mut socket = tokio::net::TcpStream::connect(server.addr).await.unwrap();
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: localhost\r\nx-caller: ada\r\ncontent-type: application/json\r\n\
         content-length: 40\r\n\r\n{{",
        stream.endpoint
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(10), socket.read_to_end(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn messages_that_nobody_takes_are_bounded() {
    async fn idle(session: Session) {
        session.outgoing.closed().await;
    }
    let server = serve(SseService::new("/messages", idle).limits(SseLimits::default().incoming(2))).await;
    let stream = Stream::open(server.addr, "/sse", "ada").await;
    assert_eq!(post(server.addr, &stream.endpoint, "ada", PING).await, 202);
    assert_eq!(post(server.addr, &stream.endpoint, "ada", PING).await, 202);
    let refused = call(server.addr, request(Method::POST, &stream.endpoint, Some("ada"), PING)).await;
    assert_eq!(refused.status, 503);
    assert_eq!(refused.headers["retry-after"], "5");
}

#[tokio::test]
async fn a_client_that_takes_nothing_loses_its_session() {
    let (results, mut seen) = mpsc::unbounded_channel();
    let flood = move |session: Session| {
        let results = results.clone();
        async move {
            // More than any socket buffer holds.
            let big = format!("\"{}\"", "x".repeat(1024 * 1024));
            loop {
                let sent = session.outgoing.send(big.clone()).await;
                results.send(sent).unwrap();
                if sent.is_err() {
                    return;
                }
            }
        }
    };
    let clock = Clockwork::new();
    let limits = SseLimits::default().outgoing(4, 2 * 1024 * 1024).slow_reader(Duration::from_secs(30));
    let server =
        serve(SseService::new("/messages", flood).limits(limits).clock(Arc::new(clock.clone()))).await;
    let stream = Stream::open(server.addr, "/sse", "ada").await;

    // It writes until buffers and queue are full, and then waits, for as long as the clock stands still.
    eventually("the writer waits", || clock.sleepers() == 1).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    eventually("the writer waits", || clock.sleepers() == 1).await;
    clock.advance(Duration::from_secs(29));
    tokio::time::sleep(Duration::from_millis(50)).await;
    while let Ok(sent) = seen.try_recv() {
        assert_eq!(sent, Ok(()));
    }
    clock.advance(Duration::from_secs(2));
    assert_eq!(seen.recv().await, Some(Err(SendError::SlowReader)));
    // The session is over for its owner at once, although the connection is still stuck.
    assert_eq!(post(server.addr, &stream.endpoint, "ada", PING).await, 404);
    drop(stream);
    eventually("nothing is left", || server.sse.sessions() == 0).await;
}

#[tokio::test]
async fn a_client_that_reads_late_gets_everything() {
    let burst = |session: Session| async move {
        for n in 0..500 {
            session.outgoing.send(format!("{n}")).await.unwrap();
        }
    };
    let server =
        serve(SseService::new("/messages", burst).limits(SseLimits::default().outgoing(3, 100))).await;
    let mut stream = Stream::open(server.addr, "/sse", "ada").await;
    for n in 0..500 {
        assert_eq!(stream.message().await, n.to_string());
    }
    // The handler is done and holds nothing: so is the stream.
    assert_eq!(stream.event().await, None);
    eventually("nothing is left", || server.sse.sessions() == 0).await;
}

// covers: TR-23
#[tokio::test]
async fn silence_is_broken_by_comments() {
    let clock = Clockwork::new();
    let sse = SseService::new("/messages", echo)
        .limits(SseLimits::default().keep_alive(Duration::from_secs(15)))
        .clock(Arc::new(clock.clone()));
    let server = serve(sse).await;
    let mut stream = Stream::open(server.addr, "/sse", "ada").await;
    for _ in 0..2 {
        eventually("the stream is silent", || clock.sleepers() == 1).await;
        clock.advance(Duration::from_secs(15));
        assert_eq!(stream.event().await.as_deref(), Some(":"));
    }
    // A message begins the silence anew.
    eventually("the stream is silent", || clock.sleepers() == 1).await;
    clock.advance(Duration::from_secs(14));
    assert_eq!(post(server.addr, &stream.endpoint, "ada", PING).await, 202);
    assert_eq!(stream.message().await, PING);
    eventually("the stream is silent", || clock.sleepers() == 1).await;
    clock.advance(Duration::from_secs(14));
    assert_eq!(post(server.addr, &stream.endpoint, "ada", PING).await, 202);
    assert_eq!(stream.message().await, PING);
}
