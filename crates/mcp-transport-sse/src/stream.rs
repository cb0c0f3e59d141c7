//! The body of the GET: the endpoint event, then messages, with comments in the silence between.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;
use mcp_core::Sleep;

use crate::event;
use crate::registry::Registered;

/// The stream of one session. The session ends with it.
pub(crate) struct EventStream {
    session: Registered,
    began: bool,
    silence: Option<Sleep>,
}

impl EventStream {
    pub(crate) fn new(session: Registered) -> Self {
        Self { session, began: false, silence: None }
    }
}

impl http_body::Body for EventStream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        let line = &this.session.line;
        let settings = &line.settings;
        if !this.began {
            this.began = true;
            // spec SSE-02: the first event says where to POST to.
            let endpoint = format!("{}?sessionId={}", settings.messages, line.id);
            return Poll::Ready(Some(Ok(Frame::data(event::encode("endpoint", endpoint.as_bytes())))));
        }
        match line.outgoing.poll_pop(cx) {
            Poll::Ready(Some(json)) => {
                this.silence = None;
                Poll::Ready(Some(Ok(Frame::data(event::encode("message", &json)))))
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                let interval = settings.limits.keep_alive;
                let silence = this.silence.get_or_insert_with(|| settings.clock.sleep(interval));
                if silence.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                this.silence = None;
                Poll::Ready(Some(Ok(Frame::data(event::KEEP_ALIVE))))
            }
        }
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream").field("session", &self.session).finish_non_exhaustive()
    }
}
