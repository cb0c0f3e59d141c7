//! The service before rmcp's, which knows who asks for a session and says why there is none.

use std::cell::Cell;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method, Response, StatusCode};
use mcp_core::{Body, BoxService, Identity};
use tower_service::Service;

use super::places::Refusal;

tokio::task_local! {
    /// The request that is being handled: rmcp asks for a session without saying for whom.
    pub(super) static OPENING: Opening;
}

/// A request that may open a session.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) caller: Identity,
    pub(super) refused: Cell<Option<Refusal>>,
}

/// rmcp's service with bounded sessions. Where [`Sessions`](super::Sessions) has no place, the answer is 429 or 503.
pub(crate) fn bounded(inner: BoxService, retry_after: Duration) -> BoxService {
    BoxService::from_boxed(move |request| {
        let may_open = request.method() == Method::POST && !request.headers().contains_key("mcp-session-id");
        let caller = request.extensions().get::<Identity>().filter(|_| may_open).cloned();
        let mut answer = inner.clone().call(request);
        let Some(caller) = caller else { return answer };
        let opening = Opening { caller, refused: Cell::new(None) };
        let answer = poll_fn(move |cx| match answer.as_mut().poll(cx) {
            Poll::Ready(answer) => Poll::Ready(answer),
            // Whoever set this waits for ever. Told by an error, rmcp would answer 500 and log each of them as one.
            Poll::Pending => match OPENING.with(|opening| opening.refused.get()) {
                Some(refusal) => Poll::Ready(Ok(refused(refusal, retry_after))),
                None => Poll::Pending,
            },
        });
        Box::pin(OPENING.scope(opening, answer))
    })
}

/// The same answers as the SSE transport's.
fn refused(refusal: Refusal, wait: Duration) -> Response<Body> {
    let status = match refusal {
        Refusal::TooManyOfYours => StatusCode::TOO_MANY_REQUESTS,
        Refusal::TooMany => {
            tracing::warn!("as many sessions as the limit allows: one was refused");
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    let mut response = Response::new(Body::from("Too many sessions"));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    response
}
