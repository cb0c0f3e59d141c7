//! POST on the message endpoint: one message of the client.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use mcp_core::{Body, Clock, Identity};

use crate::answer;
use crate::envelope::is_message;
use crate::limits::SseLimits;
use crate::queue::Refused;
use crate::service::SseService;
use crate::session::Message;

/// Checks a message and queues it for the session's handler.
pub(crate) async fn accept(service: &SseService, head: Parts, body: Body) -> Response<Body> {
    if head.method != Method::POST {
        return answer::wrong_method("POST");
    }
    let Some(caller) = head.extensions.get::<Identity>() else {
        return answer::no_identity();
    };
    let limits = &service.settings().limits;
    if service.registry().is_closing() {
        return answer::later(StatusCode::SERVICE_UNAVAILABLE, limits.retry_after, "Shutting down");
    }
    let Some(id) = session_id(head.uri.query().unwrap_or("")) else {
        return answer::text(StatusCode::BAD_REQUEST, "The query must name one sessionId");
    };
    // Before anything else about the request is judged: what is said about it must not depend on whether the
    // session of somebody else exists.
    let Some(line) = service.registry().find(id, caller) else {
        return answer::no_session();
    };
    if !is_json(&head.headers) {
        return answer::text(StatusCode::UNSUPPORTED_MEDIA_TYPE, "The Content-Type must be application/json");
    }
    let json = match read(body, limits, &*service.settings().clock).await {
        Ok(json) => json,
        Err(refusal) => return refusal,
    };
    if !is_message(&json) {
        return answer::text(StatusCode::BAD_REQUEST, "The body must be one JSON-RPC message");
    }
    let bytes = json.len();
    match line.incoming.push(Message { head, json }, bytes, line.incoming_room()) {
        Ok(()) => answer::text(StatusCode::ACCEPTED, "Accepted"),
        Err(Refused::Full(_)) => answer::later(
            StatusCode::SERVICE_UNAVAILABLE,
            limits.retry_after,
            "Too many messages are waiting",
        ),
        Err(Refused::Closed) => answer::no_session(),
    }
}

/// The one session id of a query, under the name that the TypeScript or the Python SDK gives it.
fn session_id(query: &str) -> Option<&str> {
    let mut found = None;
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        if matches!(name, "sessionId" | "session_id") && found.replace(value).is_some() {
            return None;
        }
    }
    found.filter(|id| !id.is_empty())
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let Ok(value) = value.to_str() else { return false };
    let essence = value.split_once(';').map_or(value, |(essence, _)| essence);
    essence.trim().eq_ignore_ascii_case("application/json")
}

async fn read(body: Body, limits: &SseLimits, clock: &dyn Clock) -> Result<Bytes, Response<Body>> {
    let too_large = || answer::text(StatusCode::PAYLOAD_TOO_LARGE, "The message is too large");
    if http_body::Body::size_hint(&body).lower() > limits.max_body as u64 {
        return Err(too_large());
    }
    let mut reading = pin!(Limited::new(body, limits.max_body).collect());
    let mut deadline = None;
    let read = poll_fn(|cx| {
        if let Poll::Ready(read) = reading.as_mut().poll(cx) {
            return Poll::Ready(Some(read));
        }
        // Most bodies are there already and need no timer.
        let deadline = deadline.get_or_insert_with(|| clock.sleep(limits.body_timeout));
        deadline.as_mut().poll(cx).map(|()| None)
    });
    match read.await {
        Some(Ok(collected)) => Ok(collected.to_bytes()),
        Some(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Some(Err(_)) => Err(answer::text(StatusCode::BAD_REQUEST, "The body could not be read")),
        None => Err(answer::text(StatusCode::REQUEST_TIMEOUT, "The body took too long to arrive")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    // covers: SSE-04
    #[test]
    fn one_session_id_is_read_under_either_name() {
        assert_eq!(session_id("sessionId=abc"), Some("abc"));
        assert_eq!(session_id("x=1&session_id=abc&y"), Some("abc"));
        assert_eq!(session_id(""), None);
        assert_eq!(session_id("sessionId="), None);
        assert_eq!(session_id("sessionid=abc"), None);
        assert_eq!(session_id("sessionId=a&sessionId=b"), None);
        assert_eq!(session_id("sessionId=a&session_id=a"), None);
    }

    #[test]
    fn only_json_is_json() {
        let check = |value: &'static str, expected: bool| {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))]);
            assert_eq!(is_json(&headers), expected, "{value}");
        };
        check("application/json", true);
        check("Application/JSON; charset=utf-8", true);
        check("text/plain", false);
        check("application/json-patch+json", false);
        check("text/plain; application/json", false);
        assert!(!is_json(&HeaderMap::new()));
    }
}
