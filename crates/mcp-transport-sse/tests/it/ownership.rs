//! A session is its opener's alone.

use http::Method;
use mcp_core::Identity;
use mcp_transport_sse::{Session, SseLimits, SseService};

use crate::client::{PING, Stream, call, post, request};
use crate::server::{echo_server, serve};

// covers: SSE-05, TL-05
#[tokio::test]
async fn somebody_elses_session_does_not_exist() {
    let server = echo_server(SseLimits::default()).await;
    let mut stream = Stream::open(server.addr, "/sse", "ada").await;
    let stolen = call(server.addr, request(Method::POST, &stream.endpoint, Some("bob"), PING)).await;
    let unknown = call(server.addr, request(Method::POST, "/messages?sessionId=x", Some("bob"), PING)).await;
    assert_eq!(stolen.status, 404);
    assert_eq!((stolen.status, stolen.body), (unknown.status, unknown.body));
    // Not even by a message that would be refused for another reason.
    assert_eq!(post(server.addr, &stream.endpoint, "bob", "{").await, 404);
    assert_eq!(post(server.addr, &stream.endpoint, "nobody", PING).await, 404);

    // Nothing reached the session, and its owner goes on using it.
    assert_eq!(post(server.addr, &stream.endpoint, "ada", PING).await, 202);
    assert_eq!(stream.message().await, PING);
}

// covers: SSE-05
#[tokio::test]
async fn an_anonymous_session_takes_no_signed_in_messages() {
    let server = echo_server(SseLimits::default()).await;
    let mut stream = Stream::open(server.addr, "/sse", "nobody").await;
    assert_eq!(post(server.addr, &stream.endpoint, "ada", PING).await, 404);
    assert_eq!(post(server.addr, &stream.endpoint, "nobody", PING).await, 202);
    assert_eq!(stream.message().await, PING);
}

// covers: SSE-05
#[tokio::test]
async fn without_an_identity_nothing_is_served() {
    let server = echo_server(SseLimits::default()).await;
    let answer = call(server.addr, request(Method::GET, "/sse", None, "")).await;
    assert_eq!(answer.status, 500);
    assert_eq!(server.sse.sessions(), 0);

    let stream = Stream::open(server.addr, "/sse", "nobody").await;
    let answer = call(server.addr, request(Method::POST, &stream.endpoint, None, PING)).await;
    assert_eq!(answer.status, 500);
}

#[tokio::test]
async fn each_message_carries_its_own_identity() {
    async fn who(mut session: Session) {
        assert_eq!(session.owner().subject().as_str(), "ada");
        while let Some(message) = session.incoming.recv().await {
            let caller = message.head.extensions.get::<Identity>().unwrap();
            let _ = session.outgoing.send(format!("\"{}\"", caller.subject())).await;
        }
    }
    let server = serve(SseService::new("/messages", who)).await;
    let mut stream = Stream::open(server.addr, "/sse", "ada").await;
    assert_eq!(post(server.addr, &stream.endpoint, "ada", PING).await, 202);
    assert_eq!(stream.message().await, "\"ada\"");
}
