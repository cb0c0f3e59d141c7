//! New keys, sealing anew, and old keys that go.

use std::sync::Arc;

use mcp_store::testkit::{Call, Fault, FaultyStore};
use mcp_store::{Batch, Name, Partition, Resealed, Store, Vault};

use crate::support::{NOON, Servers, millis, name, put, text};

async fn rotate(servers: &Servers, vault: &Vault) {
    vault.rotate().await.unwrap();
    servers.clock.advance(Vault::ROTATION_DELAY);
}

async fn reseal(vault: &Vault, budget: usize) -> Resealed {
    let mut all = Resealed::default();
    loop {
        let done = vault.reseal(budget).await.unwrap();
        assert!(done.looked_at <= budget);
        all.looked_at += done.looked_at;
        all.resealed += done.resealed;
        all.unreadable += done.unreadable;
        if done.finished {
            return all;
        }
    }
}

#[tokio::test]
async fn a_new_key_is_used_everywhere_after_the_delay_and_is_unknown_nowhere() {
    let servers = Servers::new();
    let (one, two) = (servers.vault().await, servers.vault().await);
    let (partition, a) = (Partition::random(), name("a"));
    put(&one, &partition, &a, "old").await;
    let first = servers.key_of(&partition, &a).await;

    assert_eq!(one.rotate().await.unwrap(), NOON + Vault::ROTATION_DELAY);
    servers.clock.advance(Vault::ROTATION_DELAY - millis(1));
    put(&one, &partition, &a, "before").await;
    assert_eq!(servers.key_of(&partition, &a).await, first);
    servers.clock.advance(millis(1));
    // The one that did not rotate, and has not looked since, writes under the new key and reads what is under it.
    put(&two, &partition, &name("b"), "new").await;
    let second = servers.key_of(&partition, &name("b")).await;
    assert_ne!(second, first);
    put(&one, &partition, &a, "after").await;
    assert_eq!(servers.key_of(&partition, &a).await, second);
    assert_eq!(text(&two, &partition, &a).await, "after");
    // Names stay what they are.
    assert_eq!(one.keyed_name("user", &[b"ada"]), servers.vault().await.keyed_name("user", &[b"ada"]));
}

#[tokio::test]
async fn a_server_whose_clock_is_late_reads_what_is_under_a_key_it_does_not_know() {
    let servers = Servers::new();
    let (one, late) = (servers.vault().await, servers.vault().await);
    rotate(&servers, &one).await;
    let (partition, a) = (Partition::random(), name("a"));
    put(&one, &partition, &a, "new").await;
    // It thinks that it has looked at the ring just now.
    servers.clock.set(NOON + millis(1500));
    assert_eq!(text(&late, &partition, &a).await, "new");
}

#[tokio::test]
async fn servers_that_rotate_at_once_make_one_key() {
    let servers = Arc::new(Servers::new());
    let mut rotating = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let servers = servers.clone();
        rotating.spawn(async move { servers.vault().await.rotate().await.unwrap() });
    }
    let from = rotating.join_all().await;
    assert!(from.iter().all(|moment| *moment == NOON + Vault::ROTATION_DELAY));
    // One new key only: what is under the first is all there is to seal anew, and one key goes.
    let vault = servers.vault().await;
    put(&vault, &Partition::random(), &name("a"), "x").await;
    servers.clock.advance(Vault::ROTATION_DELAY + Vault::SETTLING_TIME);
    assert_eq!(reseal(&vault, 100).await.resealed, 1);
    assert_eq!(vault.forget_unused_keys().await.unwrap(), 1);
}

#[tokio::test]
async fn sealing_anew_changes_the_key_and_nothing_else() {
    let servers = Servers::new();
    let vault = servers.vault().await;
    let end = NOON + millis(10_000_000);
    let mut records = Vec::new();
    for number in 0..40 {
        let partition = Partition::random();
        for record in 0..7 {
            let at = name(&format!("r{record}"));
            let batch =
                Batch::new().put(at.clone(), format!("{number}.{record}"), (record % 2 == 0).then_some(end));
            let revision = batch.revision();
            assert!(vault.commit(&partition, batch).await.unwrap().is_done());
            records.push((
                partition.clone(),
                at,
                format!("{number}.{record}"),
                revision,
                (record % 2 == 0).then_some(end),
            ));
        }
    }
    // Without a new key there is nothing to do.
    assert_eq!(vault.reseal(10).await.unwrap().looked_at, 0);
    rotate(&servers, &vault).await;
    let fresh = records.pop().unwrap();
    put(&vault, &fresh.0, &fresh.1, "fresh").await;
    let key = servers.key_of(&fresh.0, &fresh.1).await;

    let done = reseal(&vault, 9).await;
    assert_eq!((done.resealed, done.unreadable), (records.len(), 0));
    let other = servers.vault().await;
    for (partition, at, value, revision, expires_at) in &records {
        assert_eq!(servers.key_of(partition, at).await, key);
        let found = other.get_one(partition, at).await.unwrap().unwrap();
        assert_eq!(found.value(), value.as_bytes());
        // Whoever read it before may still require what he read.
        assert_eq!((found.revision(), found.expires_at()), (*revision, *expires_at));
    }
    assert_eq!(reseal(&vault, 1000).await.resealed, 0, "all is done");
}

#[tokio::test]
async fn a_damaged_record_stops_nothing() {
    let servers = Servers::new();
    let vault = servers.vault().await;
    let partition = Partition::random();
    for at in ["a", "b", "c"] {
        put(&vault, &partition, &name(at), "x").await;
    }
    let sealed = servers.stored(&partition, &name("a")).await.value().clone();
    let forged = Batch::new().put(name("b"), sealed, None).put(name("0"), "no sealed value", None);
    assert!(servers.store.commit(&partition, forged, NOON).await.unwrap().is_done());
    rotate(&servers, &vault).await;
    let done = reseal(&vault, 1000).await;
    assert_eq!((done.resealed, done.unreadable), (2, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_write_is_lost_while_records_are_sealed_anew() {
    const EACH: usize = 200;
    let servers = Servers::new();
    let vault = servers.vault().await;
    let partition = Partition::random();
    let names: Vec<Name> = (0..4).map(|number| name(&format!("counter{number}"))).collect();
    for at in &names {
        put(&vault, &partition, at, "0").await;
    }
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let (vault, partition, at) =
            (servers.vault().await, partition.clone(), names[writer % names.len()].clone());
        writers.spawn(async move {
            let mut left = EACH;
            while left > 0 {
                let found = vault.get_one(&partition, &at).await.unwrap().unwrap();
                let count: usize = std::str::from_utf8(found.value()).unwrap().parse().unwrap();
                let batch = Batch::new().require(at.clone(), found.revision());
                let batch = batch.put(at.clone(), (count + 1).to_string(), None);
                if vault.commit(&partition, batch).await.unwrap().is_done() {
                    left -= 1;
                }
                tokio::task::yield_now().await;
            }
        });
    }
    while !writers.is_empty() {
        rotate(&servers, &vault).await;
        reseal(&vault, 2).await;
        while writers.try_join_next().is_some_and(|ended| ended.is_ok()) {}
    }
    for at in &names {
        assert_eq!(text(&vault, &partition, at).await, (8 / names.len() * EACH).to_string());
    }
}

#[tokio::test]
async fn a_record_that_is_written_meanwhile_is_left_alone() {
    let servers = Servers::new();
    let faulty = FaultyStore::new(servers.store.clone(), Arc::new(servers.clock.clone()));
    let (slow, quick) = (servers.vault_on(Arc::new(faulty.clone())).await, servers.vault().await);
    let (partition, a, b) = (Partition::random(), name("a"), name("b"));
    put(&slow, &partition, &a, "before").await;
    put(&slow, &partition, &b, "before").await;
    rotate(&servers, &slow).await;
    for change in [Some("meanwhile"), None] {
        faulty.fail_next(Call::Commit, Fault::Hang);
        let commits = faulty.calls(Call::Commit);
        let (sealing, at) = (slow.clone(), if change.is_some() { &a } else { &b });
        let sealing = tokio::spawn(async move { reseal(&sealing, 1000).await });
        while faulty.calls(Call::Commit) == commits {
            tokio::task::yield_now().await;
        }
        // It has read the record and is about to write it.
        match change {
            Some(value) => drop(put(&quick, &partition, at, value).await),
            None => {
                let delete = Batch::new().delete(at.clone());
                assert!(quick.commit(&partition, delete).await.unwrap().is_done());
            }
        }
        faulty.heal();
        sealing.await.unwrap();
        let found = quick.get_one(&partition, at).await.unwrap();
        assert_eq!(found.as_ref().map(mcp_store::Opened::value), change.map(str::as_bytes));
        put(&quick, &partition, &b, "again").await;
        rotate(&servers, &slow).await;
        if change.is_some() {
            assert!(quick.commit(&partition, Batch::new().delete(a.clone())).await.unwrap().is_done());
        }
    }
}

#[tokio::test]
async fn no_key_of_another_server_is_lost() {
    let servers = Servers::new();
    let faulty = FaultyStore::new(servers.store.clone(), Arc::new(servers.clock.clone()));
    let (slow, quick) = (servers.vault_on(Arc::new(faulty.clone())).await, servers.vault().await);
    faulty.fail_next(Call::WriteRing, Fault::Hang);
    let writes = faulty.calls(Call::WriteRing);
    let rotating = slow.clone();
    let rotating = tokio::spawn(async move { rotating.rotate().await });
    while faulty.calls(Call::WriteRing) == writes {
        tokio::task::yield_now().await;
    }
    // It has read the ring and is about to write it with a key more.
    rotate(&servers, &quick).await;
    let (partition, a) = (Partition::random(), name("a"));
    put(&quick, &partition, &a, "x").await;
    faulty.heal();
    rotating.await.unwrap().unwrap();
    for server in [servers.vault().await, slow, quick] {
        assert_eq!(text(&server, &partition, &a).await, "x");
    }
}

#[tokio::test]
async fn old_keys_are_forgotten_when_nothing_can_be_under_them() {
    let servers = Servers::new();
    let vault = servers.vault().await;
    let (partition, a) = (Partition::random(), name("a"));
    put(&vault, &partition, &a, "x").await;
    let old = servers.stored(&partition, &a).await.value().clone();
    rotate(&servers, &vault).await;
    assert_eq!(vault.forget_unused_keys().await.unwrap(), 0, "there was no pass");
    servers.clock.advance(Vault::SETTLING_TIME - millis(1));
    reseal(&vault, 1000).await;
    assert_eq!(
        vault.forget_unused_keys().await.unwrap(),
        0,
        "the pass began while slow servers may still write"
    );
    servers.clock.advance(millis(1));
    assert_eq!(vault.forget_unused_keys().await.unwrap(), 0);
    reseal(&vault, 1000).await;
    assert_eq!(vault.forget_unused_keys().await.unwrap(), 1);
    assert_eq!(vault.forget_unused_keys().await.unwrap(), 0);
    assert_eq!(text(&vault, &partition, &a).await, "x");

    // An old copy cannot be read any more, by nobody.
    let put_back = Batch::new().put(a.clone(), old, None);
    assert!(servers.store.commit(&partition, put_back, NOON).await.unwrap().is_done());
    for server in [&vault, &servers.vault().await] {
        assert!(server.get_one(&partition, &a).await.unwrap_err().to_string().contains("not in the ring"));
    }
}

#[tokio::test]
async fn a_pass_goes_on_after_failures() {
    let servers = Servers::new();
    let faulty = FaultyStore::new(servers.store.clone(), Arc::new(servers.clock.clone()));
    let vault = servers.vault_on(Arc::new(faulty.clone())).await;
    let partition = Partition::random();
    for number in 0..20 {
        put(&vault, &partition, &name(&format!("r{number:02}")), "x").await;
    }
    rotate(&servers, &vault).await;
    faulty.fail_after(1, Call::Partitions, Fault::Unavailable);
    faulty.fail_next(Call::Scan, Fault::Unavailable);
    faulty.fail_after(3, Call::Commit, Fault::Unavailable);
    faulty.fail_after(7, Call::Commit, Fault::LostAnswer);
    faulty.fail_after(9, Call::Commit, Fault::LostRequest);
    faulty.fail_next(Call::WriteRing, Fault::Unavailable);
    let (mut errors, mut finished) = (0, false);
    while !finished {
        match vault.reseal(1000).await {
            Ok(done) => finished = done.finished,
            Err(_) => errors += 1,
        }
        assert!(errors < 10);
    }
    assert_eq!(errors, 6);
    let key = servers.key_of(&partition, &name("r00")).await;
    for number in 0..20 {
        assert_eq!(servers.key_of(&partition, &name(&format!("r{number:02}"))).await, key);
        assert_eq!(text(&vault, &partition, &name(&format!("r{number:02}"))).await, "x");
    }
}

#[tokio::test]
async fn whether_a_rotation_happened_does_not_matter() {
    for fault in [Fault::LostAnswer, Fault::LostRequest] {
        let servers = Servers::new();
        let faulty = FaultyStore::new(servers.store.clone(), Arc::new(servers.clock.clone()));
        let vault = servers.vault_on(Arc::new(faulty.clone())).await;
        faulty.fail_next(Call::WriteRing, fault);
        assert_eq!(vault.rotate().await.unwrap(), NOON + Vault::ROTATION_DELAY);
        assert_eq!(faulty.calls(Call::WriteRing), if fault == Fault::LostAnswer { 2 } else { 3 });
        faulty.fail_next(Call::ReadRing, Fault::Unavailable);
        servers.clock.advance(Vault::ROTATION_DELAY);
        // Answers do not wait for the ring.
        put(&vault, &Partition::random(), &name("a"), "x").await;
    }
}
