//! Opening a store: its root key, and a ring that all its servers agree on.

use std::sync::Arc;

use mcp_core::{Clock, ConfigError, Timestamp};

use super::keys::Known;
use super::ring::Ring;
use super::root_key::RootKey;
use super::{RING_NAME, VAULT_PARTITION, key_file};
use crate::{Batch, Committed, Name, Partition, Record, RootKeyPlace, Store, StoreError};

/// What a vault starts with.
pub(super) struct Opening {
    pub(super) root: RootKey,
    pub(super) known: Known,
    /// Whether the ring is still sealed under a root key of before.
    pub(super) stale: bool,
}

/// Finds or makes root key and ring.
pub(super) async fn open(
    store: &dyn Store,
    root: Option<RootKey>,
    clock: &dyn Clock,
) -> Result<Opening, ConfigError> {
    store.start().await?;
    let found = read_ring(store, clock.now()).await.map_err(unreadable)?;
    let root = match root {
        Some(root) => root,
        None => default_root(&store.root_key(), found.is_some())?,
    };
    if let Some(found) = found {
        return unseal(&found, root).await;
    }
    for _ in 0..ATTEMPTS {
        if has_records(store).await.map_err(unreadable)? {
            // Perhaps by a server that was faster: then its ring is there by now.
            let Some(found) = read_ring(store, clock.now()).await.map_err(unreadable)? else {
                return Err(ConfigError::new(
                    "the store has records but not the key ring that opens them: restore it whole from a backup, or empty it",
                ));
            };
            return unseal(&found, root).await;
        }
        let fresh = Ring::new(clock.now());
        let sealed = fresh.seal(&root).await.map_err(|error| {
            ConfigError::new("the root key cannot seal: look at the service that holds it").because(error)
        })?;
        let batch = Batch::new().require_absent(ring_name()).put(ring_name(), sealed, None);
        match store.commit(&vault_partition(), batch, clock.now()).await {
            Ok(Committed::Done(revision)) => {
                let known = Known { ring: Arc::new(fresh), revision };
                return Ok(Opening { root, known, stale: false });
            }
            // Two servers may start at once, and the other was faster; or this one was, and the answer was lost.
            Ok(Committed::Refused(_)) => {}
            Err(error) if error.is_unknown() => {}
            Err(error) => return Err(unreadable(error)),
        }
        if let Some(found) = read_ring(store, clock.now()).await.map_err(unreadable)? {
            return unseal(&found, root).await;
        }
    }
    Err(ConfigError::new("the store does not keep the key ring that is written to it: look at the store"))
}

pub(super) async fn read_ring(store: &dyn Store, now: Timestamp) -> Result<Option<Record>, StoreError> {
    Ok(store.get(&vault_partition(), &[ring_name()], now).await?.pop().flatten())
}

fn default_root(place: &RootKeyPlace, has_ring: bool) -> Result<RootKey, ConfigError> {
    match place {
        RootKeyPlace::Memory => Ok(RootKey::from_secret(&mcp_core::SecretKey::random())),
        // The file is always made before the ring, so where there is a ring it is lost.
        RootKeyPlace::File(path) if has_ring => match path.try_exists() {
            Ok(false) => Err(ConfigError::new(format!(
                "the key file {} is missing, and without it nothing in the store can be read: restore it from a backup, \
                 or move the database away to start with an empty one",
                path.display()
            ))),
            Ok(true) | Err(_) => RootKey::from_file(path),
        },
        RootKeyPlace::File(path) => Ok(RootKey::from_secret(&key_file::read_or_create(path)?)),
        RootKeyPlace::Configured => Err(ConfigError::new(
            "servers share this store, so they have to be given its root key: make one with `openssl rand -base64 32`, \
             keep it where secrets are kept, and configure it on each of them",
        )),
    }
}

async fn unseal(found: &Record, root: RootKey) -> Result<Opening, ConfigError> {
    let (ring, stale) = Ring::open(found.value(), &root).await.map_err(|error| {
        let sentence = if error.is_transient() {
            "the root key cannot be used now: look at the service that holds it"
        } else {
            "the store was sealed under another root key, or its key ring is damaged: configure the key it was made with"
        };
        ConfigError::new(sentence).because(error)
    })?;
    Ok(Opening { root, known: Known { ring: Arc::new(ring), revision: found.revision() }, stale })
}

async fn has_records(store: &dyn Store) -> Result<bool, StoreError> {
    let mut page = store.partitions(None, 1).await?;
    while page.partitions.is_empty() {
        let Some(next) = page.next else { return Ok(false) };
        page = store.partitions(Some(&next), 1).await?;
    }
    Ok(true)
}

fn unreadable(error: StoreError) -> ConfigError {
    ConfigError::new("the store cannot be read or written: look at it and at how it is configured")
        .because(error)
}

#[expect(clippy::expect_used, reason = "constants that are keys")]
pub(super) fn vault_partition() -> Partition {
    Partition::new(VAULT_PARTITION).expect("a key")
}

#[expect(clippy::expect_used, reason = "constants that are keys")]
pub(super) fn ring_name() -> Name {
    Name::new(RING_NAME).expect("a key")
}

/// More than one only where answers are lost.
const ATTEMPTS: usize = 4;
