//! What a handler gets of a session: a receiver of messages and a sender of messages.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use http::request::Parts;
use mcp_core::Identity;

use crate::line::Line;
use crate::queue::Refused;

/// Serves sessions: called once for each, on a task of its own.
///
/// Any `Fn(Session) -> impl Future<Output = ()>` is one. The session goes on after the future ends, as long as somebody
/// holds an [`Outgoing`] of it.
pub trait SessionHandler: Send + Sync + 'static {
    /// Takes a session that was just opened.
    fn serve(&self, session: Session) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

impl<F, Fut> SessionHandler for F
where
    F: Fn(Session) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    fn serve(&self, session: Session) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(self(session))
    }
}

/// A message of the client: one JSON-RPC message that came in one POST.
#[derive(Debug)]
#[non_exhaustive]
pub struct Message {
    /// The head of the POST. Its extensions hold the [`Identity`] of whoever sent it, which is the session's owner,
    /// but perhaps with another token and other scopes than the session was opened with.
    pub head: Parts,
    /// The message as it came: valid JSON, a request, notification or response of JSON-RPC 2.0.
    pub json: Bytes,
}

/// A session that a client opened.
#[derive(Debug)]
#[non_exhaustive]
pub struct Session {
    /// The head of the GET that opened the session.
    pub opener: Parts,
    /// What the client sends.
    pub incoming: Incoming,
    /// What the client gets.
    pub outgoing: Outgoing,
}

impl Session {
    pub(crate) fn new(opener: Parts, line: &Arc<Line>) -> Self {
        Self { opener, incoming: Incoming(line.clone()), outgoing: Outgoing(Arc::new(LastOne(line.clone()))) }
    }

    /// Who opened the session, and alone may use it.
    #[must_use]
    pub fn owner(&self) -> &Identity {
        &self.incoming.0.owner
    }
}

/// The messages of a client, in the order of its POSTs.
#[derive(Debug)]
pub struct Incoming(Arc<Line>);

impl Incoming {
    /// The next message. `None` when the client is gone, the session was closed or the server shuts down.
    ///
    /// # Cancel safety
    /// Dropping the future loses no message.
    pub async fn recv(&mut self) -> Option<Message> {
        poll_fn(|cx| self.0.incoming.poll_pop(cx)).await
    }
}

impl Stream for Incoming {
    type Item = Message;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        self.0.incoming.poll_pop(cx)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.0.incoming.abandon();
    }
}

/// The client's stream. Cheap to clone; the stream ends when the last clone is gone and all was sent.
#[derive(Clone)]
pub struct Outgoing(Arc<LastOne>);

struct LastOne(Arc<Line>);

impl Drop for LastOne {
    fn drop(&mut self) {
        self.0.outgoing.finish();
    }
}

/// Why a message did not reach the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The client is gone, or the session was closed.
    #[error("the session is over")]
    Closed,
    /// The client took nothing for as long as [`SseLimits::slow_reader`](crate::SseLimits::slow_reader) says; the
    /// session has been closed.
    #[error("the client reads too slowly: the session was closed")]
    SlowReader,
}

impl Outgoing {
    /// Sends one JSON-RPC message.
    ///
    /// It waits while more than the limits allow is waiting for the client. When the client takes nothing for too long,
    /// the whole session is closed: half a stream would be worse than none.
    ///
    /// # Errors
    /// When the session is over.
    ///
    /// # Cancel safety
    /// A message is queued as a whole or not at all.
    pub async fn send(&self, json: impl Into<Bytes>) -> Result<(), SendError> {
        let line = &self.0.0;
        let room = line.outgoing_room();
        let mut json = json.into();
        let mut patience = None;
        loop {
            let mut changed = std::pin::pin!(line.outgoing.changed());
            changed.as_mut().enable();
            let bytes = json.len();
            match line.outgoing.push(json, bytes, room) {
                Ok(()) => return Ok(()),
                Err(Refused::Closed) => return Err(SendError::Closed),
                Err(Refused::Full(again)) => json = again,
            }
            // Each time the client takes something, its patience starts anew.
            let settings = &line.settings;
            let limit = patience.insert(settings.clock.sleep(settings.limits.slow_reader));
            tokio::select! {
                () = changed => {}
                () = limit => {
                    tracing::info!(owner = ?line.owner, "a client reads too slowly: its session is closed");
                    line.end();
                    return Err(SendError::SlowReader);
                }
            }
        }
    }

    /// Waits until the session is over, whoever ended it.
    pub async fn closed(&self) {
        loop {
            let mut changed = std::pin::pin!(self.0.0.outgoing.changed());
            changed.as_mut().enable();
            if self.0.0.outgoing.is_closed() {
                return;
            }
            changed.await;
        }
    }

    /// Keeps a value as long as the session lasts, and drops it with the session: a handle whose drop stops the work
    /// that is done for the client. One value a session; a second one replaces the first.
    pub fn keep(&self, value: impl Send + 'static) {
        self.0.0.keep(Box::new(value));
    }

    /// Ends the stream after what was sent so far. Later messages are refused.
    pub fn finish(&self) {
        self.0.0.outgoing.finish();
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Outgoing").field(&self.0.0).finish()
    }
}
