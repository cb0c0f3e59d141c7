//! From hyper's requests to the site, counting the calls that run.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use mcp_core::{Body, BoxError, Connection, ResponseFuture, Site};
use tokio::sync::Notify;
use tower_service::Service;

use super::upload::Upload;

/// The calls that run: requests whose answer is not complete, but for streams that have no end of their own.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    count: AtomicUsize,
    none: Notify,
}

impl InFlight {
    fn begin(self: &Arc<Self>) -> Call {
        self.count.fetch_add(1, Ordering::Relaxed);
        Call(self.clone())
    }

    /// Ready when none runs.
    pub(super) async fn none(&self) {
        loop {
            let mut none = std::pin::pin!(self.none.notified());
            none.as_mut().enable();
            if self.count.load(Ordering::Acquire) == 0 {
                return;
            }
            none.await;
        }
    }
}

/// One call that runs.
#[derive(Debug)]
pub(super) struct Call(Arc<InFlight>);

impl Drop for Call {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::Release) == 1 {
            self.0.none.notify_waiters();
        }
    }
}

/// The service of one connection.
#[derive(Debug)]
pub(super) struct Door {
    site: Site,
    connection: Connection,
    in_flight: Arc<InFlight>,
    body_timeout: Duration,
}

impl Door {
    pub(super) fn new(
        site: Site,
        connection: Connection,
        in_flight: Arc<InFlight>,
        body_timeout: Duration,
    ) -> Self {
        Self { site, connection, in_flight, body_timeout }
    }
}

impl hyper::service::Service<Request<Incoming>> for Door {
    type Response = Response<Counted>;
    type Error = Infallible;
    type Future = Answer;

    fn call(&self, mut request: Request<Incoming>) -> Answer {
        let call = (!is_endless(&request)).then(|| self.in_flight.begin());
        request.extensions_mut().insert(self.connection.clone());
        let request = request.map(|body| Upload::new(body, self.body_timeout));
        Answer { site: self.site.clone().call(request), call }
    }
}

/// Whether the answer is a stream that ends only with the server: GET, and `subscriptions/listen`, whose clients must
/// say so in a header.
fn is_endless<B>(request: &Request<B>) -> bool {
    request.method() == Method::GET
        || request.headers().get("mcp-method").is_some_and(|method| method == "subscriptions/listen")
}

/// The answer to come.
pub(super) struct Answer {
    site: ResponseFuture,
    call: Option<Call>,
}

impl Future for Answer {
    type Output = Result<Response<Counted>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let Poll::Ready(Ok(response)) = Pin::new(&mut this.site).poll(cx) else {
            return Poll::Pending;
        };
        let call = this.call.take();
        Poll::Ready(Ok(response.map(|body| Counted { body, call })))
    }
}

/// A body that counts as a running call until it is sent.
#[derive(Debug)]
pub(super) struct Counted {
    body: Body,
    call: Option<Call>,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            self.call = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
