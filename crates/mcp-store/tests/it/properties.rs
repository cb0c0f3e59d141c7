//! Bytes that nobody here wrote, and a model of the store in memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mcp_core::Timestamp;
use mcp_store::{
    Batch, Committed, Cursor, MemoryStore, Name, Partition, Record, Revision, RootKey, Store, Vault,
};
use proptest::prelude::*;
use tokio::runtime::Runtime;

use crate::support::{NOON, Servers, millis, name, root};

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

proptest! {
    #[test]
    fn keys_are_of_their_characters_and_length(text in "[A-Za-z0-9._~%/ é\\x00-]{0,140}") {
        let allowed = |character: char| character.is_ascii_alphanumeric() || "._~-".contains(character);
        let fits = |longest| (1..=longest).contains(&text.len()) && text.chars().all(allowed);
        prop_assert_eq!(Name::new(&text).is_ok(), fits(Name::MAX));
        prop_assert_eq!(Partition::new(&text).is_ok(), fits(Partition::MAX));
    }

    #[test]
    fn any_value_comes_back(value in prop::collection::vec(any::<u8>(), 0..3000), end in prop::option::of(1..u64::MAX)) {
        runtime().block_on(async {
            let vault = Servers::new().vault().await;
            let (partition, end) = (Partition::random(), end.map(|end| NOON + millis(end)));
            let batch = Batch::new().put(name("a"), value.clone(), end);
            assert!(vault.commit(&partition, batch).await.unwrap().is_done());
            assert_eq!(vault.get_one(&partition, &name("a")).await.unwrap().unwrap().value(), value);
        });
    }

    #[test]
    fn any_bytes_in_the_place_of_a_record_are_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200), known: bool) {
        runtime().block_on(async {
            let servers = Servers::new();
            let vault = servers.vault().await;
            let partition = Partition::random();
            assert!(vault.commit(&partition, Batch::new().put(name("a"), "x", None)).await.unwrap().is_done());
            let mut value = servers.stored(&partition, &name("a")).await.value()[..5].to_vec();
            if !known {
                value.clear();
            }
            value.extend(bytes);
            let put = Batch::new().put(name("a"), value, None);
            assert!(servers.store.commit(&partition, put, NOON).await.unwrap().is_done());
            assert!(!vault.get_one(&partition, &name("a")).await.unwrap_err().is_transient());
            assert!(vault.scan(&partition, "", None, 10).await.is_err());
        });
    }

    #[test]
    fn any_bytes_in_the_place_of_the_ring_are_an_error(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        cut in any::<prop::sample::Index>(),
    ) {
        runtime().block_on(async {
            let servers = Servers::new();
            drop(servers.vault().await);
            let own = Partition::new("vault").unwrap();
            let ring = servers.stored(&own, &name("ring")).await.value().clone();
            let cut = cut.index(ring.len());
            for value in [bytes.clone(), [&[1], &bytes[..]].concat(), [&ring[..cut], &bytes].concat(), [&ring[..], b"x"].concat()] {
                let put = Batch::new().put(name("ring"), value, None);
                assert!(servers.store.commit(&own, put, NOON).await.unwrap().is_done());
                let clock = Arc::new(servers.clock.clone());
                assert!(Vault::open(servers.store.clone(), Some(root(1)), clock).await.is_err());
            }
        });
    }

    #[test]
    fn any_key_file_is_a_key_or_refused(bytes in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..100),
        "[A-Za-z0-9+/_=\\n -]{0,100}".prop_map(String::into_bytes),
    ]) {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NUMBER.fetch_add(1, Ordering::Relaxed).to_string());
        crate::key_file::write(&path, &bytes, 0o600);
        if RootKey::from_file(&path).is_ok() {
            prop_assert!(bytes.len() >= 32);
            let text = bytes.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
            prop_assert!(!text || bytes.trim_ascii().len() >= 43);
        }
    }

    #[test]
    fn any_cursor_is_one_or_an_error(text in "[0-9]{0,3}/?[A-Za-z0-9./-]{0,70}") {
        let _ = runtime().block_on(MemoryStore::new().partitions(Some(&Cursor::new(text)), 10));
    }

    #[test]
    fn the_store_in_memory_does_what_a_list_does(steps in prop::collection::vec(step(), 1..80)) {
        runtime().block_on(async {
            let (store, partition) = (MemoryStore::new(), Partition::random());
            let (mut model, mut now) = (Model::default(), NOON);
            for step in steps {
                // Time does not go back, or what was swept would be missed.
                now = now.max(NOON + millis(step.now));
                let (batch, done) = model.apply(&step, now);
                let revision = batch.revision();
                let committed = store.commit(&partition, batch, now).await.unwrap();
                assert_eq!(committed == Committed::Done(revision), done, "{step:?}");
                if step.sweeps {
                    store.sweep(now, 3).await.unwrap();
                }
                let found = store.scan(&partition, step.prefix, None, 1000, now).await.unwrap();
                let found: BTreeMap<_, _> = found.into_iter().map(|entry| (entry.name, entry.record)).collect();
                assert_eq!(found, model.live(step.prefix, now));
            }
        });
    }
}

#[derive(Clone, Debug)]
struct Step {
    now: u64,
    writes: BTreeMap<u8, Option<Option<u64>>>,
    requires: Vec<(u8, bool)>,
    prefix: &'static str,
    sweeps: bool,
}

fn step() -> impl Strategy<Value = Step> {
    let write = prop::option::of(prop::option::of(0..60_u64));
    let writes = prop::collection::btree_map(0..6_u8, write, 0..4);
    let requires = prop::collection::vec((0..6_u8, any::<bool>()), 0..2);
    let prefix = prop::sample::select(vec!["", "n", "n.0", "n.0.", "o"]);
    (0..60_u64, writes, requires, prefix, any::<bool>())
        .prop_map(|(now, writes, requires, prefix, sweeps)| Step { now, writes, requires, prefix, sweeps })
}

#[derive(Default)]
struct Model(BTreeMap<Name, Record>);

impl Model {
    /// The batch that a step is, and whether it is done.
    fn apply(&mut self, step: &Step, now: Timestamp) -> (Batch, bool) {
        let key = |number: u8| name(["n", "n.0", "n.0.1", "n.1", "o", "~"][usize::from(number)]);
        let (mut batch, mut holds) = (Batch::new(), true);
        for (number, present) in &step.requires {
            let found = self.0.get(&key(*number)).filter(|record| record.is_live(now)).map(Record::revision);
            // What is there is required, or its absence; either may be wrong.
            batch = match (present, found) {
                (true, Some(revision)) => batch.require(key(*number), revision),
                (true, None) => batch.require(key(*number), Revision::random()),
                (false, _) => batch.require_absent(key(*number)),
            };
            holds &= *present == found.is_some();
        }
        let revision = batch.revision();
        for (number, write) in &step.writes {
            let end = write.flatten().map(|end| NOON + millis(end));
            batch = match write {
                Some(_) => batch.put(key(*number), "x", end),
                None => batch.delete(key(*number)),
            };
            if holds {
                match write {
                    Some(_) => self.0.insert(key(*number), Record::new("x", revision, end)),
                    None => self.0.remove(&key(*number)),
                };
            }
        }
        (batch, holds)
    }

    fn live(&self, prefix: &str, now: Timestamp) -> BTreeMap<Name, Record> {
        let live =
            self.0.iter().filter(|(name, record)| record.is_live(now) && name.as_str().starts_with(prefix));
        live.map(|(name, record)| (name.clone(), record.clone())).collect()
    }
}
