//! Short forms.

use std::sync::Arc;
use std::time::Duration;

use mcp_auth_testkit::FakeClock;
use mcp_core::{SecretKey, Timestamp};
use mcp_store::{MemoryStore, Name, RootKey, Store, Vault};

pub(crate) const NOON: Timestamp = Timestamp::from_secs(1_800_000_000);

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub(crate) fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// A root key that all servers of a test share.
pub(crate) fn root(byte: u8) -> RootKey {
    RootKey::from_secret(&SecretKey::new([byte; 32]).unwrap())
}

pub(crate) struct Servers {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) clock: FakeClock,
}

impl Servers {
    pub(crate) fn new() -> Self {
        Self { store: Arc::new(MemoryStore::new()), clock: FakeClock::at(NOON) }
    }

    /// One more server on the store.
    pub(crate) async fn vault(&self) -> Vault {
        self.vault_on(self.store.clone()).await
    }

    pub(crate) async fn vault_on(&self, store: Arc<dyn Store>) -> Vault {
        Vault::open(store, Some(root(1)), Arc::new(self.clock.clone())).await.unwrap()
    }
}
