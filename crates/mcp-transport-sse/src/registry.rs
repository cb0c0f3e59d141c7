//! Which sessions there are, and how many more there may be.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mcp_core::{Identity, Principal};
use tokio::sync::Notify;

use crate::line::{Line, Settings};

/// Why no session is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// This principal has as many as it may.
    TooManyOfYours,
    /// There are as many as there may be.
    TooMany,
    /// The server is about to go.
    ShuttingDown,
}

#[derive(Debug, Default)]
pub(crate) struct Registry {
    // A std mutex: held for a look-up, never across an await.
    state: Mutex<State>,
    one_less: Notify,
}

#[derive(Debug, Default)]
struct State {
    sessions: HashMap<Box<str>, Arc<Line>>,
    of_principal: HashMap<Principal, usize>,
    closing: bool,
}

impl State {
    /// Takes out a session that must give way to this caller's.
    ///
    /// Nobody bounds a single anonymous caller, so without this anybody could keep everybody out who signed in.
    fn make_room(&mut self, caller: &Identity) -> Option<Arc<Line>> {
        if caller.is_anonymous() {
            return None;
        }
        let id = self.sessions.values().find(|line| line.owner.is_anonymous())?.id.clone();
        self.sessions.remove(&id)
    }
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a session for a caller.
    pub(crate) fn open(
        self: &Arc<Self>,
        owner: &Identity,
        settings: &Arc<Settings>,
    ) -> Result<Registered, Refusal> {
        let mut state = self.lock();
        if state.closing {
            return Err(Refusal::ShuttingDown);
        }
        let held = state.of_principal.get(owner.principal()).copied().unwrap_or(0);
        if held >= settings.limits.max_sessions_per_principal {
            return Err(Refusal::TooManyOfYours);
        }
        let gives_way = if state.sessions.len() >= settings.limits.max_sessions {
            Some(state.make_room(owner).ok_or(Refusal::TooMany)?)
        } else {
            None
        };
        if !owner.is_anonymous() {
            state.of_principal.insert(owner.principal().clone(), held + 1);
        }
        let line = Arc::new(Line::new(owner.clone(), settings.clone()));
        state.sessions.insert(line.id.clone(), line.clone());
        drop(state);
        if let Some(other) = gives_way {
            tracing::warn!("as many SSE sessions as the limit allows: an anonymous one gave way");
            other.end();
        }
        Ok(Registered { registry: self.clone(), line })
    }

    /// The session with this id, if it is this caller's.
    pub(crate) fn find(&self, id: &str, caller: &Identity) -> Option<Arc<Line>> {
        let state = self.lock();
        state.sessions.get(id).filter(|line| line.belongs_to(caller)).cloned()
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().sessions.len()
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.lock().closing
    }

    /// Opens no session any more, and lets the others come to an end.
    pub(crate) fn close(&self) {
        let lines: Vec<_> = {
            let mut state = self.lock();
            state.closing = true;
            state.sessions.values().cloned().collect()
        };
        for line in lines {
            line.incoming.finish();
        }
    }

    /// Ends every session at once.
    pub(crate) fn end_all(&self) {
        let lines: Vec<_> = self.lock().sessions.values().cloned().collect();
        for line in lines {
            line.end();
        }
    }

    /// Waits until there is no session left.
    pub(crate) async fn empty(&self) {
        loop {
            let mut one_less = std::pin::pin!(self.one_less.notified());
            one_less.as_mut().enable();
            if self.lock().sessions.is_empty() {
                return;
            }
            one_less.await;
        }
    }

    fn remove(&self, line: &Line) {
        let mut state = self.lock();
        if state.sessions.remove(&line.id).is_none() {
            // It gave way to another.
            return;
        }
        if !line.owner.is_anonymous()
            && let Some(held) = state.of_principal.get_mut(line.owner.principal())
        {
            *held = held.saturating_sub(1);
            if *held == 0 {
                state.of_principal.remove(line.owner.principal());
            }
        }
        // A map never shrinks by itself: after a rush, the memory of ten thousand sessions would stay for one.
        if state.sessions.capacity() > 64 && state.sessions.len() < state.sessions.capacity() / 8 {
            state.sessions.shrink_to_fit();
            state.of_principal.shrink_to_fit();
        }
        drop(state);
        self.one_less.notify_waiters();
    }
}

/// A session's place in the registry. Dropping it ends the session: nothing of it is left behind.
#[derive(Debug)]
pub(crate) struct Registered {
    registry: Arc<Registry>,
    pub(crate) line: Arc<Line>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.line.end();
        self.registry.remove(&self.line);
    }
}
