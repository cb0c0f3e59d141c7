//! A clock that stands still until a test moves it.
//!
//! ```
//! use std::time::Duration;
//! use mcp_auth_testkit::FakeClock;
//! use mcp_core::{Clock, Timestamp};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let clock = FakeClock::at(Timestamp::from_secs(1_800_000_000));
//! let sleeper = tokio::spawn(clock.sleep(Duration::from_secs(3600)));
//! clock.advance(Duration::from_secs(3599));
//! tokio::task::yield_now().await;
//! assert!(!sleeper.is_finished());
//!
//! clock.advance(Duration::from_secs(1)); // an hour has passed, in no time
//! sleeper.await.unwrap();
//! assert_eq!(clock.now().as_secs(), 1_800_003_600);
//! # }
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use mcp_core::{Clock, Sleep, SystemClock, Timestamp};
use tokio::sync::Notify;

/// A [`Clock`] that stands still until it is moved. Clones show the same time.
#[derive(Clone)]
pub struct FakeClock(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    // Rung whenever somebody lies down to sleep.
    asleep: Notify,
}

struct State {
    now: Timestamp,
    next_sleeper: u64,
    sleepers: BTreeMap<u64, Sleeper>,
}

struct Sleeper {
    until: Timestamp,
    waker: Option<Waker>,
}

impl FakeClock {
    /// A clock that shows the present.
    #[must_use]
    pub fn new() -> Self {
        Self::at(SystemClock.now())
    }

    /// A clock that shows this moment.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::new(State { now, next_sleeper: 0, sleepers: BTreeMap::new() }),
            asleep: Notify::new(),
        }))
    }

    /// Moves on by `span` and wakes every sleeper whose time has come.
    pub fn advance(&self, span: Duration) {
        let to = self.now() + span;
        self.set(to);
    }

    /// Sets the clock, backwards too, and wakes every sleeper whose time has come.
    pub fn set(&self, to: Timestamp) {
        let mut state = self.state();
        state.now = to;
        let due: Vec<Waker> = state
            .sleepers
            .values_mut()
            .filter(|sleeper| sleeper.until <= to)
            .filter_map(|sleeper| sleeper.waker.take())
            .collect();
        drop(state);
        due.into_iter().for_each(Waker::wake);
    }

    /// How many sleeps are under way.
    #[must_use]
    pub fn sleepers(&self) -> usize {
        self.state().sleepers.len()
    }

    /// Waits until at least `count` sleeps are under way, so that [`advance`](Self::advance) cannot come too early.
    pub async fn until_sleeping(&self, count: usize) {
        loop {
            let rung = self.0.asleep.notified();
            tokio::pin!(rung);
            // Registered before looking, or a sleep that starts in between would go unheard.
            rung.as_mut().enable();
            if self.sleepers() >= count {
                return;
            }
            rung.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for FakeClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        self.state().now
    }

    fn sleep(&self, span: Duration) -> Sleep {
        let mut state = self.state();
        let id = state.next_sleeper;
        state.next_sleeper += 1;
        let until = state.now + span;
        state.sleepers.insert(id, Sleeper { until, waker: None });
        drop(state);
        self.0.asleep.notify_waiters();
        Box::pin(Nap { clock: self.clone(), id, until })
    }
}

impl fmt::Debug for FakeClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FakeClock({:?})", self.now())
    }
}

struct Nap {
    clock: FakeClock,
    id: u64,
    until: Timestamp,
}

impl Future for Nap {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.clock.state();
        if state.now >= self.until {
            return Poll::Ready(());
        }
        if let Some(sleeper) = state.sleepers.get_mut(&self.id) {
            sleeper.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Nap {
    fn drop(&mut self) {
        self.clock.state().sleepers.remove(&self.id);
    }
}
