//! Key-value state with atomic conditional commits: the only place where an authorization server keeps what it knows.
//!
//! A [`Store`] holds records under a ([`Partition`], [`Name`]). [`Store::commit`] puts and deletes any number of records of
//! one partition, all or nothing, and only if what it was told to require still holds. That is all an authorization server
//! needs to redeem a code exactly once, and it is all that a back end has to promise.
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
pub use vault::{KeyWrapper, Opened, RootKey, Vault};
