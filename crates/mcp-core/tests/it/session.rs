//! Sessions and streams belong to their caller.

use std::time::Duration;

use http::Method;
use mcp_core::policy::Policy;
use mcp_core::{Body, BoxService, Clock};

use crate::support::{Endless, Served, Tokens, builder, caller, mirror, serve};

/// Issues a session on every POST without one, mirrors the rest.
fn sessions() -> BoxService {
    let mirror = mirror();
    BoxService::from_fn(move |request: http::Request<Body>| {
        let mut mirror = mirror.clone();
        async move {
            let new = request.method() == Method::POST && !request.headers().contains_key("mcp-session-id");
            let Ok(mut response) = tower_service::Service::call(&mut mirror, request).await;
            if new {
                response.headers_mut().insert("mcp-session-id", "inner.id".parse().unwrap());
            }
            response
        }
    })
}

async fn served(policy: Policy) -> Served {
    let tokens = Tokens::default()
        .with("ada", caller("ada", ""))
        .with("bob", caller("bob", ""))
        .with("ada-ide", mcp_core::Identity::new("https://idp.example.com", "ada").client("ide").build());
    serve("", |site| site.resource("/mcp", sessions()).resource("/b", sessions()).auth(tokens).policy(policy))
        .await
}

// covers: TL-03, TL-04, TL-05, SEC-04, SEC-05, TR-20, TR-26
#[tokio::test]
async fn no_session_works_in_other_hands() {
    let served = served(Policy::new()).await;
    let opened = served.client.post("/mcp").bearer("ada").send().await;
    let session = opened.header("mcp-session-id").unwrap().to_owned();
    assert!(session.bytes().all(|b| (0x21..=0x7e).contains(&b)));
    let with = |method: Method, path: &str, token: &str, id: &str| {
        served.client.request(method, path).bearer(token).header("mcp-session-id", id).send()
    };
    for method in [Method::POST, Method::GET, Method::DELETE] {
        let seen = with(method.clone(), "/mcp", "ada", &session).await.expect_status(200).json();
        assert_eq!(seen["headers"]["mcp-session-id"], "inner.id");
        for token in ["bob", "ada-ide"] {
            let answer = with(method.clone(), "/mcp", token, &session).await.expect_status(404);
            if method != Method::GET {
                // Outside everything JSON-RPC and MCP keep for themselves.
                let code = answer.json()["error"]["code"].as_i64().unwrap();
                assert!(!(-32_768..=-32_000).contains(&code), "{code}");
            }
        }
        with(method.clone(), "/b", "ada", &session).await.expect_status(404);
        with(method.clone(), "/mcp", "ada", "inner.id").await.expect_status(404);
        with(method.clone(), "/mcp", "ada", &format!("{session}x")).await.expect_status(404);
        let twice = served.client.request(method.clone(), "/mcp").bearer("ada");
        let twice = twice.header("mcp-session-id", &session).header("mcp-session-id", &session).send().await;
        twice.expect_status(404);
        let answer = served.client.request(method, "/mcp").header("mcp-session-id", &session).send().await;
        answer.expect_status(401);
    }
    let events = served.events.0.lock().unwrap();
    assert!(events.iter().any(|event| event.kind.as_str() == "session"));
}

// covers: TR-03
#[tokio::test]
async fn takes_session_ids_off_where_there_are_none() {
    let served = served(Policy::new()).await;
    let post = |version: &str| {
        let request = served.client.post("/mcp").bearer("ada").header("mcp-session-id", "stale");
        request.header("mcp-protocol-version", version).send()
    };
    let seen = post("2026-07-28").await.expect_status(200).json();
    assert_eq!(seen["headers"].get("mcp-session-id"), None);
    post("2025-11-25").await.expect_status(404);
}

// covers: TL-07
#[tokio::test]
async fn a_session_outlives_signing_in_but_its_streams_tell_nothing_new() {
    let served = served(Policy::new().allow_anonymous_tool("search")).await;
    let initialize = serde_json::json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize" });
    let opened = served.client.post("/mcp").json(&initialize).send().await.expect_status(200);
    let session = opened.header("mcp-session-id").unwrap().to_owned();
    let call = served.client.post("/mcp").bearer("ada").header("mcp-session-id", &session).json(&initialize);
    call.send().await.expect_status(200);
    // Whoever knows the id may listen, but not have what was said to ada replayed.
    let listen = served.client.get("/mcp").header("mcp-session-id", &session).header("last-event-id", "0/1");
    let seen = listen.send().await.expect_status(200).json();
    assert_eq!(seen["headers"].get("last-event-id"), None);
    let own = served.client.post("/mcp").bearer("ada").send().await;
    let own = own.header("mcp-session-id").unwrap().to_owned();
    served.client.get("/mcp").header("mcp-session-id", &own).send().await.expect_status(404);
}

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
        let host = served.url.strip_prefix("http://").unwrap();
        let request = http::Request::get("/mcp").header("authorization", "Bearer ada").header("host", host);
        let mut site = served.site.clone();
        let answer =
            tower_service::Service::call(&mut site, request.body(Body::empty()).unwrap()).await.unwrap();
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
