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

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use http_body_util::BodyExt;
    use proptest::prelude::*;

    use super::*;

    /// A stream that has these frames; `None` is a moment in which it has none.
    struct Script(VecDeque<Option<Vec<u8>>>);

    impl HttpBody for Script {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            match self.0.pop_front() {
                None => Poll::Ready(None),
                Some(Some(data)) => Poll::Ready(Some(Ok(Frame::data(data.into())))),
                Some(None) => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
            }
        }
    }

    async fn answer(script: &[Option<Vec<u8>>], kind: &'static str) -> Body {
        let stream = Script(script.iter().cloned().collect()).boxed();
        let response = Response::builder().header(CONTENT_TYPE, kind).body(stream).unwrap();
        gathered(response).await.into_body()
    }

    const EVENTS: &str = "text/event-stream";

    /// How long the whole body is, if that is known, and its first frame.
    async fn begin(script: &[Option<Vec<u8>>], kind: &'static str) -> (Option<u64>, Bytes) {
        let mut body = answer(script, kind).await;
        let known = body.size_hint().exact();
        let first = body.frame().await.unwrap().unwrap();
        (known, first.into_data().unwrap())
    }

    fn data(text: &str) -> Option<Vec<u8>> {
        Some(text.into())
    }

    #[tokio::test]
    async fn what_is_there_after_others_had_their_turn_goes_out_together() {
        // A pause while others have their turn …
        let (known, first) = begin(&[data("a"), None, data("b")], EVENTS).await;
        assert_eq!((known, first.as_ref()), (Some(2), &b"ab"[..]));
        // … and one that lasts longer.
        let (known, first) = begin(&[data("a"), None, data("b"), None, data("c")], EVENTS).await;
        assert_eq!((known, first.as_ref()), (None, &b"ab"[..]));
        let (known, first) = begin(&[data("a"), None, None, data("b")], EVENTS).await;
        assert_eq!((known, first.as_ref()), (None, &b"a"[..]));
    }

    #[tokio::test]
    async fn other_answers_stay_as_they_are() {
        let (known, first) = begin(&[data("a"), data("b")], "application/json").await;
        assert_eq!((known, first.as_ref()), (None, &b"a"[..]));
    }

    #[tokio::test]
    async fn a_long_answer_is_not_held_back() {
        let piece = vec![b'x'; MOST / 2];
        let script: Vec<_> = std::iter::repeat_n(Some(piece), 10).collect();
        let (known, first) = begin(&script, EVENTS).await;
        assert_eq!((known, first.len()), (None, MOST));
    }

    proptest::proptest! {
        #[test]
        fn no_byte_is_lost_or_moved(script: Vec<Option<Vec<u8>>>) {
            let sent: Vec<u8> = script.iter().flatten().flatten().copied().collect();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let received = runtime.block_on(async {
                answer(&script, EVENTS).await.collect().await.unwrap().to_bytes()
            });
            prop_assert_eq!(received.to_vec(), sent);
        }
    }
}
