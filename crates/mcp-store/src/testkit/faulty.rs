//! A store that fails when it is told to.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use mcp_core::{Clock, SystemClock};
//! use mcp_store::testkit::{Call, Fault, FaultyStore};
//! use mcp_store::{Batch, MemoryStore, Name, Partition, Store};
//!
//! let clock = SystemClock;
//! let store = FaultyStore::new(Arc::new(MemoryStore::new()), Arc::new(clock));
//! store.fail_next(Call::Commit, Fault::LostAnswer);
//!
//! let (partition, name) = (Partition::random(), Name::new("grant")?);
//! let batch = Batch::new().put(name.clone(), "sealed", None);
//! let revision = batch.revision();
//! let error = store.commit(&partition, batch, clock.now()).await.unwrap_err();
//! assert!(error.is_unknown());
//! let found = store.get(&partition, &[name], clock.now()).await?.remove(0).unwrap();
//! assert_eq!(found.revision(), revision); // it had happened
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use mcp_core::{Clock, ConfigError, Timestamp};
use tokio::sync::watch;

use crate::{
    Batch, Committed, Cursor, Entry, Name, Partition, PartitionPage, Record, RootKeyPlace, Store, StoreError,
    Swept,
};

/// A [`Store`] in front of another that fails when it is told to. Clones are told together.
#[derive(Clone)]
pub struct FaultyStore(Arc<Shared>);

struct Shared {
    inner: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Counts how often everything was healed.
    healed: watch::Sender<usize>,
}

#[derive(Default)]
struct State {
    planned: Vec<Planned>,
    calls: [usize; CALLS],
}

struct Planned {
    call: Call,
    /// How many calls pass before.
    spared: usize,
    /// How many fail then.
    times: usize,
    fault: Fault,
}

/// An operation of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Call {
    /// [`Store::get`], but of a vault's key ring.
    Get,
    /// [`Store::commit`], but of a vault's key ring.
    Commit,
    /// [`Store::scan`].
    Scan,
    /// [`Store::partitions`].
    Partitions,
    /// [`Store::sweep`].
    Sweep,
    /// [`Store::get`] in the partition `vault`: a vault that reads its key ring, now and then.
    ReadRing,
    /// [`Store::commit`] in the partition `vault`: a vault that changes its key ring.
    WriteRing,
}

/// What happens instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// [`StoreError::unavailable`], and nothing was done.
    Unavailable,
    /// A commit is [`unknown`](StoreError::unknown) and was not done; a read is unavailable.
    LostRequest,
    /// A commit is [`unknown`](StoreError::unknown) and was done; a read is unavailable.
    LostAnswer,
    /// No answer until [`heal`](FaultyStore::heal); then it is done.
    Hang,
    /// It is done after this time of the clock.
    Slow(Duration),
}

impl FaultyStore {
    /// In front of this store. Without a word it is like that one.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        let healed = watch::Sender::new(0);
        Self(Arc::new(Shared { inner, clock, state: Mutex::default(), healed }))
    }

    /// The next such call fails so. Said twice, the next two do.
    pub fn fail_next(&self, call: Call, fault: Fault) {
        self.plan(Planned { call, spared: 0, times: 1, fault });
    }

    /// So many such calls pass, and the one after them fails so.
    pub fn fail_after(&self, passes: usize, call: Call, fault: Fault) {
        self.plan(Planned { call, spared: passes, times: 1, fault });
    }

    /// Every such call fails so, until [`heal`](Self::heal).
    pub fn fail_always(&self, call: Call, fault: Fault) {
        self.plan(Planned { call, spared: 0, times: usize::MAX, fault });
    }

    /// Nothing fails any more, and what hangs goes on.
    pub fn heal(&self) {
        self.state().planned.clear();
        self.0.healed.send_modify(|times| *times += 1);
    }

    /// How many such calls there were, failed ones included.
    #[must_use]
    pub fn calls(&self, call: Call) -> usize {
        self.state().calls[call as usize]
    }

    fn plan(&self, planned: Planned) {
        self.state().planned.push(planned);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_fault(&self, call: Call) -> Option<Fault> {
        let mut state = self.state();
        state.calls[call as usize] += 1;
        let mut fault = None;
        for planned in state.planned.iter_mut().filter(|planned| planned.call == call) {
            if planned.spared > 0 {
                planned.spared -= 1;
            } else if fault.is_none() {
                planned.times -= 1;
                fault = Some(planned.fault);
            }
        }
        state.planned.retain(|planned| planned.times > 0);
        fault
    }

    /// Whether the call may go on, and how it ends when it has.
    async fn meet(&self, call: Call) -> Result<Answer, StoreError> {
        let is_commit = matches!(call, Call::Commit | Call::WriteRing);
        let mut healed = self.0.healed.subscribe();
        match self.next_fault(call) {
            None => Ok(Answer::Given),
            Some(Fault::LostRequest) if is_commit => Err(StoreError::unknown("a lost request")),
            Some(Fault::LostAnswer) if is_commit => Ok(Answer::Lost),
            Some(Fault::Unavailable | Fault::LostRequest | Fault::LostAnswer) => {
                Err(StoreError::unavailable("a planned fault"))
            }
            Some(Fault::Hang) => {
                // The sender lives in this store.
                let _ = healed.changed().await;
                Ok(Answer::Given)
            }
            Some(Fault::Slow(span)) => {
                self.0.clock.sleep(span).await;
                Ok(Answer::Given)
            }
        }
    }
}

#[derive(PartialEq)]
enum Answer {
    Given,
    Lost,
}

impl fmt::Debug for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FaultyStore").field(&self.0.inner).finish()
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn start(&self) -> Result<(), ConfigError> {
        self.0.inner.start().await
    }

    async fn get(
        &self,
        partition: &Partition,
        names: &[Name],
        now: Timestamp,
    ) -> Result<Vec<Option<Record>>, StoreError> {
        self.meet(either(partition, Call::Get, Call::ReadRing)).await?;
        self.0.inner.get(partition, names, now).await
    }

    async fn commit(
        &self,
        partition: &Partition,
        batch: Batch,
        now: Timestamp,
    ) -> Result<Committed, StoreError> {
        let answer = self.meet(either(partition, Call::Commit, Call::WriteRing)).await?;
        let committed = self.0.inner.commit(partition, batch, now).await?;
        if answer == Answer::Lost { Err(StoreError::unknown("a lost answer")) } else { Ok(committed) }
    }

    async fn scan(
        &self,
        partition: &Partition,
        prefix: &str,
        after: Option<&Name>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Entry>, StoreError> {
        self.meet(Call::Scan).await?;
        self.0.inner.scan(partition, prefix, after, limit, now).await
    }

    async fn partitions(&self, after: Option<&Cursor>, limit: usize) -> Result<PartitionPage, StoreError> {
        self.meet(Call::Partitions).await?;
        self.0.inner.partitions(after, limit).await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        self.meet(Call::Sweep).await?;
        self.0.inner.sweep(now, limit).await
    }

    fn root_key(&self) -> RootKeyPlace {
        self.0.inner.root_key()
    }
}

fn either(partition: &Partition, other: Call, vault: Call) -> Call {
    if partition.as_str() == "vault" { vault } else { other }
}

const CALLS: usize = 7;
