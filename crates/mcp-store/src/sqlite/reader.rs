//! The threads that read.
//!
//! Reading a record takes SQLite 3 µs if the pages are in its cache, 11 to 17 µs if a commit came before (with a thousand,
//! with a million records); handing it to a thread and back adds about 7 µs to either. Done by the task itself, it would
//! spare these, and a disk that hangs would stop the threads of the runtime one by one, also those that could have said so.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rusqlite::Connection;

use super::link::Link;
use super::ticket::Ticket;
use crate::StoreError;

/// How many threads read.
pub(super) const READERS: usize = 2;

/// The most that may wait. More is refused at once rather than answered too late.
const MAX_WAITING: usize = 16 * 1024;

/// What to do with a connection.
pub(super) type Read<R> = Box<dyn FnOnce(&Connection) -> Result<R, StoreError> + Send>;

/// A read, whatever it gives.
pub(super) trait Question: Send + Sync {
    fn ask(&self, link: &mut Link);
    fn expire(&self, now: Instant) -> bool;
    /// Answers for a reader that met a defect in the middle of it.
    fn abandon(&self);
}

impl<R: Send> Question for Ticket<Read<R>, R> {
    fn ask(&self, link: &mut Link) {
        if let Some(read) = self.begin() {
            let result = link
                .get()
                .map_err(super::failure::Trouble::unavailable)
                .and_then(|connection| read(connection));
            self.answer(result);
        }
    }

    fn expire(&self, now: Instant) -> bool {
        Self::expire(self, now, || StoreError::unavailable("the disk does not answer"))
    }

    fn abandon(&self) {
        self.answer(Err(StoreError::unavailable("the reader met a defect")));
    }
}

/// What waits for a reader.
#[derive(Default)]
pub(super) struct Reads {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Arc<dyn Question>>,
    begun: [Option<Arc<dyn Question>>; READERS],
    closed: bool,
}

impl Reads {
    /// Lets a question wait.
    pub(super) fn push(&self, question: Arc<dyn Question>) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.closed || state.waiting.len() >= MAX_WAITING {
            return Err(StoreError::unavailable("too many reads wait"));
        }
        state.waiting.push_back(question);
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    /// Ends the readers when they have done what waits.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.arrived.notify_all();
    }

    /// Answers what has taken too long; says whether anybody still waits.
    pub(super) fn expire(&self, now: Instant) -> bool {
        let questions: Vec<_> = {
            let state = self.state();
            state.begun.iter().flatten().chain(&state.waiting).cloned().collect()
        };
        questions.iter().filter(|question| question.expire(now)).count() > 0
    }

    /// The next question for that thread; `None` when closed and done.
    fn next(&self, thread: usize) -> Option<Arc<dyn Question>> {
        let mut state = self.state();
        if let Some(begun) = state.begun.get_mut(thread) {
            *begun = None;
        }
        while state.waiting.is_empty() && !state.closed {
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let next = state.waiting.pop_front();
        if let Some(begun) = state.begun.get_mut(thread) {
            begun.clone_from(&next);
        }
        next
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Reads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reads").finish_non_exhaustive()
    }
}

/// What a thread does until the store is closed.
pub(super) fn run(reads: &Reads, thread: usize, mut link: Link) {
    while let Some(question) = reads.next(thread) {
        if catch_unwind(AssertUnwindSafe(|| question.ask(&mut link))).is_err() {
            tracing::error!("a read met a defect; opening the database anew");
            link.discard();
            question.abandon();
        }
        link.leave_no_transaction();
    }
}
