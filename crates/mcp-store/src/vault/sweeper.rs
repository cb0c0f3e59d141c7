//! What has to be done now and then, in the background.

use std::error::Error;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use mcp_core::random_bytes;

use super::observed::{count_swept, observed, show_keys};
use super::{Inner, Vault};
use crate::StoreError;

/// A task that deletes what has expired, and keeps the keys fresh: it rotates in time, seals anew what is under old keys, and
/// forgets those that nothing is under any more. Each server has one.
///
/// Everything is done in portions, and what fails is tried again the next time.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # #[cfg(feature = "memory")] {
/// use std::sync::Arc;
/// use std::time::Duration;
/// use mcp_core::SystemClock;
/// use mcp_store::{MemoryStore, Sweeper, Vault};
///
/// let vault = Vault::open(Arc::new(MemoryStore::new()), None, Arc::new(SystemClock)).await?;
/// Sweeper::new().every(Duration::from_secs(30)).start(&vault);
/// # }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Sweeper {
    every: Duration,
    portion: usize,
    key_life: Duration,
}

impl Sweeper {
    /// Once a minute, in portions of 1000 records, with a new key every 30 days.
    #[must_use]
    pub const fn new() -> Self {
        Self { every: Duration::from_secs(60), portion: 1000, key_life: Duration::from_secs(30 * 86_400) }
    }

    /// How long it rests between two rounds; at least a second. The first round comes at a random moment within this time,
    /// so that servers which were started together do not sweep together.
    #[must_use]
    pub fn every(mut self, span: Duration) -> Self {
        self.every = span.max(Duration::from_secs(1));
        self
    }

    /// How many records are deleted at once, and how many are sealed anew in one round; at least one.
    #[must_use]
    pub fn portion(mut self, records: usize) -> Self {
        self.portion = records.max(1);
        self
    }

    /// How long new records are sealed under one key; at least an hour. Sooner, when this server alone has sealed 2^28
    /// records under it: with up to 16 servers that stays within the 2^32 that a key is good for.
    #[must_use]
    pub fn key_life(mut self, span: Duration) -> Self {
        self.key_life = span.max(Duration::from_secs(3600));
        self
    }

    /// Starts the task. It ends with the last clone of the vault; started again, this one takes the place of that before.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(self, vault: &Vault) {
        let task = tokio::spawn(self.run(Arc::downgrade(&vault.0)));
        let mut sweeper = vault.0.sweeper.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = sweeper.replace(task.abort_handle()) {
            before.abort();
        }
    }

    async fn run(self, vault: Weak<Inner>) {
        let part = u32::from(u16::from_le_bytes(random_bytes()));
        let mut rest = self.every * part / (u32::from(u16::MAX) + 1);
        loop {
            // While it rests, nothing of it keeps the vault alive.
            let Some(clock) = vault.upgrade().map(|vault| vault.clock.clone()) else { return };
            clock.sleep(rest).await;
            drop(clock);
            rest = self.every;
            let Some(vault) = vault.upgrade().map(Vault) else { return };
            if let Err(error) = self.sweep(&vault).await {
                tracing::warn!(error = &error as &dyn Error, "expired records could not be deleted");
            }
            if let Err(error) = self.keep_keys(&vault).await {
                tracing::warn!(
                    error = &error as &dyn Error,
                    "the keys of the store could not be looked after"
                );
            }
        }
    }

    async fn sweep(&self, vault: &Vault) -> Result<(), StoreError> {
        loop {
            let swept = observed("sweep", vault.0.store.sweep(vault.now(), self.portion)).await?;
            count_swept(swept.deleted);
            // A store that has more and deletes nothing would keep this busy for ever.
            if !swept.more || swept.deleted == 0 {
                return Ok(());
            }
            // Those who answer requests come first.
            tokio::task::yield_now().await;
        }
    }

    async fn keep_keys(&self, vault: &Vault) -> Result<(), StoreError> {
        vault.0.keys.refresh_if_old().await;
        let (ring, now) = (vault.ring(), vault.now());
        show_keys(ring.len());
        let current = ring.current(now);
        if now.since(current.from) >= self.key_life || current.count(0) >= MANY {
            vault.rotate().await?;
        }
        if ring.wants_reseal(now) {
            vault.reseal(self.portion).await?;
        }
        // By whichever server the pass was made.
        if vault.ring().without_unused().is_some() {
            let forgotten = vault.forget_unused_keys().await?;
            tracing::info!(forgotten, "everything in the store is sealed under fresh keys");
        }
        Ok(())
    }
}

impl Default for Sweeper {
    fn default() -> Self {
        Self::new()
    }
}

/// A sixteenth of what one key is good for.
const MANY: u64 = 1 << 28;
