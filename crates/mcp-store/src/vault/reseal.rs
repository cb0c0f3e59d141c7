//! Sealing anew what is under old keys.

use std::collections::VecDeque;

use mcp_core::Timestamp;

use super::observed::count_resealed;
use super::ring::Ring;
use super::sealed::{self, Place};
use super::{VAULT_PARTITION, Vault};
use crate::{Batch, Committed, Cursor, Entry, Name, Partition, StoreError};

/// What [`Vault::reseal`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resealed {
    /// How many records it looked at.
    pub looked_at: usize,
    /// How many it has sealed anew.
    pub resealed: usize,
    /// How many cannot be opened, and so stay as they are.
    pub unreadable: usize,
    /// Whether the pass is complete: nothing is under an old key any more that was there when it began.
    pub finished: bool,
}

/// How far a pass has come.
pub(super) struct Pass {
    began: Timestamp,
    /// Partitions of the page at hand, the first perhaps half done: up to this name.
    partitions: VecDeque<Partition>,
    after: Option<Name>,
    /// Of the next page; `None` when the one at hand is the last.
    next: Option<Option<Cursor>>,
}

impl Vault {
    /// Seals records that are under old keys anew, a portion at a time: looks at no more than about `budget` of them. Called
    /// again it goes on; one pass is made by each server, and the first that finishes is enough for all.
    ///
    /// A record that is written meanwhile is left alone. To everybody else a record is as it was: value, end and revision
    /// stay, and so does what a commit may require.
    ///
    /// # Cancel safety
    /// A dropped future loses nothing: the next call begins a page before.
    ///
    /// # Errors
    /// When the store cannot be read or written. The next call tries the same again.
    pub async fn reseal(&self, budget: usize) -> Result<Resealed, StoreError> {
        self.0.keys.refresh_if_old().await;
        let mut pass = self.0.pass.lock().await;
        let mut done = Resealed::default();
        if !self.ring().has_superseded(self.now()) {
            *pass = None;
            return Ok(Resealed { finished: true, ..done });
        }
        let walked =
            self.walk(pass.get_or_insert_with(|| Pass::new(self.now())), budget.max(1), &mut done).await;
        count_resealed(done.resealed, done.unreadable);
        done.finished = walked?;
        if done.finished {
            *pass = None;
        }
        Ok(done)
    }

    /// Goes on, and says whether the pass is complete.
    async fn walk(&self, pass: &mut Pass, budget: usize, done: &mut Resealed) -> Result<bool, StoreError> {
        // A page of nothing is work too.
        let mut steps = 0;
        while steps < budget {
            let Some(partition) = pass.partitions.front().cloned() else {
                let Some(cursor) = pass.next.clone() else {
                    let began = pass.began;
                    self.0.keys.change(|ring| ring.with_resealed(began)).await?;
                    return Ok(true);
                };
                let page = self.0.store.partitions(cursor.as_ref(), PAGE).await?;
                pass.partitions = page.partitions.into();
                pass.partitions.retain(|partition| partition.as_str() != VAULT_PARTITION);
                pass.next = page.next.map(Some);
                steps += 1;
                continue;
            };
            let limit = PAGE.min(budget - steps);
            let page = self.0.store.scan(&partition, "", pass.after.as_ref(), limit, self.now()).await?;
            let ring = self.ring();
            for entry in &page {
                self.reseal_one(&ring, &partition, entry, done).await?;
            }
            steps += page.len().max(1);
            done.looked_at += page.len();
            if page.len() < limit {
                pass.partitions.pop_front();
                pass.after = None;
            } else {
                pass.after = page.into_iter().last().map(|entry| entry.name);
            }
        }
        Ok(false)
    }

    async fn reseal_one(
        &self,
        ring: &Ring,
        partition: &Partition,
        entry: &Entry,
        done: &mut Resealed,
    ) -> Result<(), StoreError> {
        let now = self.now();
        let current = ring.current(now);
        let Entry { name, record } = entry;
        let key = match sealed::key_id(record.value()).map(|id| ring.find(id)) {
            // Of this key or of one that other clocks use already.
            Some(Some(key)) if key.from >= current.from => return Ok(()),
            Some(Some(key)) => key,
            _ => {
                done.unreadable += 1;
                return Ok(());
            }
        };
        let place = Place { partition, name, expires_at: record.expires_at() };
        let Some(plaintext) = sealed::open(key, &place, record.value()) else {
            done.unreadable += 1;
            return Ok(());
        };
        let value = sealed::seal(current, &place, &plaintext);
        // With the revision it had: who holds that may still require it. What this commit requires is that nobody has
        // written since; another server that seals the same record anew does no harm.
        let batch = Batch::of_revision(record.revision());
        let batch =
            batch.require(name.clone(), record.revision()).put(name.clone(), value, record.expires_at());
        if let Committed::Done(_) = self.0.store.commit(partition, batch, now).await? {
            done.resealed += 1;
        }
        Ok(())
    }
}

impl Pass {
    fn new(began: Timestamp) -> Self {
        Self { began, partitions: VecDeque::new(), after: None, next: Some(None) }
    }
}

/// How many partitions or records are read at once.
const PAGE: usize = 100;
