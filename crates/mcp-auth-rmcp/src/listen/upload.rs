//! The body of a request, which must come in time.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use mcp_core::BoxError;
use tokio::time::Sleep;

/// A body that fails when it is not there after a while. Without it, a client that sends a byte a minute holds its
/// connection, and whoever reads, for as long as it likes.
#[derive(Debug)]
pub(super) struct Upload {
    inner: Incoming,
    limit: Duration,
    /// Only there once something was waited for: most bodies come with their head.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Upload {
    pub(super) fn new(inner: Incoming, limit: Duration) -> Self {
        Self { inner, limit, deadline: None }
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) {
            return Poll::Ready(frame.map(|read| read.map_err(Into::into)));
        }
        let limit = this.limit;
        let deadline = this.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        deadline.as_mut().poll(cx).map(|()| Some(Err(io::Error::from(io::ErrorKind::TimedOut).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
