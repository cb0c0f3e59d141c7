//! Ends: the client goes, the handler goes, the server goes.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use mcp_transport_sse::{Session, SseLimits, SseService};
use tokio::sync::{mpsc, oneshot};

use crate::client::{PING, Stream, call, post, request};
use crate::server::{Clockwork, echo, echo_server, eventually, serve};

struct Dropped(mpsc::UnboundedSender<()>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[tokio::test]
async fn nothing_is_left_when_clients_go() {
    let (kept, mut dropped) = mpsc::unbounded_channel();
    let handler = move |session: Session| {
        session.outgoing.keep(Dropped(kept.clone()));
        echo(session)
    };
    let server = serve(SseService::new("/messages", handler)).await;
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();

    let mut streams = Vec::new();
    for _ in 0..20 {
        streams.push(Stream::open(server.addr, "/sse", "ada").await);
    }
    for stream in &mut streams {
        assert_eq!(post(server.addr, &stream.endpoint, "ada", PING).await, 202);
        assert_eq!(stream.message().await, PING);
    }
    let endpoint = streams[0].endpoint.clone();
    assert_eq!(server.sse.sessions(), 20);
    drop(streams);

    eventually("no session is left", || server.sse.sessions() == 0).await;
    for _ in 0..20 {
        dropped.recv().await.unwrap();
    }
    eventually("no task is left", || tasks() <= before).await;
    assert_eq!(post(server.addr, &endpoint, "ada", PING).await, 404);
}

#[tokio::test]
async fn a_value_kept_too_late_is_dropped_at_once() {
    let (kept, mut dropped) = mpsc::unbounded_channel();
    let handler = move |mut session: Session| {
        let kept = kept.clone();
        async move {
            assert!(session.incoming.recv().await.is_none());
            session.outgoing.keep(Dropped(kept));
        }
    };
    let server = serve(SseService::new("/messages", handler)).await;
    drop(Stream::open(server.addr, "/sse", "ada").await);
    dropped.recv().await.unwrap();
    assert_eq!(server.sse.sessions(), 0);
}

#[tokio::test]
async fn a_handler_that_goes_ends_the_stream() {
    let server = serve(SseService::new("/messages", |_session: Session| async {})).await;
    let mut stream = Stream::open(server.addr, "/sse", "ada").await;
    assert_eq!(stream.event().await, None);
    eventually("nothing is left", || server.sse.sessions() == 0).await;
}

#[tokio::test]
async fn shutting_down_lets_running_calls_finish() {
    let (finish, may_finish) = oneshot::channel::<()>();
    let may_finish = Arc::new(std::sync::Mutex::new(Some(may_finish)));
    let handler = move |mut session: Session| {
        let may_finish = may_finish.lock().unwrap().take();
        async move {
            let message = session.incoming.recv().await.unwrap();
            if let Some(may_finish) = may_finish {
                may_finish.await.unwrap();
            }
            session.outgoing.send(message.json).await.unwrap();
            assert!(session.incoming.recv().await.is_none());
        }
    };
    let server = serve(SseService::new("/messages", handler)).await;
    let mut stream = Stream::open(server.addr, "/sse", "ada").await;
    assert_eq!(post(server.addr, &stream.endpoint, "ada", PING).await, 202);

    let sse = server.sse.clone();
    let shutdown = tokio::spawn(async move { sse.shutdown(Duration::from_secs(60)).await });
    let mut refused = call(server.addr, request(Method::GET, "/sse", Some("ada"), "")).await;
    while refused.status == 200 {
        refused = call(server.addr, request(Method::GET, "/sse", Some("ada"), "")).await;
    }
    assert_eq!(refused.status, 503);
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(post(server.addr, &stream.endpoint, "ada", PING).await, 503);
    assert!(!shutdown.is_finished());

    finish.send(()).unwrap();
    assert_eq!(stream.message().await, PING);
    assert_eq!(stream.event().await, None);
    shutdown.await.unwrap();
    assert_eq!(server.sse.sessions(), 0);
}

#[tokio::test]
async fn shutting_down_cuts_what_does_not_end() {
    async fn stubborn(session: Session) {
        session.outgoing.closed().await;
    }
    let clock = Clockwork::new();
    let sse = SseService::new("/messages", stubborn).clock(Arc::new(clock.clone()));
    let server = serve(sse.clone()).await;
    let mut stream = Stream::open(server.addr, "/sse", "ada").await;
    eventually("the stream is silent", || clock.sleepers() == 1).await;
    let shutdown = tokio::spawn(async move { sse.shutdown(Duration::from_secs(10)).await });
    eventually("the shutdown waits", || clock.sleepers() == 2).await;
    clock.advance(Duration::from_secs(10));
    assert_eq!(stream.event().await, None);
    shutdown.await.unwrap();
    eventually("nothing is left", || server.sse.sessions() == 0).await;
}

#[tokio::test]
async fn an_idle_server_shuts_down_at_once() {
    let server = echo_server(SseLimits::default()).await;
    server.sse.shutdown(Duration::from_secs(3600)).await;
}
