//! A piece of work on its way from a task to a thread, and the answer on its way back.
//!
//! Whoever waits learns for certain whether the work was begun: a thread takes it out of the ticket, and what was taken
//! back before that is never done.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::StoreError;

/// How long an operation may take, waiting included, before its caller is told that the store does not answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 3 } else { 10 });

/// Work `W` whose answer is an `R`.
pub(super) struct Ticket<W, R> {
    since: Instant,
    state: Mutex<State<W, R>>,
}

enum State<W, R> {
    /// Nobody has begun.
    Waiting(W, Reply<R>),
    /// A thread has it.
    Begun(Reply<R>),
    /// Answered, or nobody waits any more.
    Over,
}

type Reply<R> = oneshot::Sender<Result<R, StoreError>>;

impl<W, R> Ticket<W, R> {
    /// A ticket for a queue, and what its caller waits with.
    pub(super) fn new(work: W) -> (Arc<Self>, Waiting<W, R>) {
        let (reply, answer) = oneshot::channel();
        let ticket = Arc::new(Self { since: Instant::now(), state: Mutex::new(State::Waiting(work, reply)) });
        (Arc::clone(&ticket), Waiting { ticket, answer })
    }

    /// Takes the work to do it now; `None` if nobody waits for it any more.
    pub(super) fn begin(&self) -> Option<W> {
        let mut state = self.state();
        match std::mem::replace(&mut *state, State::Over) {
            State::Waiting(work, reply) => {
                *state = State::Begun(reply);
                Some(work)
            }
            other => {
                *state = other;
                None
            }
        }
    }

    /// Answers, if somebody still waits. Whoever begins the work has to, whatever becomes of it: the caller waits for it.
    pub(super) fn answer(&self, result: Result<R, StoreError>) {
        let before = std::mem::replace(&mut *self.state(), State::Over);
        if let State::Waiting(_, reply) | State::Begun(reply) = before {
            // The caller may have gone in this moment; then the answer is for nobody.
            drop(reply.send(result));
        }
    }

    /// Answers in place of a thread that does not: with `begun` if it has the work, else that the store is overloaded.
    /// Says whether somebody still waits.
    pub(super) fn expire(&self, now: Instant, begun: fn() -> StoreError) -> bool {
        let mut state = self.state();
        if matches!(*state, State::Over) {
            return false;
        }
        if now.saturating_duration_since(self.since) < PATIENCE {
            return true;
        }
        let (reply, error) = match std::mem::replace(&mut *state, State::Over) {
            State::Waiting(_, reply) => (reply, StoreError::unavailable("it does not keep up")),
            State::Begun(reply) => (reply, begun()),
            State::Over => return false,
        };
        drop(state);
        drop(reply.send(Err(error)));
        false
    }

    fn state(&self) -> MutexGuard<'_, State<W, R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W, R> fmt::Debug for Ticket<W, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").finish_non_exhaustive()
    }
}

/// The caller's half. Dropped, it takes back what nobody has begun.
pub(super) struct Waiting<W, R> {
    ticket: Arc<Ticket<W, R>>,
    answer: oneshot::Receiver<Result<R, StoreError>>,
}

impl<W, R> Waiting<W, R> {
    /// Waits for the answer.
    pub(super) async fn answer(mut self) -> Result<R, StoreError> {
        // The ticket keeps the other half until it answers; so it is never gone without one.
        (&mut self.answer).await.unwrap_or_else(|gone| Err(StoreError::unknown(gone)))
    }
}

impl<W, R> Drop for Waiting<W, R> {
    fn drop(&mut self) {
        let mut state = self.ticket.state();
        if matches!(*state, State::Waiting(..)) {
            *state = State::Over;
        }
    }
}
