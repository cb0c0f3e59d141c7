//! Sealing: a store whose values nobody can read who has only the store.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # #[cfg(feature = "memory")] {
//! use std::sync::Arc;
//! use mcp_core::SystemClock;
//! use mcp_store::{Batch, MemoryStore, Name, Partition, Store, Vault};
//!
//! let store = Arc::new(MemoryStore::new());
//! let vault = Vault::open(store.clone(), None, Arc::new(SystemClock)).await?;
//! let (partition, name) = (Partition::random(), Name::new("client")?);
//! let batch = Batch::new().require_absent(name.clone()).put_json(name.clone(), &("cli", 3), None)?;
//! assert!(vault.commit(&partition, batch).await?.is_done());
//!
//! let opened = vault.get_one(&partition, &name).await?.unwrap();
//! assert_eq!(opened.json::<(String, u32)>()?, ("cli".into(), 3));
//! let stored = store.get(&partition, &[name], vault.now()).await?.remove(0).unwrap();
//! assert!(!stored.value().windows(3).any(|bytes| bytes == b"cli"));
//! # }
//! # Ok(())
//! # }
//! ```

mod aead;
mod key_file;
mod keys;
mod observed;
mod open;
mod opened;
mod reseal;
mod ring;
mod root_key;
mod rotation;
mod sealed;
mod sweeper;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::hmac;
use base64ct::{Base64UrlUnpadded, Encoding};
use bytes::Bytes;
use mcp_core::{Clock, ConfigError, Timestamp};
use tokio::task::AbortHandle;
use zeroize::Zeroize;

pub use opened::Opened;
pub use reseal::Resealed;
pub use root_key::{KeyWrapper, RootKey};
pub use sweeper::Sweeper;

use crate::{Batch, Committed, Cursor, Name, Partition, PartitionPage, Record, Store, StoreError};
use keys::Keys;
use observed::{observed, observed_commit};
use open::Opening;
use reseal::Pass;
use ring::Ring;
use sealed::Place;

/// A [`Store`] whose values are sealed: AES-256-GCM, bound to partition, name and end of each record.
///
/// Names and partitions are not sealed: nothing readable may stand in them. Put a [`keyed_name`](Self::keyed_name) there, or
/// the hash of a token. The partition `vault` belongs to the vault itself. Clones share everything.
///
/// # Cancel safety
/// As that of the store: a dropped future leaves no half commit.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    keys: Keys,
    pass: tokio::sync::Mutex<Option<Pass>>,
    sweeper: Mutex<Option<AbortHandle>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        let sweeper = self.sweeper.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = sweeper.take() {
            task.abort();
        }
    }
}

impl Vault {
    /// The most bytes a value may have before it is sealed: a little less than [`MAX_VALUE`](crate::MAX_VALUE).
    pub const MAX_PLAINTEXT: usize = sealed::MAX_PLAINTEXT;

    /// Starts the store and opens it with this root key, or with one from where the store keeps it.
    ///
    /// # Errors
    /// In a sentence that says what to change: when the store cannot start; when it was sealed under another root key; when
    /// it is shared by several servers and no key was given; when its key file is lost or readable by others.
    pub async fn open(
        store: Arc<dyn Store>,
        root: Option<RootKey>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConfigError> {
        let Opening { root, known, stale } = open::open(&*store, root, &*clock).await?;
        let keys = Keys::new(store.clone(), root, clock.clone(), known);
        if stale {
            keys.change(|ring| Some(ring.next())).await.map_err(|error| {
                ConfigError::new("the key ring could not be sealed under the new root key: start again")
                    .because(error)
            })?;
        }
        let (pass, sweeper) = (tokio::sync::Mutex::default(), Mutex::default());
        Ok(Self(Arc::new(Inner { store, clock, keys, pass, sweeper })))
    }

    /// The clock that decides what has expired.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// What it shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Reads records of one partition as they were at one moment, in the order of the names; `None` for what is not there.
    ///
    /// # Errors
    /// When the store cannot be read, or a record cannot be opened.
    pub async fn get(
        &self,
        partition: &Partition,
        names: &[Name],
    ) -> Result<Vec<Option<Opened>>, StoreError> {
        not_ours(partition)?;
        self.0.keys.refresh_if_old().await;
        let records = observed("get", self.0.store.get(partition, names, self.now())).await?;
        if records.len() != names.len() {
            return Err(StoreError::corrupt(
                "the store gave another number of records than it was asked for",
            ));
        }
        let mut opened = Vec::with_capacity(records.len());
        for (name, record) in names.iter().zip(records) {
            opened.push(match record {
                Some(record) => Some(self.unseal(partition, name, &record).await?),
                None => None,
            });
        }
        Ok(opened)
    }

    /// Reads one record.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn get_one(&self, partition: &Partition, name: &Name) -> Result<Option<Opened>, StoreError> {
        Ok(self.get(partition, std::slice::from_ref(name)).await?.pop().flatten())
    }

    /// Seals every value of the batch and does everything in it, if everything it requires holds at this moment; otherwise
    /// nothing. The revision is that of the batch.
    ///
    /// # Errors
    /// When the batch cannot be carried out, a value is over [`MAX_PLAINTEXT`](Self::MAX_PLAINTEXT), or the store cannot be
    /// written. With [`StoreError::is_unknown`] it may have happened, with any other error it did not.
    pub async fn commit(&self, partition: &Partition, batch: Batch) -> Result<Committed, StoreError> {
        not_ours(partition)?;
        batch.check()?;
        self.0.keys.refresh_if_old().await;
        let now = self.now();
        let ring = self.ring();
        let key = ring.current(now);
        let batch = batch.try_map_values(|name, plaintext, expires_at| {
            if plaintext.len() > Self::MAX_PLAINTEXT {
                return Err(StoreError::invalid("a value is larger than 64 KiB less what sealing adds"));
            }
            let sealed = sealed::seal(key, &Place { partition, name, expires_at }, &plaintext);
            wipe(plaintext);
            Ok(sealed)
        })?;
        key.count(batch.operations().len() as u64);
        observed_commit(self.0.store.commit(partition, batch, now)).await
    }

    /// The records whose names begin with `prefix` (empty for all), in the order of their names, after `after`, at most
    /// `limit` (1 to 1000), as [`Store::scan`].
    ///
    /// # Errors
    /// When the store cannot be read, or a record cannot be opened.
    pub async fn scan(
        &self,
        partition: &Partition,
        prefix: &str,
        after: Option<&Name>,
        limit: usize,
    ) -> Result<Vec<(Name, Opened)>, StoreError> {
        not_ours(partition)?;
        self.0.keys.refresh_if_old().await;
        let entries =
            observed("scan", self.0.store.scan(partition, prefix, after, limit, self.now())).await?;
        let mut opened = Vec::with_capacity(entries.len());
        for entry in entries {
            let record = self.unseal(partition, &entry.name, &entry.record).await?;
            opened.push((entry.name, record));
        }
        Ok(opened)
    }

    /// Partitions that have records, as [`Store::partitions`]; without the vault's own.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn partitions(
        &self,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<PartitionPage, StoreError> {
        let mut page = observed("partitions", self.0.store.partitions(after, limit)).await?;
        page.partitions.retain(|partition| partition.as_str() != VAULT_PARTITION);
        Ok(page)
    }

    /// HMAC-SHA-256 under a key of this store that never changes: a name for what must not be readable, such as an e-mail
    /// address. Different purposes and different parts give different hashes.
    #[must_use]
    pub fn keyed_hash(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        let ring = self.ring();
        let mut context = hmac::Context::with_key(ring.hmac());
        for part in std::iter::once(&purpose.as_bytes()).chain(parts) {
            // The length before it, so that ("ab", "c") is not ("a", "bc").
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(context.sign().as_ref());
        hash
    }

    /// A [`keyed_hash`](Self::keyed_hash) as text: 43 characters of base64url.
    #[must_use]
    pub fn keyed_name(&self, purpose: &str, parts: &[&[u8]]) -> String {
        Base64UrlUnpadded::encode_string(&self.keyed_hash(purpose, parts))
    }

    async fn unseal(
        &self,
        partition: &Partition,
        name: &Name,
        record: &Record,
    ) -> Result<Opened, StoreError> {
        let damaged = StoreError::corrupt("a record is damaged or was changed by others");
        let id = sealed::key_id(record.value()).ok_or(damaged)?;
        let mut ring = self.ring();
        if ring.find(id).is_none() {
            // A key that another server made a moment ago.
            self.0.keys.refresh_for_unknown_key().await?;
            ring = self.ring();
        }
        let key = ring
            .find(id)
            .ok_or(StoreError::corrupt("a record is sealed under a key that is not in the ring"))?;
        let place = Place { partition, name, expires_at: record.expires_at() };
        let value = sealed::open(key, &place, record.value())
            .ok_or(StoreError::corrupt("a record is damaged or was changed by others"))?;
        Ok(Opened { value, revision: record.revision(), expires_at: record.expires_at() })
    }

    fn ring(&self) -> Arc<Ring> {
        self.0.keys.ring()
    }
}

// Of a store only its kind could be shown, and not every back end may be trusted with that.
impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").finish_non_exhaustive()
    }
}

fn not_ours(partition: &Partition) -> Result<(), StoreError> {
    if partition.as_str() == VAULT_PARTITION {
        return Err(StoreError::invalid("the partition `vault` belongs to the vault itself"));
    }
    Ok(())
}

/// Where this was the only handle on the bytes.
fn wipe(plaintext: Bytes) {
    if let Ok(mut bytes) = plaintext.try_into_mut() {
        bytes.as_mut().zeroize();
    }
}

const VAULT_PARTITION: &str = "vault";
const RING_NAME: &str = "ring";
