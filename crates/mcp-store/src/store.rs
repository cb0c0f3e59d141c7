//! What a back end has to promise.

use std::fmt;
use std::path::PathBuf;

use async_trait::async_trait;
use mcp_core::{ConfigError, Timestamp};

use crate::{Batch, Name, Partition, Record, Revision, StoreError};

/// Key-value state with atomic conditional commits.
///
/// What every implementation promises, and `mcp_store::testkit` checks:
///
/// - A commit happens wholly or not at all, and preconditions and operations are one step: of any number of racers that
///   require the same revision, at most one gets [`Committed::Done`]. On every node and in every process.
/// - Who got `Done` may read what was written, anywhere, at once; and still after a crash, as far as the back end's own
///   durability goes (`docs/stores.md`).
/// - An expired record is absent to every reader and precondition from the very millisecond on, whenever it is deleted.
///   What the time is, the caller says: one clock decides for the whole server.
/// - When a store cannot tell whether a commit happened, it says so ([`StoreError::unknown`]); any other error means that it
///   did not.
/// - A dropped future leaves no half commit; it may or may not have happened.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Called once before the first use: connects, makes or migrates the schema, and refuses settings that lose data.
    ///
    /// # Errors
    /// In a sentence that says what to change.
    async fn start(&self) -> Result<(), ConfigError>;

    /// Reads records of one partition as they were at one moment, in the order of the names; `None` for what is not there.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn get(
        &self,
        partition: &Partition,
        names: &[Name],
        now: Timestamp,
    ) -> Result<Vec<Option<Record>>, StoreError>;

    /// Does everything in the batch, if everything it requires holds at this moment; otherwise nothing.
    ///
    /// # Errors
    /// When the batch cannot be carried out ([`Batch::check`]) or the store cannot be written.
    async fn commit(
        &self,
        partition: &Partition,
        batch: Batch,
        now: Timestamp,
    ) -> Result<Committed, StoreError>;

    /// The records whose names begin with `prefix` (empty for all), in the order of their names, after `after`, at most
    /// `limit` (1 to 1000; fewer only when there are no more). A page is one moment; what is written between two pages may or may not be seen, but a record that
    /// is there all the time is in exactly one page.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn scan(
        &self,
        partition: &Partition,
        prefix: &str,
        after: Option<&Name>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Entry>, StoreError>;

    /// Partitions that have records, in no order, some perhaps twice: for administration and for sealing anew. A partition
    /// that is there from the first page to the last is in one of them.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn partitions(&self, after: Option<&Cursor>, limit: usize) -> Result<PartitionPage, StoreError>;

    /// Deletes expired records, at most about `limit`: bounded work, done again and again in the background. A back end that
    /// deletes by itself has nothing to do here.
    ///
    /// # Errors
    /// When the store cannot be written.
    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<Swept, StoreError>;

    /// Where the key that opens this store is kept if nobody configures one.
    fn root_key(&self) -> RootKeyPlace;
}

/// Whether a commit happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a commit that was refused has changed nothing"]
#[non_exhaustive]
pub enum Committed {
    /// It did; every record it put has this revision.
    Done(Revision),
    /// It did not, because something it required did not hold: of this name, or of one more.
    Refused(Name),
}

impl Committed {
    /// Whether it happened.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done(_))
    }
}

/// A record found by [`Store::scan`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "back ends make it")]
pub struct Entry {
    /// What it is called.
    pub name: Name,
    /// What is stored.
    pub record: Record,
}

/// Where [`Store::partitions`] goes on. Means something only to the back end that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(String);

impl Cursor {
    /// From what a back end wants to see again.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// That text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Some partitions, and where to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "back ends make it")]
pub struct PartitionPage {
    /// The partitions; a page may be empty and yet not the last.
    pub partitions: Vec<Partition>,
    /// Where to go on; `None` on the last page.
    pub next: Option<Cursor>,
}

/// What [`Store::sweep`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "back ends make it")]
pub struct Swept {
    /// How many records it deleted.
    pub deleted: usize,
    /// Whether there is more to delete now.
    pub more: bool,
}

/// Where the root key is, if nobody says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RootKeyPlace {
    /// In the memory of this process: what is stored ends with it as well.
    Memory,
    /// In this file, made when the store is first opened, readable by its owner only.
    File(PathBuf),
    /// Nowhere: many share this store, so its key has to be configured.
    Configured,
}
