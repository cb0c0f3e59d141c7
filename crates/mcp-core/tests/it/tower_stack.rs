//! The layer among tower's own: what users put together with a `ServiceBuilder`.

use std::convert::Infallible;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt;
use mcp_core::{AuthLayer, Body, Identity, Policy, ProtectedResource};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

use crate::support::{Tokens, caller};

async fn layer(policy: Policy) -> AuthLayer {
    let site = "https://mcp.test".parse().unwrap();
    let tokens = Tokens::default().with("ada", caller("ada", ""));
    AuthLayer::new(tokens, ProtectedResource::new(&site, "/mcp")).policy(policy).build().await.unwrap()
}

/// Answers with who called, and with whether the token came along.
async fn whoami(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let caller = request.extensions().get::<Identity>().unwrap();
    let token = request.headers().contains_key("authorization");
    Ok(Response::new(Body::from(format!("{}, token: {token}", caller.subject()))))
}

fn request(token: Option<&str>, body: &'static str) -> Request<Body> {
    let request = Request::post("/mcp").header("content-type", "application/json");
    let request = match token {
        Some(token) => request.header("authorization", format!("Bearer {token}")),
        None => request,
    };
    request.body(Body::from(body.to_owned())).unwrap()
}

async fn text(response: Response<Body>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

// covers: AUTH-11, AUTH-14
#[tokio::test]
async fn a_stack_of_tower_layers_with_authentication_in_the_middle() {
    let stack = ServiceBuilder::new()
        .boxed_clone()
        .concurrency_limit(64)
        .map_response(|mut response: Response<Body>| {
            response.headers_mut().insert("x-outer", http::HeaderValue::from_static("seen"));
            response
        })
        .layer(layer(Policy::new()).await)
        .map_request(|mut request: Request<Body>| {
            assert!(request.extensions().get::<Identity>().is_some(), "below, the caller is known");
            request.headers_mut().insert("x-inner", http::HeaderValue::from_static("seen"));
            request
        })
        .service(service_fn(whoami));

    let refused = stack.clone().oneshot(request(None, "{}")).await.unwrap();
    assert_eq!(refused.status(), 401);
    assert_eq!(refused.headers()["x-outer"], "seen");
    assert!(refused.headers()["www-authenticate"].to_str().unwrap().starts_with("Bearer resource_metadata="));
    let answer = stack.oneshot(request(Some("ada"), "{}")).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(text(answer).await, "ada, token: false");
}

/// `ConcurrencyLimit` panics when it is called without having been polled ready, and is not ready while one is under way:
/// so it shows whether the layer calls the very service that it polled, and gives back what it does not use.
#[tokio::test]
async fn the_service_that_was_polled_ready_is_the_one_that_is_called() {
    // With a rule for anonymous callers the body is read first, which takes a while; without, the way is the short one.
    let reading = Policy::new().allow_anonymous_tool("search");
    for policy in [Policy::new(), reading] {
        let mut service =
            ServiceBuilder::new().layer(layer(policy).await).concurrency_limit(1).service(service_fn(whoami));
        for (token, status) in [(None, 401), (Some("ada"), 200), (Some("eve"), 401), (Some("ada"), 200)] {
            let ready = tokio::time::timeout(Duration::from_secs(10), service.ready());
            let service = ready.await.expect("a permit was not given back").unwrap();
            let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete"}}"#;
            let response = service.call(request(token, body)).await.unwrap();
            assert_eq!(response.status(), status, "{token:?}");
        }
    }
}
