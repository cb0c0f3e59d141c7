//! State in the memory of this process.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use mcp_core::{Clock, SystemClock};
//! use mcp_store::{Batch, MemoryStore, Name, Partition, Store};
//!
//! let (store, partition, code) = (MemoryStore::new(), Partition::random(), Name::new("code")?);
//! let now = SystemClock.now();
//! let issue = Batch::new().require_absent(code.clone()).put(code.clone(), "sealed", None);
//! let issued = issue.revision();
//! assert!(store.commit(&partition, issue, now).await?.is_done());
//!
//! let redeem = || Batch::new().require(code.clone(), issued).delete(code.clone());
//! assert!(store.commit(&partition, redeem(), now).await?.is_done());
//! assert!(!store.commit(&partition, redeem(), now).await?.is_done()); // once
//! # Ok(())
//! # }
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use mcp_core::{ConfigError, Timestamp};

use crate::{
    Batch, Committed, Cursor, Entry, Name, Operation, Partition, PartitionPage, Precondition, Record,
    RootKeyPlace, Store, StoreError, Swept,
};

/// A [`Store`] in the memory of this process, for tests and for a single server that may forget everything: all grants end
/// with the process. It grows with what is put into it; only expiry makes room. Clones are handles on the same records.
#[derive(Clone)]
pub struct MemoryStore(Arc<Shards>);

struct Shards {
    // Each partition lives in one, so that a commit locks one; keyed, so that nobody can choose partitions of one shard.
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
}

#[derive(Default)]
struct Shard {
    partitions: BTreeMap<Partition, BTreeMap<Name, Record>>,
    // Every record that expires, in order of expiry: a sweep looks at nothing else.
    expiring: BTreeSet<(Timestamp, Partition, Name)>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Shards { shards: Default::default(), hasher: RandomState::new() }))
    }

    fn shard(&self, partition: &Partition) -> MutexGuard<'_, Shard> {
        let hash = self.0.hasher.hash_one(partition);
        #[expect(clippy::cast_possible_truncation, reason = "less than SHARDS")]
        lock(&self.0.shards[(hash % SHARDS as u64) as usize])
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn start(&self) -> Result<(), ConfigError> {
        Ok(())
    }

    async fn get(
        &self,
        partition: &Partition,
        names: &[Name],
        now: Timestamp,
    ) -> Result<Vec<Option<Record>>, StoreError> {
        let shard = self.shard(partition);
        let records = shard.partitions.get(partition);
        let find = |name| {
            records.and_then(|records| records.get(name)).filter(|record| record.is_live(now)).cloned()
        };
        Ok(names.iter().map(find).collect())
    }

    async fn commit(
        &self,
        partition: &Partition,
        batch: Batch,
        now: Timestamp,
    ) -> Result<Committed, StoreError> {
        batch.check()?;
        let mut shard = self.shard(partition);
        let records = shard.partitions.get(partition);
        for (name, precondition) in batch.preconditions() {
            let found = records.and_then(|records| records.get(name)).filter(|record| record.is_live(now));
            let holds = match precondition {
                Precondition::Absent => found.is_none(),
                Precondition::At(revision) => found.is_some_and(|record| record.revision() == *revision),
            };
            if !holds {
                return Ok(Committed::Refused(name.clone()));
            }
        }
        // From here on nothing can fail or wait.
        let revision = batch.revision();
        for (name, operation) in batch.into_operations() {
            match operation {
                Operation::Put { value, expires_at } => {
                    shard.put(partition, name, Record::new(value, revision, expires_at));
                }
                Operation::Delete => shard.delete(partition, &name),
            }
        }
        Ok(Committed::Done(revision))
    }

    async fn scan(
        &self,
        partition: &Partition,
        prefix: &str,
        after: Option<&Name>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Entry>, StoreError> {
        let shard = self.shard(partition);
        let Some(records) = shard.partitions.get(partition) else { return Ok(Vec::new()) };
        let start = match after {
            // What is after a name and before the prefix does not begin with it.
            Some(after) if after.as_str() >= prefix => Bound::Excluded(after.as_str()),
            _ => Bound::Included(prefix),
        };
        Ok(records
            .range::<str, _>((start, Bound::Unbounded))
            .take_while(|(name, _)| name.as_str().starts_with(prefix))
            .filter(|(_, record)| record.is_live(now))
            .take(limit.clamp(1, 1000))
            .map(|(name, record)| Entry { name: name.clone(), record: record.clone() })
            .collect())
    }

    async fn partitions(&self, after: Option<&Cursor>, limit: usize) -> Result<PartitionPage, StoreError> {
        let (index, after) = match after {
            None => (0, None),
            Some(cursor) => read_cursor(cursor).ok_or(StoreError::invalid("no cursor of this store"))?,
        };
        let limit = limit.clamp(1, 1000);
        let start = after.as_ref().map_or(Bound::Unbounded, |after| Bound::Excluded(after.as_str()));
        let shard = lock(&self.0.shards[index]);
        let partitions: Vec<Partition> = shard
            .partitions
            .range::<str, _>((start, Bound::Unbounded))
            .take(limit)
            .map(|(name, _)| name.clone())
            .collect();
        let next = match partitions.last() {
            Some(last) if partitions.len() == limit => Some(Cursor::new(format!("{index}/{last}"))),
            _ if index + 1 < SHARDS => Some(Cursor::new(format!("{}/", index + 1))),
            _ => None,
        };
        Ok(PartitionPage { partitions, next })
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        for shard in &self.0.shards {
            let mut shard = lock(shard);
            while let Some((end, partition, name)) = shard.expiring.first() {
                if *end > now {
                    break;
                }
                if swept.deleted >= limit {
                    swept.more = true;
                    return Ok(swept);
                }
                let (partition, name) = (partition.clone(), name.clone());
                shard.delete(&partition, &name);
                swept.deleted += 1;
            }
        }
        Ok(swept)
    }

    fn root_key(&self) -> RootKeyPlace {
        RootKeyPlace::Memory
    }
}

impl Shard {
    fn put(&mut self, partition: &Partition, name: Name, record: Record) {
        let end = record.expires_at();
        let old = match self.partitions.get_mut(partition) {
            Some(records) => records.insert(name.clone(), record),
            None => {
                self.partitions.insert(partition.clone(), BTreeMap::from([(name.clone(), record)]));
                None
            }
        };
        let old_end = old.and_then(|old| old.expires_at());
        if old_end == end {
            return;
        }
        if let Some(end) = old_end {
            self.expiring.remove(&(end, partition.clone(), name.clone()));
        }
        if let Some(end) = end {
            self.expiring.insert((end, partition.clone(), name));
        }
    }

    fn delete(&mut self, partition: &Partition, name: &Name) {
        let Some(records) = self.partitions.get_mut(partition) else { return };
        let Some(old) = records.remove(name) else { return };
        if records.is_empty() {
            self.partitions.remove(partition);
        }
        if let Some(end) = old.expires_at() {
            self.expiring.remove(&(end, partition.clone(), name.clone()));
        }
    }
}

/// A panic while a shard is locked is impossible but for a failed allocation, which aborts.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read_cursor(cursor: &Cursor) -> Option<(usize, Option<Partition>)> {
    let (index, after) = cursor.as_str().split_once('/')?;
    let index = index.parse().ok().filter(|index| *index < SHARDS)?;
    let after = if after.is_empty() { None } else { Some(Partition::new(after).ok()?) };
    Some((index, after))
}

const SHARDS: usize = 16;
