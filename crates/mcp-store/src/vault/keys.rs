//! The key ring as this server knows it, and how it keeps up with the others.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use mcp_core::{Clock, Timestamp};
use tokio::sync::{Mutex, MutexGuard};

use super::open::{read_ring, ring_name, vault_partition};
use super::ring::Ring;
use super::root_key::RootKey;
use crate::{Batch, Committed, Revision, Store, StoreError};

pub(super) struct Keys {
    store: Arc<dyn Store>,
    root: RootKey,
    clock: Arc<dyn Clock>,
    // Read for every record, written a few times a year: std's lock costs less than tokio's and is never held across an await.
    known: RwLock<Known>,
    /// When the ring was last read, and when because of an unknown key, in milliseconds; and who does it.
    read_at: AtomicU64,
    searched_at: AtomicU64,
    reading: Mutex<()>,
}

#[derive(Clone)]
pub(super) struct Known {
    pub(super) ring: Arc<Ring>,
    /// Of the record it was read from.
    pub(super) revision: Revision,
}

impl Keys {
    pub(super) fn new(store: Arc<dyn Store>, root: RootKey, clock: Arc<dyn Clock>, known: Known) -> Self {
        let read_at = AtomicU64::new(clock.now().as_millis());
        let searched_at = AtomicU64::new(0);
        Self { store, root, clock, known: RwLock::new(known), read_at, searched_at, reading: Mutex::new(()) }
    }

    pub(super) fn ring(&self) -> Arc<Ring> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).ring.clone()
    }

    /// Keeps up with the other servers. One caller reads, the others go on; what fails here fails again in the operation
    /// itself, if it matters.
    pub(super) async fn refresh_if_old(&self) {
        if self.is_old(&self.read_at, RING_AGE)
            && let Ok(reading) = self.reading.try_lock()
            && let Err(error) = self.reread(&reading).await
        {
            tracing::warn!(error = &error as &dyn std::error::Error, "the key ring could not be read again");
        }
    }

    /// Looks for a key that another server may have made a moment ago, but not more than once in a second.
    pub(super) async fn refresh_for_unknown_key(&self) -> Result<(), StoreError> {
        // Whoever comes meanwhile waits for the answer and then has it.
        let reading = self.reading.lock().await;
        if !self.is_old(&self.searched_at, UNKNOWN_KEY_PAUSE) {
            return Ok(());
        }
        let read = self.reread(&reading).await;
        // Failed attempts count too: a store in trouble is not asked more often.
        self.searched_at.store(self.clock.now().as_millis(), Ordering::Relaxed);
        read
    }

    /// Changes the ring for all servers; `None` from `change` when there is nothing to change. Gives the ring as it then is.
    pub(super) async fn change(
        &self,
        change: impl Fn(&Ring) -> Option<Ring> + Send,
    ) -> Result<Arc<Ring>, StoreError> {
        let reading = self.reading.lock().await;
        for _ in 0..ATTEMPTS {
            self.reread(&reading).await?;
            let known = self.known();
            let Some(changed) = change(&known.ring) else { return Ok(known.ring) };
            let sealed = changed.seal(&self.root).await?;
            let batch = Batch::new().require(ring_name(), known.revision).put(ring_name(), sealed, None);
            let revision = batch.revision();
            match self.store.commit(&vault_partition(), batch, self.clock.now()).await {
                Ok(Committed::Done(_)) => {
                    self.install(changed, revision);
                    return Ok(self.ring());
                }
                // Another server was faster; or this one was, and the answer was lost: then there is nothing to change
                // any more.
                Ok(Committed::Refused(_)) => {}
                Err(error) if error.is_unknown() => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::unavailable("the key ring was changed by others all the time"))
    }

    async fn reread(&self, _: &MutexGuard<'_, ()>) -> Result<(), StoreError> {
        let now = self.clock.now();
        let found = read_ring(&*self.store, now).await;
        self.read_at.store(now.as_millis(), Ordering::Relaxed);
        let known = self.known();
        let Some(found) = found? else {
            // It is lost, alone or with everything else. For the others it must not be.
            tracing::error!("the key ring is gone from the store, and is put back: was the store emptied?");
            return self.put_back(known.ring.next(), Batch::new().require_absent(ring_name())).await;
        };
        if found.revision() == known.revision {
            return Ok(());
        }
        let (ring, _) = Ring::open(found.value(), &self.root).await?;
        if ring.is_older_than(&known.ring) {
            // An old copy was put in its place. Keys that are in use are missing from it.
            tracing::error!(
                "the key ring in the store is older than the one in use, which is put back: was it restored?"
            );
            let require = Batch::new().require(ring_name(), found.revision());
            return self.put_back(known.ring.with_keys_of(&ring), require).await;
        }
        if !ring.continues(&known.ring) {
            tracing::error!(
                "the store has another key ring than at start: was it emptied while servers used it?"
            );
        }
        self.install(ring, found.revision());
        Ok(())
    }

    /// If another server does so too, the next reading gives what it has put.
    async fn put_back(&self, ring: Ring, require: Batch) -> Result<(), StoreError> {
        let batch = require.put(ring_name(), ring.seal(&self.root).await?, None);
        if let Committed::Done(revision) =
            self.store.commit(&vault_partition(), batch, self.clock.now()).await?
        {
            self.install(ring, revision);
        }
        Ok(())
    }

    fn known(&self) -> Known {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn install(&self, mut ring: Ring, revision: Revision) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        ring.go_on_counting(&known.ring);
        *known = Known { ring: Arc::new(ring), revision };
    }

    /// Also if the clock was set back since.
    fn is_old(&self, moment: &AtomicU64, age: Duration) -> bool {
        let moment = Timestamp::from_millis(moment.load(Ordering::Relaxed));
        let now = self.clock.now();
        now < moment || now.since(moment) >= age
    }
}

/// How old what a server knows of the ring may be.
pub(super) const RING_AGE: Duration = Duration::from_secs(60);
/// How often an unknown key makes it look again.
const UNKNOWN_KEY_PAUSE: Duration = Duration::from_secs(1);
/// More than one only where servers change the ring at the same time.
const ATTEMPTS: usize = 16;
