//! Redis, alone or as a cluster, for many nodes that share their state.
//!
//! ```no_run
//! use mcp_store::{RedisStore, Store};
//!
//! # async fn example() -> Result<(), mcp_core::ConfigError> {
//! let store = RedisStore::connect("rediss://mcp:secret@redis.example.com:6379/0")?;
//! store.start().await?;
//! # Ok(())
//! # }
//! ```

mod attempt;
mod check;
mod keys;
mod link;
mod nodes;
mod record;
mod script;
mod setup;
mod single;
mod walk;

use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use mcp_core::{ConfigError, Timestamp};
use redis::{Cmd, Value};

use self::keys::Keys;
use self::link::Link;
use self::setup::Setup;
use self::walk::Place;
use crate::{
    Batch, Committed, Cursor, Entry, Name, Partition, PartitionPage, Record, RootKeyPlace, Store, StoreError,
    Swept,
};

/// State in Redis 7 or newer, or what speaks its protocol and runs its scripts.
///
/// A partition is three keys under one hash tag: `mcp:{partition}` with the records, `…:n` with their names in order, `…:e`
/// with the moments at which they end. A commit is one script. Beside it stands a key for some seconds that says that it
/// happened; that is how a commit whose answer was lost is found out about, instead of guessed at.
///
/// What an acknowledged commit survives is up to the server. With `appendonly yes` and `appendfsync always`: the end of its
/// process and the loss of power. With `everysec`, the default: all but the last two seconds, and not only when power is
/// lost, because Redis writes nothing while the disk is busy, and answers nevertheless. A failover: what had reached the
/// replica, because Redis copies after it answers. Who loses commits so has issued tokens that are not known any more, and
/// may see a code redeemed twice; where that is too much, PostgreSQL with a synchronous standby is the back end.
///
/// The server must never evict: [`start`](Store::start) refuses every `maxmemory-policy` but `noeviction`. An evicted
/// record is a session lost, or a proof that can be replayed.
pub struct RedisStore {
    setup: Setup,
    link: Link,
    keys: Keys,
    /// Where the deleting of expired records goes on.
    round: Mutex<Place>,
}

impl RedisStore {
    /// A store in the Redis that a URL names: `redis://` or, with TLS, `rediss://`, then `user:password@host:port/database`.
    /// Connects when it is started.
    ///
    /// # Errors
    /// For a text that is no such URL.
    pub fn connect(url: impl AsRef<str>) -> Result<Self, ConfigError> {
        Self::of(Setup::new([url.as_ref()], false)?)
    }

    /// A store in the cluster to which these nodes belong; some of them are enough.
    ///
    /// # Errors
    /// For texts that are no URLs of nodes with the same credentials, and for none at all.
    pub fn cluster(urls: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, ConfigError> {
        Self::of(Setup::new(urls, true)?)
    }

    /// What all its keys begin with, instead of `mcp`, so that several servers can share a database.
    ///
    /// # Errors
    /// When it is empty, longer than 64 bytes, or has other characters than `A-Z a-z 0-9 . _ : -`.
    pub fn with_prefix(self, prefix: &str) -> Result<Self, ConfigError> {
        Ok(Self { keys: Keys::new(prefix)?, ..self })
    }

    /// How long connecting and answering may take together, 2 s unless said. A commit whose connection breaks may take the
    /// same time again to find out whether it happened. From 50 ms to 10 s.
    ///
    /// # Errors
    /// For other times.
    pub fn with_timeout(self, timeout: Duration) -> Result<Self, ConfigError> {
        let mut setup = self.setup;
        setup.timeout(timeout)?;
        Ok(Self { link: setup.link()?, setup, ..self })
    }

    /// Believes certificates that this authority vouches for (PEM), instead of the system's authorities.
    ///
    /// # Errors
    /// For a text that is no such certificate, and for a URL without TLS.
    pub fn with_root_certificate(self, pem: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let mut setup = self.setup;
        setup.root_certificate(pem.as_ref());
        Ok(Self { link: setup.link()?, setup, ..self })
    }

    fn of(setup: Setup) -> Result<Self, ConfigError> {
        Ok(Self { link: setup.link()?, setup, keys: Keys::new("mcp")?, round: Mutex::default() })
    }
}

// The address, never the credentials.
impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("at", &self.setup)
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn start(&self) -> Result<(), ConfigError> {
        check::server(&self.link).await?;
        check::scripts(&self.link, &self.keys).await
    }

    async fn get(
        &self,
        partition: &Partition,
        names: &[Name],
        now: Timestamp,
    ) -> Result<Vec<Option<Record>>, StoreError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = Cmd::new();
        command.arg("HMGET").arg(self.keys.records(partition));
        for name in names {
            command.arg(name.as_str());
        }
        let Value::Array(values) = self.link.read(&command, None).await? else {
            return Err(link::nonsense());
        };
        if values.len() != names.len() {
            return Err(link::nonsense());
        }
        values.into_iter().map(|value| record::found(value, now)).collect()
    }

    async fn commit(
        &self,
        partition: &Partition,
        batch: Batch,
        now: Timestamp,
    ) -> Result<Committed, StoreError> {
        batch.check()?;
        attempt::commit(&self.link, &self.keys, partition, &batch, now).await
    }

    async fn scan(
        &self,
        partition: &Partition,
        prefix: &str,
        after: Option<&Name>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Entry>, StoreError> {
        let keys = [self.keys.records(partition), self.keys.names(partition)];
        let from = match after {
            Some(after) if after.as_str() >= prefix => format!("({after}"),
            _ => format!("[{prefix}"),
        };
        // No byte of a name is as large as this one.
        let to = [b"[", prefix.as_bytes(), b"\xff"].concat();
        let [high, low] = record::halves(now);
        let limit = limit.clamp(1, 1000).to_string();
        let arguments = [from.into_bytes(), to, limit.into(), high.into(), low.into()];
        let answer = script::SCAN.read(&self.link, &keys, &arguments).await?;
        record::page(answer)
    }

    async fn partitions(&self, after: Option<&Cursor>, limit: usize) -> Result<PartitionPage, StoreError> {
        walk::page(&self.link, &self.keys, after, limit).await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        walk::sweep(&self.link, &self.keys, &self.round, now, limit).await
    }

    fn root_key(&self) -> RootKeyPlace {
        RootKeyPlace::Configured
    }
}
