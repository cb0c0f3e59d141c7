//! Sessions and streams belong to their caller.

use http::Method;
use mcp_core::policy::Policy;
use mcp_core::{Body, BoxService};

use crate::support::{Served, Tokens, caller, mirror, serve};

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

// covers: TL-05, SEC-04, SEC-05, TR-20
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
async fn whoever_signs_in_gets_a_session_of_its_own() {
    let served = served(Policy::new().allow_anonymous_tool("search")).await;
    let initialize = serde_json::json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize" });
    let opened = served.client.post("/mcp").json(&initialize).send().await.expect_status(200);
    let session = opened.header("mcp-session-id").unwrap().to_owned();
    // Somebody who knows the id and nothing else may listen there: what is said to ada must not be.
    for method in [Method::POST, Method::GET, Method::DELETE] {
        let call = served.client.request(method, "/mcp").bearer("ada").header("mcp-session-id", &session);
        call.json(&initialize).send().await.expect_status(404);
    }
    let call = served.client.post("/mcp").header("mcp-session-id", &session).json(&initialize);
    call.send().await.expect_status(200);
    let own = served.client.post("/mcp").bearer("ada").send().await;
    let own = own.header("mcp-session-id").unwrap().to_owned();
    served.client.get("/mcp").header("mcp-session-id", &own).send().await.expect_status(404);
}
