//! The one thread that writes: what waits for it is committed together, with one write to the disk.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::apply::{Commit, Portion, Sweep};
use super::checkpoint::Log;
use super::group;
use super::link::Link;
use super::ticket::Ticket;
use crate::{Committed, StoreError};

/// The most that may wait, in jobs and in bytes. More is refused at once rather than answered too late.
pub(super) const MAX_JOBS: usize = 4096;
pub(super) const MAX_BYTES: usize = 32 * 1024 * 1024;

/// The most that goes into one transaction: the first of a group waits until the last has been written.
const GROUP_JOBS: usize = 128;
const GROUP_BYTES: usize = 2 * 1024 * 1024;

/// After that long without a pause the writer rests for a moment, so that another process gets its turn: it looks twice in
/// this time whether the lock is free.
const TURN: Duration = Duration::from_millis(100);
const REST: Duration = Duration::from_millis(1);

/// What the writer does.
#[derive(Clone, Debug)]
pub(super) enum Job {
    Commit(Arc<Ticket<Commit, Committed>>),
    Sweep(Arc<Ticket<Sweep, Portion>>),
    /// A defect of ours.
    #[cfg(test)]
    Defect,
}

impl Job {
    /// Answers for a writer that met a defect in the middle of it.
    fn abandon(&self) {
        match self {
            Self::Commit(ticket) => ticket.answer(Err(StoreError::unknown("the writer met a defect"))),
            Self::Sweep(ticket) => ticket.answer(Err(StoreError::unavailable("the writer met a defect"))),
            #[cfg(test)]
            Self::Defect => {}
        }
    }

    fn expire(&self, now: Instant) -> bool {
        match self {
            Self::Commit(ticket) => ticket.expire(now, || StoreError::unknown("the disk does not answer")),
            // Deleting once more what has expired does no harm.
            Self::Sweep(ticket) => ticket.expire(now, || StoreError::unavailable("the disk does not answer")),
            #[cfg(test)]
            Self::Defect => false,
        }
    }
}

/// What waits for the writer.
#[derive(Debug, Default)]
pub(super) struct Writes {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<(Job, usize)>,
    bytes: usize,
    /// What is being written, for the one who looks for what takes too long.
    group: Vec<Job>,
    closed: bool,
}

impl Writes {
    /// Lets a job wait that has `bytes` bytes.
    pub(super) fn push(&self, job: Job, bytes: usize) -> Result<(), StoreError> {
        let mut state = self.state();
        // A batch larger than all the room may come in when nobody else is there.
        let has_room = state.waiting.is_empty() || state.bytes.saturating_add(bytes) <= MAX_BYTES;
        if state.closed {
            return Err(StoreError::unavailable("it is closed"));
        }
        if state.waiting.len() >= MAX_JOBS || !has_room {
            return Err(StoreError::unavailable("too many commits wait"));
        }
        state.bytes = state.bytes.saturating_add(bytes);
        state.waiting.push_back((job, bytes));
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    /// Ends the writer when it has done what waits.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.arrived.notify_all();
    }

    /// Answers what has taken too long; says whether anybody still waits.
    pub(super) fn expire(&self, now: Instant) -> bool {
        let jobs: Vec<Job> = {
            let state = self.state();
            state.group.iter().chain(state.waiting.iter().map(|(job, _)| job)).cloned().collect()
        };
        jobs.iter().filter(|job| job.expire(now)).count() > 0
    }

    /// The next jobs to be written together; none when closed and done.
    fn next_group(&self) -> Vec<Job> {
        let mut state = self.state();
        while state.waiting.is_empty() && !state.closed {
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let mut group = Vec::new();
        let mut bytes = 0;
        while group.len() < GROUP_JOBS
            && bytes < GROUP_BYTES
            && let Some((job, size)) = state.waiting.pop_front()
        {
            state.bytes = state.bytes.saturating_sub(size);
            bytes += size;
            group.push(job);
        }
        state.group.clone_from(&group);
        group
    }

    fn group_is_over(&self) {
        self.state().group.clear();
    }

    fn is_idle(&self) -> bool {
        self.state().waiting.is_empty()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the thread does until the store is closed; gives the connection back.
pub(super) fn run(writes: &Writes, log: &Log, mut link: Link) -> Link {
    let mut turn_began = Instant::now();
    loop {
        if writes.is_idle() {
            turn_began = Instant::now();
        } else if turn_began.elapsed() >= TURN {
            thread::sleep(REST);
            turn_began = Instant::now();
        }
        let jobs = writes.next_group();
        if jobs.is_empty() {
            return link;
        }
        // A defect here must not silence the store: who waits is told that nobody knows, the next gets a new connection.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            log.grew(group::write(&mut link, &jobs));
            log.finish(&mut link);
        }));
        writes.group_is_over();
        if outcome.is_err() {
            tracing::error!("a group of commits met a defect; opening the database anew");
            link.discard();
            jobs.iter().for_each(Job::abandon);
        }
    }
}
