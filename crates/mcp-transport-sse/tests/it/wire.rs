//! What goes over the wire: endpoint event, messages, statuses, headers.

use http::Method;
use mcp_transport_sse::{SseLimits, SseService};

use crate::client::{PING, Stream, call, post, request};
use crate::server::{echo, echo_server, serve};

// covers: SSE-01, SSE-02
#[tokio::test]
async fn the_endpoint_comes_first_and_then_messages() {
    let server = echo_server(SseLimits::default()).await;
    let mut stream = Stream::open(server.addr, "/sse", "ada").await;
    let id = stream.endpoint.strip_prefix("/messages?sessionId=").unwrap();
    assert_eq!(id.len(), 43, "256 bits of base64url");
    assert_eq!(post(server.addr, &stream.endpoint, "ada", PING).await, 202);
    assert_eq!(stream.message().await, PING);
    let notification = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    assert_eq!(post(server.addr, &stream.endpoint, "ada", notification).await, 202);
    assert_eq!(stream.message().await, notification);
}

// covers: SSE-04, TR-23
#[tokio::test]
async fn the_stream_says_that_it_must_not_be_held_back() {
    let server = echo_server(SseLimits::default()).await;
    let stream = Stream::open(server.addr, "/sse", "ada").await;
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    assert_eq!(stream.headers["cache-control"], "no-cache, no-transform");
    assert_eq!(stream.headers["x-accel-buffering"], "no");
}

// covers: SSE-04
#[tokio::test]
async fn what_is_no_message_is_refused() {
    let server = echo_server(SseLimits::default().body(1000)).await;
    let mut stream = Stream::open(server.addr, "/sse", "ada").await;
    let (addr, path) = (server.addr, stream.endpoint.clone());

    let accepted = call(addr, request(Method::POST, &path, Some("ada"), PING)).await;
    assert_eq!((accepted.status.as_u16(), accepted.body.as_str()), (202, "Accepted"));

    assert_eq!(post(addr, &path, "ada", "{").await, 400);
    assert_eq!(post(addr, &path, "ada", &format!("[{PING}]")).await, 400);
    assert_eq!(post(addr, "/messages", "ada", PING).await, 400);
    assert_eq!(post(addr, &format!("{path}&sessionId=x"), "ada", PING).await, 400);
    assert_eq!(post(addr, "/messages?sessionId=x", "ada", PING).await, 404);
    assert_eq!(post(addr, &path, "ada", &" ".repeat(1001)).await, 413);

    let mut plain = request(Method::POST, &path, Some("ada"), PING);
    plain.headers_mut().insert("content-type", "text/plain".parse().unwrap());
    assert_eq!(call(addr, plain).await.status, 415);

    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let answer = call(addr, request(method, &path, Some("ada"), "")).await;
        assert_eq!(answer.status, 405);
        assert_eq!(answer.headers["allow"], "POST");
    }

    // Nothing of all that reached the handler but the one good message.
    assert_eq!(stream.message().await, PING);
    assert_eq!(post(addr, &path, "ada", r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#).await, 202);
    assert!(stream.message().await.contains("\"id\":2"));
}

// covers: SSE-08
#[tokio::test]
async fn a_post_to_the_stream_tells_clients_which_transport_this_is() {
    let server = echo_server(SseLimits::default()).await;
    let answer = call(server.addr, request(Method::POST, "/sse", Some("ada"), PING)).await;
    assert_eq!(answer.status, 405);
    assert_eq!(answer.headers["allow"], "GET");
    assert_eq!(server.sse.sessions(), 0);
}

// covers: SSE-04
#[tokio::test]
async fn the_endpoint_is_right_behind_a_proxy() {
    // The proxy serves /tools/… and strips /tools.
    let server = serve(SseService::new("/tools/messages", echo)).await;
    let mut stream = Stream::open(server.addr, "/sse", "ada").await;
    let forwarded = stream.endpoint.strip_prefix("/tools").unwrap().to_owned();
    assert_eq!(post(server.addr, &forwarded, "ada", PING).await, 202);
    assert_eq!(stream.message().await, PING);
    // And one that does not strip.
    assert_eq!(post(server.addr, &stream.endpoint, "ada", PING).await, 202);
    assert_eq!(stream.message().await, PING);
}
