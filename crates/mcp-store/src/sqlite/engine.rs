//! The threads of an open database, and the one that looks for what takes too long.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mcp_core::ConfigError;

use super::checkpoint::{self, Log};
use super::connection::{self, Role};
use super::link::Link;
use super::place::Place;
use super::reader::{self, READERS, Reads};
use super::writer::{self, Writes};

/// How often what waits is looked through.
const LOOK: Duration = Duration::from_secs(1);

/// What the threads and the callers share.
#[derive(Debug, Default)]
pub(super) struct Engine {
    pub(super) writes: Writes,
    pub(super) reads: Reads,
    log: Log,
    watch: Watch,
}

/// Tells the watcher that there is something to watch. While it looks anyway, telling it costs one atomic operation.
#[derive(Debug, Default)]
struct Watch {
    active: AtomicBool,
    closed: Mutex<bool>,
    changed: Condvar,
}

impl Engine {
    /// Opens the database and starts the threads. Blocks.
    pub(super) fn start(place: &Place) -> Result<Arc<Self>, ConfigError> {
        let first = Link::new(place.clone(), Role::Writer, connection::open_first(place)?);
        let engine = Arc::new(Self::default());
        let started = engine.spawn_all(place, first);
        if started.is_err() {
            engine.close();
        }
        started.map(|()| engine)
    }

    fn spawn_all(self: &Arc<Self>, place: &Place, first: Link) -> Result<(), ConfigError> {
        let open = |role| {
            let opened = connection::open_again(place, role);
            let opened = opened.map_err(|trouble| ConfigError::new(trouble.to_string()))?;
            Ok(Link::new(place.clone(), role, opened))
        };
        let mut others = Vec::new();
        for number in 0..READERS {
            let link = open(Role::Reader)?;
            others.push(self.spawn("store-read", move |engine| reader::run(&engine.reads, number, link))?);
        }
        let link = open(Role::Mover)?;
        others.push(self.spawn("store-move", move |engine| checkpoint::run(&engine.log, link))?);
        self.spawn("store-write", move |engine| {
            let last = writer::run(&engine.writes, &engine.log, first);
            // Who closes the last connection moves the whole log into the database, but two at once leave it to each other.
            for other in others {
                drop(other.join());
            }
            drop(last);
        })?;
        self.spawn("store-watch", Self::watch)?;
        Ok(())
    }

    fn spawn(
        self: &Arc<Self>,
        name: &str,
        run: impl FnOnce(&Self) + Send + 'static,
    ) -> Result<JoinHandle<()>, ConfigError> {
        let engine = Arc::clone(self);
        let failed =
            |error: io::Error| ConfigError::new("no thread can be started for the store").because(error);
        thread::Builder::new().name(name.to_owned()).spawn(move || run(&engine)).map_err(failed)
    }

    /// Has the watcher look until nothing waits.
    pub(super) fn watch_now(&self) {
        if !self.watch.active.swap(true, Ordering::AcqRel) {
            drop(self.watch.closed.lock().unwrap_or_else(PoisonError::into_inner));
            self.watch.changed.notify_all();
        }
    }

    /// Ends the threads when they have done what waits.
    pub(super) fn close(&self) {
        self.writes.close();
        self.reads.close();
        self.log.close();
        *self.watch.closed.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.watch.changed.notify_all();
    }

    fn watch(&self) {
        loop {
            let closed = self.watch.closed.lock().unwrap_or_else(PoisonError::into_inner);
            let is_needed = |closed: &mut bool| !*closed && !self.watch.active.load(Ordering::Acquire);
            let closed =
                self.watch.changed.wait_while(closed, is_needed).unwrap_or_else(PoisonError::into_inner);
            let (closed, _) = self
                .watch
                .changed
                .wait_timeout_while(closed, LOOK, |closed| !*closed)
                .unwrap_or_else(PoisonError::into_inner);
            if *closed {
                return;
            }
            drop(closed);
            // Set before looking: who comes after the look tells us anew.
            self.watch.active.store(false, Ordering::Release);
            let now = Instant::now();
            let writes_wait = self.writes.expire(now);
            if self.reads.expire(now) || writes_wait {
                self.watch.active.store(true, Ordering::Release);
            }
        }
    }
}
