//! GET on the stream endpoint: opens a session.

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use mcp_core::{Body, Identity};

use crate::answer;
use crate::registry::Refusal;
use crate::service::SseService;
use crate::session::Session;
use crate::stream::EventStream;

/// Answers with the stream of a new session, and hands the session to the handler.
pub(crate) fn open(service: &SseService, head: Parts) -> Response<Body> {
    if head.method != Method::GET {
        return answer::wrong_method("GET");
    }
    let Some(owner) = head.extensions.get::<Identity>() else {
        return answer::no_identity();
    };
    let wait = service.settings().limits.retry_after;
    let session = match service.registry().open(owner, service.settings()) {
        Ok(session) => session,
        Err(Refusal::TooManyOfYours) => {
            return answer::later(StatusCode::TOO_MANY_REQUESTS, wait, "Too many sessions");
        }
        Err(Refusal::TooMany) => {
            tracing::warn!("as many SSE sessions as the limit allows: one was refused");
            return answer::later(StatusCode::SERVICE_UNAVAILABLE, wait, "Too many sessions");
        }
        Err(Refusal::ShuttingDown) => {
            return answer::later(StatusCode::SERVICE_UNAVAILABLE, wait, "Shutting down");
        }
    };
    tokio::spawn(service.handler().serve(Session::new(head, &session.line)));
    let mut response = Response::new(Body::new(EventStream::new(session)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    // nginx would hold events back until a buffer is full.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}
