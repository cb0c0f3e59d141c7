//! The keys that access tokens can be checked with (RFC 7517 §5).
//!
//! Others may keep the set for five minutes: so late they learn that a key was taken back, and a new key is published long
//! before it signs. While the store cannot be read there is no answer rather than an old one: a key in it may have been taken
//! back, and whoever asked before goes on with what it has.

use std::sync::Arc;

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Request, Response};
use mcp_core::Body;

use crate::engine::Engine;
use crate::wire::OAuthError;

/// Answers with the set, which is empty where tokens are opaque.
pub(super) async fn answer(engine: Arc<Engine>, _: Request<Body>) -> Response<Body> {
    let set = match &engine.keys {
        Some(keys) => match keys.keep_up().await {
            Ok(()) => keys.jwks(),
            Err(error) => return OAuthError::from(error).into_response(),
        },
        None => serde_json::json!({ "keys": [] }),
    };
    let mut response = Response::new(Body::from(set.to_string()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    response
}
