//! A store in one file, by SQLite.
//!
//! A call of the [`Store`] becomes a `ticket` that a thread of the `engine` takes: the one `writer`, which commits what waits
//! together (`group`), or a `reader`. A watcher answers what takes too long.

mod apply;
mod checkpoint;
mod connection;
mod engine;
mod failure;
mod group;
mod link;
mod place;
mod query;
mod reader;
mod room;
mod schema;
#[cfg(test)]
mod tests;
mod ticket;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::thread;

use async_trait::async_trait;
use mcp_core::{ConfigError, Timestamp};
use rusqlite::Connection;
use tokio::sync::{Mutex, oneshot};

use crate::{
    Batch, Committed, Cursor, Entry, Name, Operation, Partition, PartitionPage, Record, RootKeyPlace, Store,
    StoreError, Swept,
};
use apply::{Commit, Sweep};
use engine::Engine;
use place::Place;
use reader::Read;
use ticket::Ticket;
use writer::Job;

/// The most records that are deleted in one transaction: commits that come meanwhile wait for no more.
const SWEEP_PORTION: usize = 64;

/// How often a sweep that has deleted everything goes on only to give room back: 16 MiB at most.
const MAX_ROOM_PORTIONS: usize = 64;

/// State in one file, by SQLite: what a server on one machine needs, and nothing to set up.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use mcp_core::Timestamp;
/// use mcp_store::{Batch, Name, Partition, SqliteStore, Store};
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("auth.db");
///
/// let store = SqliteStore::open(&path)?;
/// store.start().await?;
/// let (partition, code, now) = (Partition::random(), Name::new("code")?, Timestamp::from_secs(1_800_000_000));
/// let batch = Batch::new().require_absent(code.clone()).put(code.clone(), "sealed bytes", None);
/// assert!(store.commit(&partition, batch, now).await?.is_done()); // on the disk
/// let found = store.get(&partition, &[code], now).await?;
/// assert_eq!(found[0].as_ref().map(|record| &record.value()[..]), Some(&b"sealed bytes"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// - **Durable.** A commit that was acknowledged is on the disk: write-ahead log, `synchronous=FULL`, both read back at
///   start. What waits together is committed together, so that many callers share one write to the disk.
/// - **Many processes.** A second process may open the same file at the same time, to read and to write.
/// - **Bounded.** Who waits too long for a full queue, another process or a disk that hangs gets an error, and it says
///   whether the commit may have happened.
/// - The file is made for its owner only. Put it on a local disk; SQLite's locks do not work over a network.
///
/// Clones are handles to the same store; when the last is dropped, its threads finish what waits and end.
///
/// While a store is open, do not read its file in the same process with [`std::fs`]: closing a file takes away all locks
/// that this process holds on it (POSIX), also those of SQLite.
#[derive(Clone)]
pub struct SqliteStore {
    handle: Arc<Handle>,
}

struct Handle {
    place: Place,
    engine: OnceLock<Arc<Engine>>,
    starting: Mutex<()>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Some(engine) = self.engine.get() {
            engine.close();
        }
    }
}

impl SqliteStore {
    /// A store in that file, which is made, readable by its owner only, if it is not there. Its directory has to exist.
    /// Nothing is read or written before [`start`](Store::start).
    ///
    /// # Errors
    /// When the directory is missing or cannot be written, or the path is none of a file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let place = Place::find_or_make(path.as_ref())?;
        Ok(Self { handle: Arc::new(Handle { place, engine: OnceLock::new(), starting: Mutex::new(()) }) })
    }

    /// The database file; absolute, without links.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.handle.place.file()
    }

    fn engine(&self) -> Result<&Engine, StoreError> {
        let engine = self.handle.engine.get();
        engine.map(|engine| &**engine).ok_or_else(|| StoreError::unavailable("the store was not started"))
    }

    async fn read<R: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, StoreError> {
        let engine = self.engine()?;
        let (ticket, waiting) = Ticket::new(Box::new(read) as Read<R>);
        engine.reads.push(ticket)?;
        engine.watch_now();
        waiting.answer().await
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn start(&self) -> Result<(), ConfigError> {
        let _starting = self.handle.starting.lock().await;
        if self.handle.engine.get().is_some() {
            return Ok(());
        }
        let (done, started) = oneshot::channel();
        let place = self.handle.place.clone();
        let no_thread = || ConfigError::new("no thread can be started for the store");
        thread::Builder::new()
            .name("store-start".to_owned())
            .spawn(move || {
                if let Err(Ok(engine)) = done.send(Engine::start(&place)) {
                    engine.close();
                }
            })
            .map_err(|error| no_thread().because(error))?;
        let engine = started.await.map_err(|error| no_thread().because(error))??;
        self.handle.engine.get_or_init(|| engine);
        Ok(())
    }

    async fn get(
        &self,
        partition: &Partition,
        names: &[Name],
        now: Timestamp,
    ) -> Result<Vec<Option<Record>>, StoreError> {
        let (partition, names) = (partition.clone(), names.to_vec());
        self.read(move |connection| query::get(connection, &partition, &names, now)).await
    }

    async fn commit(
        &self,
        partition: &Partition,
        batch: Batch,
        now: Timestamp,
    ) -> Result<Committed, StoreError> {
        batch.check()?;
        let engine = self.engine()?;
        let size = size(&batch);
        let (ticket, waiting) = Ticket::new(Commit { partition: partition.clone(), batch, now, size });
        engine.writes.push(Job::Commit(ticket), size)?;
        engine.watch_now();
        waiting.answer().await
    }

    async fn scan(
        &self,
        partition: &Partition,
        prefix: &str,
        after: Option<&Name>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Entry>, StoreError> {
        let (partition, prefix, after) = (partition.clone(), prefix.to_owned(), after.cloned());
        self.read(move |connection| query::scan(connection, &partition, &prefix, after.as_ref(), limit, now))
            .await
    }

    async fn partitions(&self, after: Option<&Cursor>, limit: usize) -> Result<PartitionPage, StoreError> {
        let after = after.cloned();
        self.read(move |connection| query::partitions(connection, after.as_ref(), limit)).await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        let engine = self.engine()?;
        let (mut swept, mut last_portions) = (Swept::default(), 0);
        loop {
            // Each portion is a job of its own: what is committed meanwhile waits for one of them at most.
            let portion = (limit - swept.deleted).min(SWEEP_PORTION);
            let (ticket, waiting) = Ticket::new(Sweep { now, limit: portion });
            engine.writes.push(Job::Sweep(ticket), 0)?;
            engine.watch_now();
            let portion = waiting.answer().await?;
            swept.deleted += portion.swept.deleted;
            swept.more = portion.swept.more;
            if swept.more && swept.deleted < limit {
                continue;
            }
            last_portions += 1;
            if !portion.is_roomy || last_portions == MAX_ROOM_PORTIONS {
                break;
            }
        }
        Ok(swept)
    }

    fn root_key(&self) -> RootKeyPlace {
        RootKeyPlace::File(self.handle.place.beside(".key"))
    }
}

/// What a batch takes while it waits, in bytes.
fn size(batch: &Batch) -> usize {
    let values = batch.operations().iter().map(|(_, operation)| match operation {
        Operation::Put { value, .. } => value.len(),
        Operation::Delete => 0,
    });
    values.sum::<usize>() + 128 * (batch.operations().len() + batch.preconditions().len())
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("file", &self.path()).finish_non_exhaustive()
    }
}
