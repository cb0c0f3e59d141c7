//! PostgreSQL, for many nodes that share their state and must not lose any of it.
//!
//! ```no_run
//! use mcp_store::{PostgresStore, Store};
//!
//! # async fn example() -> Result<(), mcp_core::ConfigError> {
//! let store = PostgresStore::connect("postgres://mcp:secret@db.example.com/mcp")?.with_schema("auth")?;
//! store.start().await?;
//! # Ok(())
//! # }
//! ```

mod attempt;
mod pool;
mod rows;
mod schema;
mod setup;
mod statements;
mod tls;

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use mcp_core::{ConfigError, Timestamp};

use self::pool::Connections;
use self::rows::{read_record, to_column};
use self::setup::Setup;
use self::statements::Statements;
use crate::{
    Batch, Committed, Cursor, Entry, Name, Partition, PartitionPage, Record, RootKeyPlace, Store, StoreError,
    Swept,
};

/// State in PostgreSQL 15 or newer.
///
/// A commit is one statement and one transaction; commits of one partition go one after the other, those of different
/// partitions beside each other. What is acknowledged has been written to the log (`synchronous_commit` is turned on where
/// it is off), so that it survives the loss of power; with a synchronous standby it survives the loss of the server too.
///
/// Every commit leaves a line for a few minutes that says that it happened. That is how a commit whose answer was lost is
/// found out about, instead of guessed at.
///
/// `sslmode` in the URL says how the server is reached: `verify-full` and `require` both demand TLS and a certificate for
/// the host that a known authority vouches for; `prefer` asks for the same and goes on in clear where the server has no
/// TLS; `disable` does without. Unless said, it is `verify-full`, and `disable` on the loopback interface and on Unix
/// sockets. `sslrootcert` names a file with the authorities, instead of the system's.
///
/// Sessions keep settings and prepared statements: between this and the server there may be a pooler only if it lends whole
/// sessions.
pub struct PostgresStore {
    setup: Setup,
    statements: Statements,
    connections: Connections,
}

impl PostgresStore {
    /// A store in the database that a URL names: `postgres://user:password@host:port/database`. Connects when it is
    /// started.
    ///
    /// # Errors
    /// For a text that is no such URL.
    pub fn connect(url: impl AsRef<str>) -> Result<Self, ConfigError> {
        let setup = Setup::new(url.as_ref())?;
        Ok(Self { statements: Statements::new(&setup.schema), setup, connections: Connections::default() })
    }

    /// The schema that has its tables, instead of `mcp`. It is made if it does not exist and the user may.
    ///
    /// # Errors
    /// When it is no name of small letters, digits and `_` that begins with a letter, of at most 63 bytes.
    pub fn with_schema(mut self, schema: &str) -> Result<Self, ConfigError> {
        self.setup.schema(schema)?;
        self.statements = Statements::new(schema);
        Ok(self)
    }

    /// How long an operation may take, with connecting, 2 s unless said. A commit whose connection breaks may take the same
    /// time again to find out whether it happened. From 50 ms to 10 s.
    ///
    /// # Errors
    /// For other times.
    pub fn with_timeout(mut self, timeout: Duration) -> Result<Self, ConfigError> {
        self.setup.timeout(timeout)?;
        Ok(self)
    }

    /// How many connections there may be at once, 16 unless said. Whoever finds all of them busy waits.
    ///
    /// # Errors
    /// For none, or more than 1000.
    pub fn with_connections(mut self, most: usize) -> Result<Self, ConfigError> {
        self.setup.connections(most)?;
        Ok(self)
    }

    /// Believes certificates that this authority vouches for (PEM), instead of the system's authorities.
    ///
    /// # Errors
    /// For a text without a certificate.
    pub fn with_root_certificate(mut self, pem: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        self.setup.root_certificate(pem.as_ref())?;
        Ok(self)
    }
}

impl PostgresStore {
    /// Runs a statement that answers with a number.
    async fn count(&self, statement: &str, parameters: pool::Parameters<'_>) -> Result<i64, StoreError> {
        let rows = self.connections.read(&self.setup, statement, parameters).await?;
        let row = rows.first().ok_or(StoreError::unavailable("an answer without a row"))?;
        row.try_get(0).map_err(rows::unreadable)
    }
}

// The address, never the credentials.
impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("at", &self.setup).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn start(&self) -> Result<(), ConfigError> {
        schema::prepare(&self.connections, &self.setup).await
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
        let wanted: Vec<&str> = names.iter().map(Name::as_str).collect();
        let rows = self
            .connections
            .read(&self.setup, &self.statements.get, &[&partition.as_str(), &wanted, &to_column(now)])
            .await?;
        let mut found = HashMap::with_capacity(rows.len());
        for row in &rows {
            let name: &str = row.try_get(0).map_err(rows::unreadable)?;
            found.insert(name, read_record(row)?);
        }
        // A name may be asked for twice.
        Ok(wanted.iter().map(|name| found.get(name).cloned()).collect())
    }

    async fn commit(
        &self,
        partition: &Partition,
        batch: Batch,
        now: Timestamp,
    ) -> Result<Committed, StoreError> {
        batch.check()?;
        attempt::commit(self, partition, &batch, now).await
    }

    async fn scan(
        &self,
        partition: &Partition,
        prefix: &str,
        after: Option<&Name>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Entry>, StoreError> {
        // No name begins so, and a zero byte is no text for PostgreSQL.
        if !prefix.is_empty() && Name::new(prefix).is_err() {
            return Ok(Vec::new());
        }
        // No character of a name is as large as this one.
        let end = format!("{prefix}\u{7f}");
        let after = after.map_or("", Name::as_str);
        let limit = rows::to_limit(limit);
        let rows = self
            .connections
            .read(
                &self.setup,
                &self.statements.scan,
                &[&partition.as_str(), &prefix, &end, &after, &to_column(now), &limit],
            )
            .await?;
        rows.iter()
            .map(|row| {
                let name: &str = row.try_get(0).map_err(rows::unreadable)?;
                let name = Name::new(name).map_err(rows::damaged)?;
                Ok(Entry { name, record: read_record(row)? })
            })
            .collect()
    }

    async fn partitions(&self, after: Option<&Cursor>, limit: usize) -> Result<PartitionPage, StoreError> {
        let after = match after {
            None => "",
            Some(cursor) => {
                let after = Partition::new(cursor.as_str());
                after.map_err(|_| StoreError::invalid("a cursor that no PostgreSQL store made"))?;
                cursor.as_str()
            }
        };
        let limit = rows::to_limit(limit);
        let rows = self.connections.read(&self.setup, &self.statements.partitions, &[&after, &limit]).await?;
        let partitions = rows
            .iter()
            .map(|row| {
                let partition: &str = row.try_get(0).map_err(rows::unreadable)?;
                Partition::new(partition).map_err(rows::damaged)
            })
            .collect::<Result<Vec<_>, StoreError>>()?;
        let full = partitions.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
        let next = partitions.last().filter(|_| full).map(|last| Cursor::new(last.as_str()));
        Ok(PartitionPage { partitions, next })
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        let most = rows::to_limit(limit);
        let deleted = self.count(&self.statements.sweep, &[&to_column(now), &most]).await?;
        let attempts = self.count(&self.statements.sweep_attempts, &[&most]).await?;
        Ok(Swept {
            deleted: usize::try_from(deleted).unwrap_or_default(),
            more: deleted >= most || attempts >= most,
        })
    }

    fn root_key(&self) -> RootKeyPlace {
        RootKeyPlace::Configured
    }
}
