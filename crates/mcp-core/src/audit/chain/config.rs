//! How a log is kept.

use std::path::PathBuf;
use std::sync::Arc;

use crate::{Clock, SecretKey, SystemClock};

/// When a batch of rows counts as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// When it is on the disk (`fdatasync`): a power cut loses only what is still queued.
    Disk,
    /// When the operating system has it: a crash of the process loses no more than that, a power cut may lose the last
    /// seconds, and may leave a log and a head that contradict each other.
    OperatingSystem,
}

/// How a log is kept.
#[derive(Clone, Debug)]
pub struct ChainConfig {
    pub(super) log: PathBuf,
    pub(super) head: PathBuf,
    pub(super) key: SecretKey,
    pub(super) queue: usize,
    pub(super) durability: Durability,
    pub(super) clock: Arc<dyn Clock>,
}

impl ChainConfig {
    /// A log in this file, its head in that one, both under this key. Each process has a log of its own. The head
    /// belongs where whoever may change the log cannot write.
    #[must_use]
    pub fn new(log: impl Into<PathBuf>, head: impl Into<PathBuf>, key: SecretKey) -> Self {
        Self {
            log: log.into(),
            head: head.into(),
            key,
            queue: 8192,
            durability: Durability::Disk,
            clock: Arc::new(SystemClock),
        }
    }

    /// How many events may wait for the disk (8,192 unless said, at least one). Those beyond are lost and counted.
    #[must_use]
    pub fn queue(mut self, events: usize) -> Self {
        self.queue = events.max(1);
        self
    }

    /// When a batch of rows counts as written ([`Durability::Disk`] unless said).
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Where the times of the log's own rows come from.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
}
