//! Sealing, and the ring that all servers share.

use std::sync::Arc;

use bytes::Bytes;
use mcp_core::SecretKey;
use mcp_store::{Batch, MAX_VALUE, MemoryStore, Partition, RootKey, Store, Vault};

use crate::support::{NOON, Servers, millis, name, root};

#[tokio::test]
async fn every_server_reads_what_one_has_sealed() {
    let servers = Servers::new();
    // Both start on an empty store at once and agree on one ring.
    let (one, two) = tokio::join!(servers.vault(), servers.vault());
    let partition = Partition::random();
    let batch = Batch::new().put(name("a"), "first", Some(NOON + millis(5))).put(name("b"), "second", None);
    let revision = batch.revision();
    assert!(one.commit(&partition, batch).await.unwrap().is_done());
    for vault in [&one, &two] {
        let got = vault.get(&partition, &[name("b"), name("x"), name("a")]).await.unwrap();
        let values: Vec<_> = got.iter().map(|found| found.as_ref().map(mcp_store::Opened::value)).collect();
        assert_eq!(values, [Some(&b"second"[..]), None, Some(b"first")]);
        let found = got[2].as_ref().unwrap();
        assert_eq!((found.revision(), found.expires_at()), (revision, Some(NOON + millis(5))));
        let scanned = vault.scan(&partition, "", None, 10).await.unwrap();
        assert_eq!(scanned.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    }
    assert_eq!(one.keyed_hash("user", &[b"ada"]), two.keyed_hash("user", &[b"ada"]));
    let (mut listed, mut cursor) = (Vec::new(), None);
    loop {
        let page = one.partitions(cursor.as_ref(), 1000).await.unwrap();
        listed.extend(page.partitions);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(listed, std::slice::from_ref(&partition), "the vault's own is not shown");

    servers.clock.advance(millis(5));
    assert!(two.get_one(&partition, &name("a")).await.unwrap().is_none());
    let require = Batch::new().require(name("a"), revision).delete(name("b"));
    assert!(!one.commit(&partition, require).await.unwrap().is_done());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_servers_that_start_at_once_agree() {
    for _ in 0..20 {
        let servers = Arc::new(Servers::new());
        let mut starting = tokio::task::JoinSet::new();
        for _ in 0..16 {
            let servers = servers.clone();
            starting.spawn(async move { servers.vault().await.keyed_hash("x", &[]) });
        }
        let hashes = starting.join_all().await;
        assert!(hashes.iter().all(|hash| *hash == hashes[0]));
    }
}

#[tokio::test]
async fn a_value_cannot_be_moved_or_made_to_live_longer() {
    let servers = Servers::new();
    let vault = servers.vault().await;
    let (partition, end) = (Partition::random(), NOON + millis(1000));
    assert!(
        vault.commit(&partition, Batch::new().put(name("a"), "secret", Some(end))).await.unwrap().is_done()
    );
    let stored = servers.store.get(&partition, &[name("a")], NOON).await.unwrap().remove(0).unwrap();
    let sealed = stored.value().clone();

    let other = Partition::random();
    let forged = [
        (&other, "a", Some(end), sealed.clone()),
        (&partition, "b", Some(end), sealed.clone()),
        (&partition, "a", Some(end + millis(1)), sealed.clone()),
        (&partition, "a", None, sealed.clone()),
    ];
    let changed = (0..sealed.len()).map(|at| {
        let mut bytes = sealed.to_vec();
        bytes[at] ^= 1;
        (&partition, "a", Some(end), Bytes::from(bytes))
    });
    let cut = (0..sealed.len()).map(|len| (&partition, "a", Some(end), sealed.slice(..len)));
    for (partition, at, end, value) in forged.into_iter().chain(changed).chain(cut) {
        let put = Batch::new().put(name(at), value, end);
        assert!(servers.store.commit(partition, put, NOON).await.unwrap().is_done());
        let error = vault.get_one(partition, &name(at)).await.unwrap_err();
        assert!(
            !error.is_transient() && error.to_string().starts_with("what is stored cannot be read"),
            "{error}"
        );
    }
    let put = Batch::new().put(name("a"), sealed, Some(end));
    assert!(servers.store.commit(&partition, put, NOON).await.unwrap().is_done());
    assert_eq!(vault.get_one(&partition, &name("a")).await.unwrap().unwrap().value(), b"secret");
}

#[tokio::test]
async fn another_root_key_is_refused_at_start() {
    let servers = Servers::new();
    drop(servers.vault().await);
    let open = |root| Vault::open(servers.store.clone(), root, Arc::new(servers.clock.clone()));
    let error = open(Some(root(2))).await.unwrap_err();
    assert!(error.to_string().contains("another root key"), "{error}");
    // The key of a store in memory ends with its vault.
    assert!(open(None).await.is_err());
    assert!(open(Some(root(1))).await.is_ok());
}

#[tokio::test]
async fn a_ring_that_is_gone_is_not_replaced_while_there_are_records() {
    let servers = Servers::new();
    let vault = servers.vault().await;
    let partition = Partition::random();
    assert!(vault.commit(&partition, Batch::new().put(name("a"), "x", None)).await.unwrap().is_done());
    let own = Partition::new("vault").unwrap();
    assert!(servers.store.commit(&own, Batch::new().delete(name("ring")), NOON).await.unwrap().is_done());
    let open = || Vault::open(servers.store.clone(), Some(root(1)), Arc::new(servers.clock.clone()));
    let error = open().await.unwrap_err();
    assert!(error.to_string().contains("not the key ring"), "{error}");
    assert!(servers.store.commit(&partition, Batch::new().delete(name("a")), NOON).await.unwrap().is_done());
    assert!(open().await.is_ok());
}

#[tokio::test]
async fn values_have_room_for_what_sealing_adds() {
    let servers = Servers::new();
    let vault = servers.vault().await;
    let partition = Partition::random();
    let put = |len| Batch::new().put(name("a"), vec![7; len], None);
    assert!(vault.commit(&partition, put(Vault::MAX_PLAINTEXT)).await.unwrap().is_done());
    let stored = servers.store.get(&partition, &[name("a")], NOON).await.unwrap().remove(0).unwrap();
    assert_eq!(stored.value().len(), MAX_VALUE);
    for len in [Vault::MAX_PLAINTEXT + 1, MAX_VALUE, MAX_VALUE + 1] {
        assert!(vault.commit(&partition, put(len)).await.is_err());
    }
    assert_eq!(
        vault.get_one(&partition, &name("a")).await.unwrap().unwrap().value().len(),
        Vault::MAX_PLAINTEXT
    );
}

#[tokio::test]
async fn the_vaults_own_partition_is_out_of_reach() {
    let servers = Servers::new();
    let vault = servers.vault().await;
    let own = Partition::new("vault").unwrap();
    assert!(vault.get_one(&own, &name("ring")).await.is_err());
    assert!(vault.scan(&own, "", None, 10).await.is_err());
    assert!(vault.commit(&own, Batch::new().delete(name("ring"))).await.is_err());
}

#[tokio::test]
async fn hashes_depend_on_purpose_and_parts() {
    let vault =
        Vault::open(Arc::new(MemoryStore::new()), None, Servers::new().vault().await.clock().clone()).await;
    let vault = vault.unwrap();
    let cases: [(&str, &[&[u8]]); 7] = [
        ("p", &[b"ab", b"c"]),
        ("p", &[b"a", b"bc"]),
        ("p", &[b"abc"]),
        ("p", &[b"abc", b""]),
        ("pa", &[b"bc"]),
        ("", &[b"p", b"abc"]),
        ("p", &[]),
    ];
    let hashes: std::collections::HashSet<_> =
        cases.iter().map(|(purpose, parts)| vault.keyed_name(purpose, parts)).collect();
    assert_eq!(hashes.len(), cases.len());
    assert!(hashes.iter().all(|name| name.len() == 43 && mcp_store::Name::new(name).is_ok()));
}

#[test]
fn nothing_secret_is_shown() {
    let root = RootKey::from_secret(&SecretKey::new(*b"0123456789abcdefFEDCBA9876543210").unwrap());
    assert_eq!(format!("{root:?}"), "RootKey([redacted])");
}
