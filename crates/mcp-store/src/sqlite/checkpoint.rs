//! Moves the write-ahead log into the database, beside the writer.
//!
//! A log of some thousand pages, moved by a commit as SQLite does it by itself, makes this commit wait for tens of
//! milliseconds when the pages lie scattered over a large file. So another thread moves most of it while commits go on. It
//! alone would never be done, and the log would grow without end, because it begins anew only when all of it has been
//! moved: so the writer moves the last few pages, in one of its pauses. Should all that fail, SQLite's own way still
//! bounds the log ([`AUTO_PAGES`](super::connection::AUTO_PAGES)).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use super::failure::Trouble;
use super::link::Link;

/// After about that many new pages the thread moves what there is.
const MOVE_AFTER: usize = 1500;

/// A log of that many pages is to begin anew.
const RIPE: i64 = 4000;

/// What the writer and the thread tell each other.
#[derive(Debug, Default)]
pub(super) struct Log {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// About how many pages were written since the thread last looked.
    new_pages: usize,
    /// Whether the writer is to move the rest.
    ripe: bool,
    closed: bool,
}

impl Log {
    /// Says that a commit has written about that many pages.
    pub(super) fn grew(&self, pages: usize) {
        let mut state = self.state();
        state.new_pages += pages;
        let wakes = state.new_pages >= MOVE_AFTER;
        drop(state);
        if wakes {
            self.changed.notify_one();
        }
    }

    /// Ends the thread.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }

    /// Has the writer move the rest, if it is time.
    pub(super) fn finish(&self, link: &mut Link) {
        if std::mem::take(&mut self.state().ripe) {
            move_pages(link);
        }
    }

    /// Waits until there is something to move; `false` when closed.
    fn wait(&self) -> bool {
        let idle = |state: &mut State| !state.closed && state.new_pages < MOVE_AFTER;
        let mut state = self.changed.wait_while(self.state(), idle).unwrap_or_else(PoisonError::into_inner);
        state.new_pages = 0;
        !state.closed
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the thread does until the store is closed.
pub(super) fn run(log: &Log, mut link: Link) {
    while log.wait() {
        match catch_unwind(AssertUnwindSafe(|| move_pages(&mut link))) {
            Ok(pages) => log.state().ripe = pages >= RIPE,
            Err(_) => link.discard(),
        }
    }
}

/// Moves what can be moved without waiting for anybody; gives the pages of the log.
fn move_pages(link: &mut Link) -> i64 {
    let moved = link.get().and_then(|connection| {
        passive(connection).map_err(|error| Trouble::new("move the log into the database", &error))
    });
    link.note(moved.as_ref().err());
    moved.unwrap_or_else(|_| {
        link.discard();
        0
    })
}

fn passive(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")?.query_row([], |row| row.get(1))
}

#[cfg(test)]
mod tests;
