//! A store with one defect of many.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use mcp_core::{Clock, ConfigError, SystemClock, Timestamp, async_trait};
use mcp_store::{
    Batch, Committed, Cursor, Entry, MemoryStore, Name, Operation, Partition, PartitionPage, Precondition,
    Record, Revision, RootKeyPlace, Store, StoreError, Swept,
};
use tokio::task::yield_now;

use crate::support::{millis, name};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Defect {
    /// Looks first and writes later.
    ChecksThenWrites,
    /// Only what is required of the names that are written is one step with writing them.
    LocksWrittenNamesOnly,
    /// Writes one record after the other.
    WritesOneByOne,
    /// Has written the first record when it finds out that it must not.
    RefusesTooLate,
    /// Blames whatever is required first.
    BlamesTheFirst,
    /// A record is still there in the millisecond of its end.
    EndsLate,
    /// Preconditions see what has expired.
    RequiresTheDead,
    /// Looks at its own clock.
    OwnClock,
    /// A value that is written again has the revision that it had.
    RevisionOfValue,
    /// Keeps revisions as floating point numbers.
    RoundsRevisions,
    /// Keeps an end that was there when a put has none.
    KeepsTheEnd,
    /// `_` in a prefix is any character.
    PrefixIsPattern,
    /// Names are compared without case.
    IgnoresCase,
    /// Partition and name are joined by a dot.
    JoinsKeys,
    /// What has expired takes room on a page.
    ShortPages,
    /// A page begins with the last record of the one before.
    RepeatsTheLast,
    /// Pages of partitions are counted off.
    PartitionsByNumber,
    /// Lists what has expired and deletes it later.
    SweepsTooLate,
    /// Sweeps all at once.
    SweepsEverything,
    /// Each server has a memory of its own of what is in the database.
    StaleReads,
    /// Nothing stays.
    Forgets,
    /// Takes no batch over 100 operations.
    SmallBatches,
    /// An error after the fact says that nothing was written.
    LiesAboutLoss,
    /// Takes what `Batch::check` refuses.
    ChecksNothing,
}

#[derive(Debug)]
pub(super) struct Defective {
    inner: MemoryStore,
    defect: Defect,
    cut: Arc<AtomicBool>,
    remembered: Mutex<HashMap<(Partition, Name), Option<Record>>>,
}

impl Defective {
    pub(super) fn new(inner: MemoryStore, defect: Defect, cut: Arc<AtomicBool>) -> Self {
        Self { inner, defect, cut, remembered: Mutex::default() }
    }

    fn is(&self, defect: Defect) -> bool {
        self.defect == defect
    }

    fn now(&self, now: Timestamp) -> Timestamp {
        match self.defect {
            Defect::EndsLate => now - millis(1),
            Defect::OwnClock => SystemClock.now(),
            _ => now,
        }
    }

    fn key(&self, partition: &Partition, at: &Name) -> (Partition, Name) {
        match self.defect {
            Defect::IgnoresCase => (partition.clone(), name(&at.as_str().to_lowercase())),
            Defect::JoinsKeys => {
                let joined = format!("{partition}.{at}");
                (Partition::new("all").unwrap(), Name::new(&joined).unwrap_or_else(|_| at.clone()))
            }
            _ => (partition.clone(), at.clone()),
        }
    }

    async fn holds(
        &self,
        partition: &Partition,
        at: &Name,
        precondition: Precondition,
        now: Timestamp,
    ) -> bool {
        let found = self.inner.get(partition, std::slice::from_ref(at), now).await.unwrap().remove(0);
        match precondition {
            Precondition::At(revision) => found.is_some_and(|record| record.revision() == revision),
            _ => found.is_none(),
        }
    }
}

impl Defective {
    async fn all_partitions(&self) -> Result<Vec<Partition>, StoreError> {
        let (mut all, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.inner.partitions(cursor.as_ref(), 1000).await?;
            all.extend(page.partitions);
            cursor = page.next;
            if cursor.is_none() {
                return Ok(all);
            }
        }
    }
}

/// The same operations, without what is required, in a batch of another revision.
fn bare(batch: &Batch) -> Batch {
    batch.operations().iter().fold(Batch::new(), |bare, (name, operation)| match operation {
        Operation::Put { value, expires_at } => bare.put(name.clone(), value.clone(), *expires_at),
        _ => bare.delete(name.clone()),
    })
}

#[async_trait]
impl Store for Defective {
    async fn start(&self) -> Result<(), ConfigError> {
        Ok(())
    }

    async fn get(
        &self,
        partition: &Partition,
        names: &[Name],
        now: Timestamp,
    ) -> Result<Vec<Option<Record>>, StoreError> {
        let mut found = Vec::new();
        for at in names {
            let (partition, at) = self.key(partition, at);
            if self.is(Defect::WritesOneByOne) {
                // Torn writes, so torn reads too.
                yield_now().await;
            }
            let record =
                self.inner.get(&partition, std::slice::from_ref(&at), self.now(now)).await?.remove(0);
            let record = match self.defect {
                Defect::StaleReads => {
                    let mut remembered = self.remembered.lock().unwrap();
                    remembered.entry((partition, at)).or_insert(record).clone()
                }
                #[expect(clippy::cast_possible_truncation, reason = "that is the defect")]
                Defect::RoundsRevisions => record.map(|record| {
                    let rounded = Revision::from_u64(record.revision().as_u64() as f64 as u64);
                    Record::new(record.value().clone(), rounded, record.expires_at())
                }),
                Defect::RevisionOfValue => record.map(|record| {
                    let number =
                        record.value().iter().fold(7, |hash, byte| hash * 31 + u64::from(*byte) % 97);
                    Record::new(record.value().clone(), Revision::from_u64(number), record.expires_at())
                }),
                _ => record,
            };
            found.push(record);
        }
        // One step, where nothing else is meant.
        if !matches!(self.defect, Defect::WritesOneByOne)
            && names.len() > 1
            && self.is(Defect::ChecksThenWrites)
        {
            return self.inner.get(partition, names, now).await;
        }
        Ok(found)
    }

    async fn commit(
        &self,
        partition: &Partition,
        batch: Batch,
        now: Timestamp,
    ) -> Result<Committed, StoreError> {
        let now = self.now(now);
        match self.defect {
            Defect::ChecksNothing if batch.check().is_err() => {
                let names: Vec<_> = batch.operations().iter().map(|(name, _)| name.clone()).take(1).collect();
                let put = Batch::new().put(names[0].clone(), "x", None);
                return self.inner.commit(partition, put, now).await;
            }
            Defect::SmallBatches if batch.operations().len() > 100 => {
                return Err(StoreError::invalid("too many operations"));
            }
            Defect::ChecksThenWrites => {
                batch.check()?;
                for (at, precondition) in batch.preconditions() {
                    if !self.holds(partition, at, *precondition, now).await {
                        return Ok(Committed::Refused(at.clone()));
                    }
                }
                yield_now().await;
                let revision = batch.revision();
                let _ = self.inner.commit(partition, bare(&batch), now).await?;
                return Ok(Committed::Done(revision));
            }
            Defect::LocksWrittenNamesOnly => {
                batch.check()?;
                let written: Vec<_> = batch.operations().iter().map(|(name, _)| name).collect();
                let mut locked = bare(&batch);
                for (at, precondition) in batch.preconditions() {
                    locked = match precondition {
                        Precondition::At(revision) if written.contains(&at) => {
                            locked.require(at.clone(), *revision)
                        }
                        Precondition::Absent if written.contains(&at) => locked.require_absent(at.clone()),
                        other if self.holds(partition, at, *other, now).await => locked,
                        _ => return Ok(Committed::Refused(at.clone())),
                    };
                }
                yield_now().await;
                return self.inner.commit(partition, locked, now).await;
            }
            Defect::WritesOneByOne => {
                batch.check()?;
                for (at, operation) in batch.operations() {
                    let one = match operation {
                        Operation::Put { value, expires_at } => {
                            Batch::new().put(at.clone(), value.clone(), *expires_at)
                        }
                        _ => Batch::new().delete(at.clone()),
                    };
                    let _ = self.inner.commit(partition, one, now).await?;
                    yield_now().await;
                }
                return Ok(Committed::Done(batch.revision()));
            }
            Defect::RefusesTooLate => {
                let first = bare(&batch);
                let committed = self.inner.commit(partition, batch, now).await?;
                if !committed.is_done() {
                    let _ = self.inner.commit(partition, first, now).await?;
                }
                return Ok(committed);
            }
            Defect::BlamesTheFirst => {
                let first = batch.preconditions().first().map(|(name, _)| name.clone());
                let committed = self.inner.commit(partition, batch, now).await?;
                return Ok(match (committed, first) {
                    (Committed::Refused(_), Some(first)) => Committed::Refused(first),
                    (committed, _) => committed,
                });
            }
            Defect::RequiresTheDead => {
                return self.inner.commit(partition, batch, Timestamp::default()).await;
            }
            Defect::KeepsTheEnd => {
                let mut kept = Batch::new();
                for (at, operation) in batch.operations() {
                    let before = self.inner.get(partition, std::slice::from_ref(at), now).await?.remove(0);
                    kept = match operation {
                        Operation::Put { value, expires_at } => {
                            let end = expires_at.or(before.and_then(|record| record.expires_at()));
                            kept.put(at.clone(), value.clone(), end)
                        }
                        _ => kept.delete(at.clone()),
                    };
                }
                let revision = batch.revision();
                let _ = self.inner.commit(partition, kept, now).await?;
                return Ok(Committed::Done(revision));
            }
            Defect::IgnoresCase | Defect::JoinsKeys => {
                let mut mapped = Batch::new();
                for (at, precondition) in batch.preconditions() {
                    let at = self.key(partition, at).1;
                    mapped = match precondition {
                        Precondition::At(revision) => mapped.require(at, *revision),
                        _ => mapped.require_absent(at),
                    };
                }
                for (at, operation) in batch.operations() {
                    let at = self.key(partition, at).1;
                    mapped = match operation {
                        Operation::Put { value, expires_at } => mapped.put(at, value.clone(), *expires_at),
                        _ => mapped.delete(at),
                    };
                }
                let revision = batch.revision();
                let partition = self.key(partition, &name("x")).0;
                return Ok(match self.inner.commit(&partition, mapped, now).await? {
                    Committed::Done(_) => Committed::Done(revision),
                    refused => refused,
                });
            }
            _ => {}
        }
        let committed = self.inner.commit(partition, batch, now).await?;
        if self.is(Defect::LiesAboutLoss) && self.cut.swap(false, Ordering::Relaxed) {
            return Err(StoreError::unavailable("reset by peer"));
        }
        Ok(committed)
    }

    async fn scan(
        &self,
        partition: &Partition,
        prefix: &str,
        after: Option<&Name>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Entry>, StoreError> {
        let now = self.now(now);
        match self.defect {
            Defect::PrefixIsPattern => {
                let all = self.inner.scan(partition, "", after, 1000, now).await?;
                let like = |text: &str| {
                    text.len() >= prefix.len()
                        && prefix.bytes().zip(text.bytes()).all(|(a, b)| a == b'_' || a == b)
                };
                Ok(all.into_iter().filter(|entry| like(entry.name.as_str())).take(limit).collect())
            }
            Defect::ShortPages => {
                let mut page = self.inner.scan(partition, prefix, after, limit, Timestamp::default()).await?;
                page.retain(|entry| entry.record.is_live(now));
                Ok(page)
            }
            Defect::RepeatsTheLast => {
                let all = self.inner.scan(partition, prefix, None, 1000, now).await?;
                let from = all.into_iter().filter(|entry| after.is_none_or(|after| entry.name >= *after));
                Ok(from.take(limit).collect())
            }
            _ => self.inner.scan(partition, prefix, after, limit, now).await,
        }
    }

    async fn partitions(&self, after: Option<&Cursor>, limit: usize) -> Result<PartitionPage, StoreError> {
        if !self.is(Defect::PartitionsByNumber) {
            return self.inner.partitions(after, limit).await;
        }
        let mut all = self.all_partitions().await?;
        all.sort_unstable();
        let from: usize = after.map_or(0, |cursor| cursor.as_str().parse().unwrap());
        let partitions: Vec<_> = all.into_iter().skip(from).take(limit).collect();
        let next = (!partitions.is_empty()).then(|| Cursor::new((from + limit).to_string()));
        yield_now().await;
        Ok(PartitionPage { partitions, next })
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        match self.defect {
            Defect::SweepsEverything => self.inner.sweep(now, usize::MAX).await,
            Defect::SweepsTooLate => {
                let mut dead = Vec::new();
                for partition in self.all_partitions().await? {
                    let all = self.inner.scan(&partition, "", None, 1000, Timestamp::default()).await?;
                    let expired = all.into_iter().filter(|entry| !entry.record.is_live(now));
                    dead.extend(expired.map(|entry| (partition.clone(), entry.name)));
                }
                yield_now().await;
                for (partition, name) in &dead {
                    let _ = self.inner.commit(partition, Batch::new().delete(name.clone()), now).await?;
                }
                Ok(Swept { deleted: dead.len(), more: false })
            }
            _ => self.inner.sweep(now, limit).await,
        }
    }

    fn root_key(&self) -> RootKeyPlace {
        RootKeyPlace::Memory
    }
}
