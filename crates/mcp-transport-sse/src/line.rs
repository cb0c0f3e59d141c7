//! One session as its three parties share it: the stream, the POSTs and the handler.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use mcp_core::{Clock, Identity};

use crate::limits::SseLimits;
use crate::queue::{Queue, Room};
use crate::session::Message;

/// What all sessions of a service have in common.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Public path of the POST endpoint.
    pub(crate) messages: String,
    pub(crate) limits: SseLimits,
    pub(crate) clock: Arc<dyn Clock>,
}

/// The state of one session.
pub(crate) struct Line {
    pub(crate) id: Box<str>,
    pub(crate) owner: Identity,
    pub(crate) settings: Arc<Settings>,
    /// From the client's POSTs to the handler.
    pub(crate) incoming: Queue<Message>,
    /// From the handler to the client's stream.
    pub(crate) outgoing: Queue<Bytes>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    value: Option<Box<dyn Any + Send>>,
    over: bool,
}

impl Line {
    pub(crate) fn new(owner: Identity, settings: Arc<Settings>) -> Self {
        Self {
            id: mcp_core::random_id().into(),
            owner,
            settings,
            incoming: Queue::new(),
            outgoing: Queue::new(),
            kept: Mutex::default(),
        }
    }

    /// Whether this caller is the one who opened the session.
    ///
    /// An anonymous session is nobody's in particular, so it must not carry answers meant for somebody who signed in.
    pub(crate) fn belongs_to(&self, caller: &Identity) -> bool {
        self.owner.is_anonymous() == caller.is_anonymous() && self.owner.principal() == caller.principal()
    }

    pub(crate) fn incoming_room(&self) -> Room {
        Room { items: self.settings.limits.max_incoming, bytes: self.settings.limits.max_waiting_bytes }
    }

    pub(crate) fn outgoing_room(&self) -> Room {
        Room { items: self.settings.limits.max_outgoing, bytes: self.settings.limits.max_waiting_bytes }
    }

    pub(crate) fn keep(&self, value: Box<dyn Any + Send>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let replaced = if kept.over { Some(value) } else { kept.value.replace(value) };
        // Dropped outside the lock: what is kept may reach back to the session.
        drop(kept);
        drop(replaced);
    }

    /// Ends the session for everybody: nothing is taken any more and nothing that waits is delivered.
    pub(crate) fn end(&self) {
        self.incoming.abandon();
        self.outgoing.abandon();
        let kept = {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.over = true;
            kept.value.take()
        };
        drop(kept);
    }
}

impl fmt::Debug for Line {
    // The id opens the session together with a credential: it stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("owner", &self.owner).finish_non_exhaustive()
    }
}
