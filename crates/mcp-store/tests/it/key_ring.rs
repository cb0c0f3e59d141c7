//! What happens to the ring that should not, and keys that others hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use mcp_core::{SecretKey, async_trait};
use mcp_store::testkit::{Call, Fault, FaultyStore, leaks};
use mcp_store::{Batch, KeyWrapper, Partition, RootKey, Store, StoreError, Vault};

use crate::support::{NOON, Servers, millis, name, put, root, text};

fn own() -> Partition {
    Partition::new("vault").unwrap()
}

#[tokio::test]
async fn a_server_that_starts_slowly_takes_the_ring_that_is_there() {
    for fault in [Fault::Hang, Fault::LostAnswer, Fault::LostRequest] {
        let servers = Servers::new();
        let faulty = FaultyStore::new(servers.store.clone(), Arc::new(servers.clock.clone()));
        faulty.fail_next(Call::WriteRing, fault);
        let (slow, clock) = (faulty.clone(), Arc::new(servers.clock.clone()));
        let opening =
            tokio::spawn(async move { Vault::open(Arc::new(slow), Some(root(1)), clock).await.unwrap() });
        while faulty.calls(Call::WriteRing) == 0 {
            tokio::task::yield_now().await;
        }
        // It has seen that there is no ring and is about to write one.
        let quick = servers.vault().await;
        let (partition, a) = (Partition::random(), name("a"));
        put(&quick, &partition, &a, "x").await;
        faulty.heal();
        let slow = opening.await.unwrap();
        for server in [&slow, &quick, &servers.vault().await] {
            assert_eq!(text(server, &partition, &a).await, "x");
            assert_eq!(server.keyed_hash("x", &[]), quick.keyed_hash("x", &[]));
        }
    }
}

#[tokio::test]
async fn a_lost_ring_is_put_back_by_a_server_that_knows_it() {
    let servers = Servers::new();
    let vault = servers.vault().await;
    let (partition, a) = (Partition::random(), name("a"));
    put(&vault, &partition, &a, "x").await;
    assert!(servers.store.commit(&own(), Batch::new().delete(name("ring")), NOON).await.unwrap().is_done());
    servers.clock.advance(Duration::from_secs(60));
    put(&vault, &partition, &a, "y").await;
    let other = servers.vault().await;
    assert_eq!(text(&other, &partition, &a).await, "y");
    assert_eq!(other.keyed_hash("x", &[]), vault.keyed_hash("x", &[]));
}

#[tokio::test]
async fn an_old_ring_is_replaced_by_the_newer_one_that_is_known() {
    let servers = Servers::new();
    let vault = servers.vault().await;
    let (partition, a, b) = (Partition::random(), name("a"), name("b"));
    put(&vault, &partition, &a, "under the first key").await;
    let backup = servers.stored(&partition, &a).await;
    let old = servers.stored(&own(), &name("ring")).await;

    // The first key goes.
    vault.rotate().await.unwrap();
    servers.clock.advance(Vault::ROTATION_DELAY + Vault::SETTLING_TIME);
    while !vault.reseal(1000).await.unwrap().finished {}
    assert_eq!(vault.forget_unused_keys().await.unwrap(), 1);
    put(&vault, &partition, &b, "under the second key").await;

    // Then a backup from before is restored over it, while the server runs.
    let restore = Batch::new().put(name("ring"), old.value().clone(), None);
    assert!(servers.store.commit(&own(), restore, NOON).await.unwrap().is_done());
    let restore = Batch::new().put(a.clone(), backup.value().clone(), None);
    assert!(servers.store.commit(&partition, restore, NOON).await.unwrap().is_done());
    servers.clock.advance(Duration::from_secs(60));
    for server in [&vault, &servers.vault().await, &vault] {
        assert_eq!(text(server, &partition, &a).await, "under the first key");
        assert_eq!(text(server, &partition, &b).await, "under the second key");
    }
}

#[tokio::test]
async fn a_store_that_was_emptied_gets_the_ring_of_those_who_run() {
    let servers = Servers::new();
    let (one, two) = (servers.vault().await, servers.vault().await);
    assert!(servers.store.commit(&own(), Batch::new().delete(name("ring")), NOON).await.unwrap().is_done());
    // One that starts on the empty store before anybody noticed makes another; all agree on that in the end.
    let third = servers.vault().await;
    servers.clock.advance(Duration::from_secs(60));
    let partition = Partition::random();
    put(&third, &partition, &name("a"), "x").await;
    for server in [&one, &two] {
        assert_eq!(text(server, &partition, &name("a")).await, "x");
        assert_eq!(server.keyed_hash("x", &[]), third.keyed_hash("x", &[]));
    }
}

#[tokio::test]
async fn the_root_key_can_be_changed() {
    let servers = Servers::new();
    let old = servers.vault().await;
    let (partition, a) = (Partition::random(), name("a"));
    put(&old, &partition, &a, "x").await;
    let open = |root| Vault::open(servers.store.clone(), Some(root), Arc::new(servers.clock.clone()));
    let new = open(root(3).with_previous(root(2).with_previous(root(1)))).await.unwrap();
    assert_eq!(text(&new, &partition, &a).await, "x");
    // From now on the new key is enough, and the old one opens nothing.
    assert!(open(root(3)).await.is_ok());
    assert!(open(root(1)).await.unwrap_err().to_string().contains("another root key"));
    assert!(open(root(4).with_previous(root(1))).await.is_err());
    // A server that runs with the old key goes on with what it knows.
    servers.clock.advance(Duration::from_secs(120));
    put(&old, &partition, &a, "y").await;
    assert_eq!(text(&new, &partition, &a).await, "y");
}

/// A service that holds a key, and can be cut off.
#[derive(Debug)]
struct Service {
    key: u8,
    away: AtomicBool,
    unwrapped: AtomicUsize,
}

impl Service {
    fn new(key: u8) -> Arc<Self> {
        Arc::new(Self { key, away: AtomicBool::new(false), unwrapped: AtomicUsize::new(0) })
    }

    fn answer<T>(&self, value: T) -> Result<T, StoreError> {
        if self.away.load(Ordering::Relaxed) { Err(StoreError::unavailable("timeout")) } else { Ok(value) }
    }
}

// No cryptography, but of the form that matters.
#[async_trait]
impl KeyWrapper for Service {
    async fn wrap(&self, key: &SecretKey) -> Result<Vec<u8>, StoreError> {
        let masked = key.expose().iter().map(|byte| byte ^ self.key);
        self.answer(std::iter::once(self.key).chain(masked).collect())
    }

    async fn unwrap(&self, wrapped: &[u8]) -> Result<SecretKey, StoreError> {
        self.unwrapped.fetch_add(1, Ordering::Relaxed);
        let masked = wrapped.strip_prefix(&[self.key]).ok_or(StoreError::corrupt("not wrapped here"));
        let key = self.answer(masked)??.iter().map(|byte| byte ^ self.key).collect::<Vec<_>>();
        SecretKey::new(key).map_err(|_| StoreError::corrupt("too short"))
    }
}

#[tokio::test]
async fn a_service_may_hold_the_root_key() {
    let servers = Servers::new();
    let service = Service::new(7);
    let open = |service: &Arc<Service>| {
        let root = RootKey::wrapped_by(service.clone());
        Vault::open(servers.store.clone(), Some(root), Arc::new(servers.clock.clone()))
    };
    let vault = open(&service).await.unwrap();
    let (partition, a) = (Partition::random(), name("a"));
    put(&vault, &partition, &a, "x").await;
    let other = open(&service).await.unwrap();
    assert_eq!(text(&other, &partition, &a).await, "x");
    // It is not asked for records, and not for a ring that has not changed.
    for _ in 0..5 {
        servers.clock.advance(Duration::from_secs(60));
        assert_eq!(text(&other, &partition, &a).await, "x");
    }
    assert_eq!(service.unwrapped.load(Ordering::Relaxed), 1);

    service.away.store(true, Ordering::Relaxed);
    assert!(vault.rotate().await.unwrap_err().is_transient());
    assert_eq!(text(&vault, &partition, &a).await, "x");
    assert!(open(&service).await.unwrap_err().to_string().contains("look at the service"));
    assert!(open(&Service::new(8)).await.unwrap_err().to_string().contains("another root key"));

    // While it cannot be told whose the ring is, the previous key is not tried.
    let pair = RootKey::wrapped_by(service.clone()).with_previous(root(1));
    let error =
        Vault::open(servers.store.clone(), Some(pair), Arc::new(servers.clock.clone())).await.unwrap_err();
    assert!(error.to_string().contains("look at the service"), "{error}");
}

#[tokio::test]
async fn nothing_in_the_ring_opens_anything_without_the_root_key() {
    let servers = Servers::new();
    let vault = servers.vault().await;
    let ring = servers.stored(&own(), &name("ring")).await;
    assert_eq!(leaks(ring.value(), &[&[1; 32], &vault.keyed_hash("x", &[])]), []);
    // Any change to it is noticed.
    for at in 0..ring.value().len() {
        let mut changed = ring.value().to_vec();
        changed[at] ^= 1;
        let put = Batch::new().put(name("ring"), changed, None);
        assert!(servers.store.commit(&own(), put, NOON).await.unwrap().is_done());
        let opened = Vault::open(servers.store.clone(), Some(root(1)), Arc::new(servers.clock.clone())).await;
        assert!(opened.is_err(), "byte {at}");
    }
}

#[tokio::test]
async fn unknown_keys_are_looked_up_once_a_second() {
    let servers = Servers::new();
    let faulty = FaultyStore::new(servers.store.clone(), Arc::new(servers.clock.clone()));
    let vault = servers.vault_on(Arc::new(faulty.clone())).await;
    let partition = Partition::random();
    let junk = Batch::new().put(name("junk"), [&[1_u8][..], &[0; 60]].concat(), None);
    assert!(servers.store.commit(&partition, junk, NOON).await.unwrap().is_done());
    servers.clock.advance(millis(1000));
    let before = faulty.calls(Call::ReadRing);
    // Many at once, and one after the other.
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (vault, partition) = (vault.clone(), partition.clone());
        asking.spawn(async move { vault.get_one(&partition, &name("junk")).await.is_err() });
    }
    assert!(asking.join_all().await.into_iter().all(|failed| failed));
    for _ in 0..50 {
        assert!(vault.get_one(&partition, &name("junk")).await.is_err());
    }
    assert_eq!(faulty.calls(Call::ReadRing), before + 1);
    servers.clock.advance(millis(1000));
    assert!(vault.get_one(&partition, &name("junk")).await.is_err());
    assert_eq!(faulty.calls(Call::ReadRing), before + 2);
}
