//! Streams end with the credential they were opened by.

use std::time::Duration;

use http_body_util::BodyExt;
use mcp_core::{Body, BoxService, Clock};

use crate::support::{Endless, Served, Tokens, builder, caller, serve};

/// One event, then silence.
fn ticking(content_type: &'static str) -> BoxService {
    BoxService::from_fn(move |_| async move {
        let mut response = http::Response::new(Body::new(Endless::new()));
        response.headers_mut().insert("content-type", content_type.parse().unwrap());
        response
    })
}

async fn streaming(tokens: Tokens) -> Served {
    streaming_as("text/event-stream", tokens).await
}

async fn streaming_as(content_type: &'static str, tokens: Tokens) -> Served {
    let stream = || ticking(content_type);
    serve("", |site| site.resource("/mcp", stream()).resource("/b", stream()).auth(tokens)).await
}

/// Opens a stream and reads its first event.
async fn open(served: &Served, token: &str) -> mcp_auth_testkit::Events {
    open_at("/mcp", served, token).await
}

async fn open_at(path: &str, served: &Served, token: &str) -> mcp_auth_testkit::Events {
    let mut events = served.client.get(path).bearer(token).send().await.expect_status(200).events();
    assert_eq!(events.next().await.unwrap().data, "begun");
    events
}

// covers: U-08
#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let tokens = Tokens::default();
    let served = streaming(tokens.clone()).await;
    let soon = served.clock.now() + Duration::from_secs(45);
    let _ = tokens.clone().with("short", builder("ada", "").expires_at(soon).build());
    let mut events = open(&served, "short").await;
    served.clock.until_sleeping(1).await;
    served.clock.advance(Duration::from_secs(30));
    served.clock.until_sleeping(1).await;
    assert_eq!(served.site.open_streams(), 1);
    served.clock.advance(Duration::from_secs(15));
    assert_eq!(events.next().await, None);
    let ended = served.events.0.lock().unwrap().iter().any(|event| event.kind.as_str() == "stream_ended");
    assert!(ended);
}

#[tokio::test]
async fn a_later_token_of_the_same_caller_prolongs_a_stream() {
    let tokens = Tokens::default();
    let served = streaming(tokens.clone()).await;
    let now = served.clock.now();
    let until = |seconds| builder("ada", "").expires_at(now + Duration::from_secs(seconds)).build();
    let other = builder("bob", "").expires_at(now + Duration::from_secs(300)).build();
    let _ = tokens.with("first", until(20)).with("second", until(100)).with("other", other);
    let mut events = open(&served, "first").await;
    served.clock.until_sleeping(1).await;
    // Another caller's token does nothing for this stream, a later one of its own does.
    drop(open(&served, "other").await);
    drop(open(&served, "second").await);
    while served.site.open_streams() > 1 {
        tokio::task::yield_now().await;
    }
    served.clock.advance(Duration::from_secs(20));
    served.clock.until_sleeping(1).await;
    assert_eq!(served.site.open_streams(), 1);
    for _ in 0..2 {
        served.clock.advance(Duration::from_secs(30));
        served.clock.until_sleeping(1).await;
    }
    served.clock.advance(Duration::from_secs(20));
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn a_stream_ends_soon_after_a_revocation_and_outlives_an_outage() {
    let tokens = Tokens::default().with("ada", caller("ada", ""));
    let served = streaming(tokens.clone()).await;
    let mut events = open(&served, "ada").await;
    served.clock.until_sleeping(1).await;
    tokens.go_down(true);
    served.clock.advance(Duration::from_secs(30));
    served.clock.until_sleeping(1).await;
    assert_eq!(served.site.open_streams(), 1);
    tokens.go_down(false);
    tokens.revoke("ada");
    served.clock.advance(Duration::from_secs(30));
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn nothing_is_left_of_a_stream_whose_client_went() {
    let tokens = Tokens::default().with("ada", caller("ada", ""));
    let served = streaming(tokens).await;
    let events = open(&served, "ada").await;
    assert_eq!(served.site.open_streams(), 1);
    drop(events);
    while served.site.open_streams() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(served.clock.sleepers(), 0);
}

/// Opens a stream for 20 seconds, shows a later token, and says whether the stream outlives its own.
async fn outlives(held: &str, later: &str, at: &str) -> bool {
    let tokens = Tokens::default();
    let served = streaming(tokens.clone()).await;
    let now = served.clock.now();
    let until =
        |scopes, seconds| builder("ada", scopes).expires_at(now + Duration::from_secs(seconds)).build();
    let _ = tokens.with("first", until(held, 20)).with("later", until(later, 100));
    let mut events = open(&served, "first").await;
    served.clock.until_sleeping(1).await;
    drop(open_at(at, &served, "later").await);
    while served.site.open_streams() > 1 {
        tokio::task::yield_now().await;
    }
    served.clock.advance(Duration::from_secs(20));
    match tokio::time::timeout(Duration::from_secs(1), events.next()).await {
        Ok(end) => {
            assert_eq!(end, None);
            false
        }
        Err(_) => true,
    }
}

/// Opens a stream with one credential, shows another of the same caller, withdraws one of them, and says whether the
/// stream is there a minute later.
async fn survives(withdrawn: &str) -> bool {
    let key = |id: &str| builder("ada", "").token_id(id).build();
    let tokens = Tokens::default().with("old", key("old")).with("new", key("new"));
    let served = streaming(tokens.clone()).await;
    let mut events = open(&served, "old").await;
    served.clock.until_sleeping(1).await;
    drop(open(&served, "new").await);
    while served.site.open_streams() > 1 {
        tokio::task::yield_now().await;
    }
    tokens.revoke(withdrawn);
    served.clock.advance(Duration::from_secs(30));
    tokio::time::timeout(Duration::from_secs(1), events.next()).await.is_err()
}

// A key that was stolen is replaced by its owner, and then withdrawn: the thief's stream must not live on the new one.
// covers: U-08
#[tokio::test]
async fn a_withdrawn_credential_ends_its_streams_though_its_owner_has_another() {
    assert!(!survives("old").await);
    assert!(survives("new").await);
}

/// Always has another event at hand.
struct Torrent;

impl http_body::Body for Torrent {
    type Data = bytes::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, Self::Error>>> {
        let event = http_body::Frame::data(bytes::Bytes::from_static(b"data: more\n\n"));
        std::task::Poll::Ready(Some(Ok(event)))
    }
}

/// What a site answers, without a socket, to a GET of ada's.
async fn answer(served: &Served) -> http::Response<Body> {
    let host = served.url.strip_prefix("http://").unwrap();
    let request = http::Request::get("/mcp").header("authorization", "Bearer ada").header("host", host);
    let mut site = served.site.clone();
    tower_service::Service::call(&mut site, request.body(Body::empty()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_stream_that_never_waits_is_watched_as_well() {
    let tokens = Tokens::default();
    let torrent = BoxService::from_fn(|_| async {
        let mut response = http::Response::new(Body::new(Torrent));
        response.headers_mut().insert("content-type", "text/event-stream".parse().unwrap());
        response
    });
    let served = serve("", |site| site.resource("/mcp", torrent).auth(tokens.clone())).await;
    let soon = served.clock.now() + Duration::from_secs(5);
    let _ = tokens.with("ada", builder("ada", "").expires_at(soon).build());
    let mut body = answer(&served).await.into_body();
    served.clock.advance(Duration::from_secs(5));
    let mut frames = 0;
    while body.frame().await.is_some() {
        frames += 1;
        assert!(frames < 10, "the stream outlives its credential");
    }
}

#[tokio::test]
async fn an_answer_that_is_there_as_a_whole_is_no_stream() {
    let whole = BoxService::from_fn(|_| async {
        let mut response = http::Response::new(Body::from("data: all\n\n"));
        response.headers_mut().insert("content-type", "text/event-stream".parse().unwrap());
        response
    });
    let tokens = Tokens::default().with("ada", caller("ada", ""));
    let served = serve("", |site| site.resource("/mcp", whole).auth(tokens)).await;
    let answer = answer(&served).await;
    assert_eq!(served.site.open_streams(), 0);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "data: all\n\n");
}

// covers: AUTH-09, SEC-12
#[tokio::test]
async fn a_stream_is_prolonged_only_by_a_token_that_could_have_opened_it() {
    assert!(outlives("read", "read", "/mcp").await);
    assert!(outlives("read", "read write", "/mcp").await);
    assert!(!outlives("read write", "read", "/mcp").await, "a weaker token keeps a stronger stream alive");
    assert!(!outlives("read", "read", "/b").await, "a token for another resource keeps a stream alive");
}

#[tokio::test]
async fn a_stream_is_watched_however_its_type_is_spelled() {
    let tokens = Tokens::default().with("ada", caller("ada", ""));
    for spelling in ["Text/Event-Stream", "text/event-stream;charset=utf-8"] {
        let served = streaming_as(spelling, tokens.clone()).await;
        let answer = answer(&served).await;
        assert_eq!(served.site.open_streams(), 1, "{spelling}");
        drop(answer);
        assert_eq!(served.site.open_streams(), 0, "{spelling}");
    }
}

#[tokio::test]
async fn a_stream_ends_with_its_token_though_nobody_answers_whether_it_is_good() {
    let tokens = Tokens::default();
    let served = streaming(tokens.clone()).await;
    let soon = served.clock.now() + Duration::from_secs(45);
    tokens.hang();
    let _ = tokens.with("short", builder("ada", "").expires_at(soon).build());
    let mut events = open(&served, "short").await;
    served.clock.until_sleeping(1).await;
    served.clock.advance(Duration::from_secs(30));
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    served.clock.advance(Duration::from_secs(15));
    let end = tokio::time::timeout(Duration::from_secs(5), events.next()).await;
    assert_eq!(end, Ok(None));
}
