//! Short forms.

use std::sync::Arc;
use std::time::Duration;

use mcp_auth_testkit::FakeClock;
use mcp_core::{Clock, SecretKey, Timestamp};
use mcp_store::{Batch, MemoryStore, Name, Partition, Record, Revision, RootKey, Store, Vault};

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

    /// The id of the key that a record is sealed under.
    pub(crate) async fn key_of(&self, partition: &Partition, name: &Name) -> Vec<u8> {
        self.stored(partition, name).await.value()[1..5].to_vec()
    }

    pub(crate) async fn stored(&self, partition: &Partition, name: &Name) -> Record {
        let mut found =
            self.store.get(partition, std::slice::from_ref(name), self.clock.now()).await.unwrap();
        found.remove(0).unwrap()
    }

    pub(crate) async fn vault_on(&self, store: Arc<dyn Store>) -> Vault {
        Vault::open(store, Some(root(1)), Arc::new(self.clock.clone())).await.unwrap()
    }
}

/// Puts one record.
pub(crate) async fn put(vault: &Vault, partition: &Partition, name: &Name, value: &str) -> Revision {
    let batch = Batch::new().put(name.clone(), value.to_string(), None);
    let revision = batch.revision();
    assert!(vault.commit(partition, batch).await.unwrap().is_done());
    revision
}

pub(crate) async fn text(vault: &Vault, partition: &Partition, name: &Name) -> String {
    let found = vault.get_one(partition, name).await.unwrap().unwrap();
    String::from_utf8(found.value().to_vec()).unwrap()
}
