//! The task in the background.

use std::sync::Arc;
use std::time::Duration;

use mcp_store::testkit::{Call, Fault, FaultyStore};
use mcp_store::{Batch, Partition, Store, Sweeper, Vault};

use crate::support::{NOON, Servers, millis, name, put};

const MINUTE: Duration = Duration::from_secs(60);

struct Swept {
    servers: Servers,
    faulty: FaultyStore,
    vault: Vault,
}

impl Swept {
    async fn start(sweeper: Sweeper) -> Self {
        let servers = Servers::new();
        let faulty = FaultyStore::new(servers.store.clone(), Arc::new(servers.clock.clone()));
        let vault = servers.vault_on(Arc::new(faulty.clone())).await;
        sweeper.start(&vault);
        servers.clock.until_sleeping(1).await;
        Self { servers, faulty, vault }
    }

    /// Lets a round happen, and waits until it is over.
    async fn round(&self) {
        let before = self.faulty.calls(Call::Sweep);
        self.servers.clock.advance(MINUTE);
        while self.faulty.calls(Call::Sweep) == before {
            tokio::task::yield_now().await;
        }
        self.servers.clock.until_sleeping(1).await;
    }

    async fn expire(&self, records: usize) {
        let partition = Partition::random();
        for number in 0..records {
            let batch = Batch::new().put(name(&format!("r{number}")), "x", Some(self.vault.now()));
            assert!(self.vault.commit(&partition, batch).await.unwrap().is_done());
        }
    }

    /// How many expired records there are; they are gone then.
    async fn left(&self) -> usize {
        self.servers.store.sweep(self.vault.now(), usize::MAX).await.unwrap().deleted
    }
}

#[tokio::test]
async fn expired_records_are_deleted_in_portions() {
    let swept = Swept::start(Sweeper::new().portion(10)).await;
    swept.expire(95).await;
    swept.round().await;
    assert_eq!(swept.faulty.calls(Call::Sweep), 10);
    assert_eq!(swept.left().await, 0);
    swept.expire(5).await;
    swept.round().await;
    assert_eq!(swept.faulty.calls(Call::Sweep), 11);
    assert_eq!(swept.left().await, 0);
}

#[tokio::test]
async fn a_failure_ends_a_round_and_not_the_task() {
    let swept = Swept::start(Sweeper::new()).await;
    swept.expire(5).await;
    swept.faulty.fail_next(Call::Sweep, Fault::Unavailable);
    swept.round().await;
    swept.round().await;
    assert_eq!(swept.left().await, 0);
}

#[tokio::test]
async fn it_ends_with_the_vault() {
    let swept = Swept::start(Sweeper::new()).await;
    let clone = swept.vault.clone();
    drop(swept.vault);
    tokio::task::yield_now().await;
    assert_eq!(swept.servers.clock.sleepers(), 1, "a clone is a vault");
    drop(clone);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(swept.servers.clock.sleepers(), 0);
    drop(swept.faulty);
    assert_eq!(Arc::strong_count(&swept.servers.store), 1, "nothing holds the store any more");
}

#[tokio::test]
async fn a_second_one_takes_the_place_of_the_first() {
    let swept = Swept::start(Sweeper::new()).await;
    Sweeper::new().start(&swept.vault);
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(swept.servers.clock.sleepers(), 1);
}

#[tokio::test]
async fn keys_are_renewed_without_anybody_asking() {
    let swept = Swept::start(Sweeper::new().key_life(Duration::from_secs(2 * 3600)).portion(3)).await;
    let (partition, a) = (Partition::random(), name("a"));
    for number in 0..10 {
        put(&swept.vault, &Partition::random(), &name(&format!("r{number}")), "x").await;
    }
    put(&swept.vault, &partition, &a, "x").await;
    let first = swept.servers.key_of(&partition, &a).await;
    let old = swept.servers.stored(&partition, &a).await.value().clone();
    for _ in 0..119 {
        swept.round().await;
    }
    put(&swept.vault, &partition, &name("b"), "x").await;
    assert_eq!(swept.servers.key_of(&partition, &name("b")).await, first);
    for _ in 0..4 {
        swept.round().await;
    }
    put(&swept.vault, &partition, &name("b"), "x").await;
    let second = swept.servers.key_of(&partition, &name("b")).await;
    assert_ne!(second, first, "a new key came into use");
    assert_eq!(
        swept.servers.key_of(&partition, &a).await,
        first,
        "what was there waits until all have settled"
    );
    for _ in 0..90 {
        swept.round().await;
    }
    assert_ne!(swept.servers.key_of(&partition, &a).await, first, "and is sealed anew, a portion at a time");
    // The old key is gone.
    assert!(
        swept
            .servers
            .store
            .commit(&partition, Batch::new().put(a.clone(), old, None), NOON)
            .await
            .unwrap()
            .is_done()
    );
    swept.servers.clock.advance(millis(1000));
    assert!(swept.vault.get_one(&partition, &a).await.is_err());
}
