//! The answer a service behind authentication is working on.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderValue, Response};

use crate::gate::Gate;
use crate::service::BoxFuture;
use crate::{Body, Identity, cors};

/// The future of an answer. Dropping it stops the work on the request.
pub struct ResponseFuture(State);

enum State {
    Boxed(Pin<Box<dyn Future<Output = Response<Body>> + Send>>),
    /// What most requests come to: admitted at once, so that nothing but the answer is waited for.
    Admitted(Admitted),
}

/// An answer to a caller who was let in.
struct Admitted {
    answer: BoxFuture,
    gate: Arc<Gate>,
    identity: Identity,
    origin: Option<HeaderValue>,
}

impl ResponseFuture {
    pub(crate) fn new(answer: impl Future<Output = Response<Body>> + Send + 'static) -> Self {
        Self(State::Boxed(Box::pin(answer)))
    }

    /// The answer of a service to a caller who was let in, readable for the page it came from.
    pub(crate) fn admitted(
        answer: BoxFuture,
        gate: Arc<Gate>,
        identity: Identity,
        origin: Option<HeaderValue>,
    ) -> Self {
        Self(State::Admitted(Admitted { answer, gate, identity, origin }))
    }
}

impl Future for ResponseFuture {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Boxed(answer) => answer.as_mut().poll(cx).map(Ok),
            State::Admitted(admitted) => admitted.answer.as_mut().poll(cx).map_ok(|response| {
                let mut response = admitted.gate.finish(&admitted.identity, response);
                if let Some(origin) = &admitted.origin {
                    cors::allow(response.headers_mut(), origin);
                }
                response
            }),
        }
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseFuture")
    }
}
