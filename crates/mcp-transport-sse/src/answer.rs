//! The short answers.

use std::time::Duration;

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use mcp_core::Body;

/// A status with a line of text.
pub(crate) fn text(status: StatusCode, line: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(line));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A status that passes: come back later.
pub(crate) fn later(status: StatusCode, wait: Duration, line: &'static str) -> Response<Body> {
    let mut response = text(status, line);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    response
}

/// 405, and what is allowed.
pub(crate) fn wrong_method(allowed: &'static str) -> Response<Body> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

/// 404, the same for a session that never was, that is over, and that is somebody else's.
pub(crate) fn no_session() -> Response<Body> {
    text(StatusCode::NOT_FOUND, "Session not found")
}

/// 500: the service stands where it must not.
pub(crate) fn no_identity() -> Response<Body> {
    tracing::error!(
        "a request without an Identity reached the SSE transport: put it behind an authenticator, for example as a \
         resource of mcp_core::Site"
    );
    text(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
}
