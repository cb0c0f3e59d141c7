//! Key-value state with atomic conditional commits: the only place where an authorization server keeps what it knows.
//!
//! A [`Store`] holds records under a ([`Partition`], [`Name`]). [`Store::commit`] puts and deletes any number of records of
//! one partition, all or nothing, and only if what it was told to require still holds. That is all an authorization server
//! needs to redeem a code exactly once, and it is all that a back end has to promise.
//!
//! Nobody works with a bare store: a [`Vault`] seals every value before it is stored, and opens it for those who have the
//! [root key](RootKey). A [`Sweeper`] deletes what has expired and renews the keys.
//!
//! # Features
//!
//! None is on unless it is asked for.
//!
//! | name | what it adds |
//! |---|---|
//! | `memory` | `MemoryStore`, which ends with the process |
//! | `sqlite` | `SqliteStore`: a file, for one machine |
//! | `redis` | `RedisStore`, for many nodes |
//! | `postgres` | `PostgresStore`, for many nodes |
//! | `metrics` | counters through the [`metrics`](https://docs.rs/metrics) facade, as below |
//! | `testkit` | the suite that every back end must pass, and stores that break on demand |
//!
//! # Metrics
//!
//! | name | kind | labels | what it counts |
//! |---|---|---|---|
//! | `mcp_store_operations_total` | counter | `operation`: get, commit, scan, partitions, sweep; `outcome`: done, refused, unavailable, unknown, corrupt, invalid | operations of a vault, by how the store answered |
//! | `mcp_store_operation_seconds` | histogram | `operation` | how long the store took |
//! | `mcp_store_swept_records_total` | counter | | expired records that were deleted |
//! | `mcp_store_resealed_records_total` | counter | | records that were sealed under a newer key |
//! | `mcp_store_unreadable_records_total` | counter | | records that could not be opened for that |
//! | `mcp_store_keys` | gauge | | keys in the ring; one or two, but for the time after a rotation |
#![cfg_attr(docsrs, feature(doc_cfg))]

mod batch;
mod error;
mod key;
#[cfg(feature = "memory")]
mod memory;
#[cfg(feature = "postgres")]
mod postgres;
mod record;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;
mod vault;

#[cfg(feature = "testkit")]
pub mod testkit;

/// Makes the methods of a trait implementation async; re-exported for implementations of [`Store`].
pub use mcp_core::async_trait;

#[cfg(feature = "redis")]
pub use self::redis::RedisStore;
pub use batch::{Batch, MAX_OPERATIONS, Operation, Precondition};
pub use error::StoreError;
pub use key::{InvalidKey, Name, Partition};
#[cfg(feature = "memory")]
pub use memory::MemoryStore;
#[cfg(feature = "postgres")]
pub use postgres::PostgresStore;
pub use record::{MAX_VALUE, Record, Revision};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;
pub use store::{Committed, Cursor, Entry, PartitionPage, RootKeyPlace, Store, Swept};
pub use vault::{KeyWrapper, Opened, Resealed, RootKey, Sweeper, Vault};
