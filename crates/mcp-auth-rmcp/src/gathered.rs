//! An answer that is there at once leaves in one piece.
//!
//! rmcp answers a call with an event stream, begins it before the call is made, and ends it behind the answer. Sent as they
//! come, the parts of even the shortest answer are two writes and two packets. So the stream is given the time in which
//! others have their turn; what is there by then goes out together, and is a stream no more if it came to its end.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{Response, StatusCode};
use http_body::{Body as HttpBody, Frame};
use http_body_util::combinators::BoxBody;
use mcp_core::{Body, BoxError};

type Stream = BoxBody<Bytes, Infallible>;

/// What is gathered at most, in bytes. More is a write of its own in any case.
const MOST: usize = 64 * 1024;

/// The answer to a POST, with what of its event stream is there already.
pub(crate) async fn gathered(response: Response<Stream>) -> Response<Body> {
    let kind = response.headers().get(CONTENT_TYPE).map(http::HeaderValue::as_bytes);
    if response.status() != StatusCode::OK || kind != Some(b"text/event-stream") {
        return response.map(Body::new);
    }
    let (head, mut stream) = response.into_parts();
    let mut begun = BytesMut::new();
    let mut ended = take(&mut stream, &mut begun).await;
    if !ended {
        tokio::task::yield_now().await;
        ended = take(&mut stream, &mut begun).await;
    }
    let begun = begun.freeze();
    let body = if ended { Body::from(begun) } else { Body::new(Rest { begun: Some(begun), stream }) };
    Response::from_parts(head, body)
}

/// Takes what is there; true at the end of the stream.
async fn take(stream: &mut Stream, begun: &mut BytesMut) -> bool {
    poll_fn(|cx| {
        while begun.len() < MOST {
            match Pin::new(&mut *stream).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    begun.extend_from_slice(frame.data_ref().map_or(&[], |data| data))
                }
                Poll::Ready(Some(Err(never))) => match never {},
                Poll::Ready(None) => return Poll::Ready(true),
                Poll::Pending => break,
            }
        }
        Poll::Ready(false)
    })
    .await
}

/// A stream whose beginning was taken.
struct Rest {
    begun: Option<Bytes>,
    stream: Stream,
}

impl HttpBody for Rest {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.begun.take().filter(|begun| !begun.is_empty()) {
            Some(begun) => Poll::Ready(Some(Ok(Frame::data(begun)))),
            None => Pin::new(&mut self.stream).poll_frame(cx).map_err(|never| match never {}),
        }
    }
}
