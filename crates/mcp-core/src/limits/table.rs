//! Buckets by key, in bounded memory.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;

use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

use crate::as_is::AsIs;

/// What is known of each key. When it is full, the keys that were not asked for lately make room.
///
/// Keys come from peers, so they are kept as keyed hashes of 64 bits: no peer chooses how long an entry is, nor can it
/// find two keys that fall together.
#[derive(Debug)]
pub(super) struct Table<V> {
    entries: Cache<u64, Arc<V>, UnitWeighter, AsIs>,
    hasher: RandomState,
}

impl<V: Default> Table<V> {
    pub(super) fn new(capacity: usize) -> Self {
        let room = u64::try_from(capacity).unwrap_or(u64::MAX);
        let entries = Cache::with(capacity, room, UnitWeighter, AsIs::default(), DefaultLifecycle::default());
        Self { entries, hasher: RandomState::new() }
    }

    pub(super) fn get(&self, key: impl Hash) -> Option<Arc<V>> {
        self.entries.get(&self.hasher.hash_one(key))
    }

    pub(super) fn get_or_new(&self, key: impl Hash) -> Arc<V> {
        let key = self.hasher.hash_one(key);
        if let Some(entry) = self.entries.get(&key) {
            return entry;
        }
        // Two threads may both come here; the one that writes last wins and a count of one is lost, which is cheaper
        // than making threads wait for each other.
        let entry = Arc::new(V::default());
        self.entries.insert(key, Arc::clone(&entry));
        entry
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}
