//! What can only be tested from within: faults, bounds, and what is in the file.

mod queue;
mod reads;
mod schema;
mod shape;
mod ticket;

use std::sync::Arc;

use mcp_core::Timestamp;
use tempfile::TempDir;

use super::apply::Commit;
use super::connection::{self, Role};
use super::link::Link;
use super::place::Place;
use super::ticket::{Ticket, Waiting};
use super::writer::Job;
use super::{SqliteStore, size};
use crate::{Batch, Committed, Name, Partition, Store};

pub(super) const NOON: Timestamp = Timestamp::from_secs(1_800_000_000);

pub(super) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub(super) fn partition(text: &str) -> Partition {
    Partition::new(text).unwrap()
}

/// A database without threads.
pub(super) struct File {
    _directory: TempDir,
    pub(super) place: Place,
}

impl File {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::find_or_make(&directory.path().join("auth.db")).unwrap();
        Self { _directory: directory, place }
    }

    /// What the writer has.
    pub(super) fn link(&self) -> Link {
        let first = connection::open_first(&self.place).unwrap();
        Link::new(self.place.clone(), Role::Writer, first)
    }

    /// A connection as any other program has it.
    pub(super) fn other(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.place.file()).unwrap()
    }

    pub(super) async fn store(&self) -> SqliteStore {
        let store = SqliteStore::open(self.place.file()).unwrap();
        store.start().await.unwrap();
        store
    }
}

/// A commit for the writer, and what its caller waits with.
pub(super) fn job(partition: &Partition, batch: Batch) -> (Job, Waiting<Commit, Committed>) {
    let size = size(&batch);
    let (ticket, waiting) = Ticket::new(Commit { partition: partition.clone(), batch, now: NOON, size });
    (Job::Commit(Arc::clone(&ticket)), waiting)
}

pub(super) fn put(text: &str) -> Batch {
    Batch::new().put(name(text), "x", None)
}
