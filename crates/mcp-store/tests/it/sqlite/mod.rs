//! What is particular to the store in a file.

mod file;
mod processes;
#[cfg(feature = "testkit")]
mod suite;
mod turns;

use std::path::PathBuf;

use mcp_store::{Batch, SqliteStore, Store};
use tempfile::TempDir;

use crate::support::name;

/// A directory that goes away, and the database in it.
pub(crate) struct Directory(TempDir);

impl Directory {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// One more handle on the same database, as another node has it.
    pub(crate) async fn started(&self) -> SqliteStore {
        let store = SqliteStore::open(self.file("auth.db")).unwrap();
        store.start().await.unwrap();
        store
    }
}

pub(crate) fn put(text: &str) -> Batch {
    Batch::new().put(name(text), "x", None)
}
