//! The tamper-evident sink: every row is bound to the one before it, and the last one is known elsewhere.
//!
//! A log is a text file of JSON lines. Each row carries its chain, its number in it, the MAC of the row before and its
//! own MAC (HMAC-SHA-256 over the bytes of the line up to there). Each process writes one chain; the next process
//! begins a new one where the last row of the earlier one ended, so that the file is one sequence from first to last.
//!
//! A second file, the *head*, knows the last row. It belongs elsewhere: another volume, another host, wherever somebody
//! who can change the log cannot write. [`verify`] tells from both and the key what happened to a log:
//!
//! | what was done | what shows it |
//! |---|---|
//! | a row changed or made up | its MAC |
//! | rows deleted, moved, repeated, mixed in from another log | the MAC of the row before, and the numbers |
//! | the end cut off, up to the whole file | the head |
//! | the head deleted or changed | its absence, its MAC |
//!
//! What it cannot show: somebody who holds the key can write any history, and whoever can put back an old log *and* the
//! head of that time has an intact old log. [`VerifyReport::beyond_head`] counts rows that the head does not know yet.
//!
//! # Crashes
//!
//! Rows are appended and synchronised in batches, then the head is replaced atomically; the head is therefore never ahead
//! of what is on disk. A crash while writing leaves a last line without its end *behind* the row that the head names:
//! that is a [torn tail](VerifyReport::torn_tail) and no tampering. The next process cuts it off and notes in its first
//! row how many bytes that were. A log that ends before the row the head names was shortened, whatever its last line looks
//! like, and no process goes on with it.
//!
//! # Load
//!
//! A request never waits for the disk: events go through a bounded queue to a thread. When the queue is full, events are
//! lost and counted, and the count is a row of the chain.
//!
//! ```
//! use mcp_core::audit::{AuditEvent, AuditSink, ChainConfig, ChainSink, EventKind, Outcome, verify};
//! use mcp_core::{SecretKey, Timestamp};
//!
//! # let dir = tempfile::tempdir()?;
//! # let (log, head) = (dir.path().join("audit.jsonl"), dir.path().join("audit.head"));
//! let key = SecretKey::random();
//! let sink = ChainSink::open(ChainConfig::new(&log, &head, key.clone()))?;
//! sink.record(&AuditEvent::new(Timestamp::from_secs(1), EventKind::Authentication, Outcome::Denied));
//! sink.flush()?;
//! assert!(verify(&log, &head, &key)?.is_intact());
//!
//! let text = std::fs::read_to_string(&log)?;
//! std::fs::write(&log, text.replace("denied", "allowed"))?;
//! let finding = verify(&log, &head, &key)?.finding.expect("the second row was edited");
//! assert_eq!(finding.to_string(), "line 2 (chain 0, row 1): the row is not what was written");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
mod head;
mod keys;
mod lines;
mod log;
mod report;
mod resume;
mod row;
mod verify;
mod walk;
mod writer;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

pub use config::{ChainConfig, Durability};
pub use report::{Damage, Finding, VerifyReport};
pub use verify::verify;

use super::{AuditEvent, AuditSink};
use crate::ConfigError;
use writer::{Command, Writer};

/// An audit sink whose file cannot be changed unnoticed.
///
/// Dropping it writes what is queued, and a row that says that the chain ended in order; it waits for that.
pub struct ChainSink {
    queue: Option<SyncSender<Command>>,
    lost: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl ChainSink {
    /// Opens or creates a log and begins a chain in it. Reads and writes files: call it while the server is starting.
    ///
    /// # Errors
    /// When a file cannot be read or written, when another process writes the log, when log and head do not belong
    /// together or contradict each other. What to do about it is in the sentence; [`verify`] tells more.
    pub fn open(config: ChainConfig) -> Result<Self, ConfigError> {
        let (mut sink, writer, commands) = Self::prepare(config)?;
        sink.thread = Some(
            std::thread::Builder::new()
                .name("mcp-audit".to_owned())
                .spawn(move || writer.run(&commands))
                .map_err(|error| {
                    ConfigError::new("the thread of the audit log cannot be started").because(error)
                })?,
        );
        Ok(sink)
    }

    fn prepare(config: ChainConfig) -> Result<(Self, Writer, Receiver<Command>), ConfigError> {
        let (queue, commands) = sync_channel(config.queue);
        let lost = Arc::new(AtomicU64::new(0));
        let writer = Writer::begin(config, Arc::clone(&lost))?;
        let sink = Self { queue: Some(queue), lost, thread: None };
        Ok((sink, writer, commands))
    }

    /// Waits until everything recorded before this call is on disk, and the head knows it. Blocks: for the end of a
    /// process, not for requests.
    ///
    /// # Errors
    /// When it could not be written. What was lost is counted and the count written as soon as that works again.
    pub fn flush(&self) -> io::Result<()> {
        let gone = || io::Error::other("the thread of the audit log has ended");
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        let (done, answer) = sync_channel(1);
        queue.send(Command::Flush(done)).map_err(|_| gone())?;
        answer.recv().map_err(|_| gone())?
    }
}

impl AuditSink for ChainSink {
    fn record(&self, event: &AuditEvent) {
        let taken = match &self.queue {
            Some(queue) => queue.try_send(Command::Event(Box::new(event.clone()))).is_ok(),
            None => false,
        };
        if !taken {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for ChainSink {
    fn drop(&mut self) {
        // The thread ends when there is nobody left to send.
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(target: "mcp::audit", "the thread of the audit log panicked");
        }
    }
}

impl fmt::Debug for ChainSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChainSink").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{EventKind, Outcome};
    use crate::{SecretKey, Timestamp};

    #[test]
    fn a_full_queue_loses_events_and_says_how_many() {
        let dir = tempfile::tempdir().unwrap();
        let (log, head) = (dir.path().join("log"), dir.path().join("head"));
        let key = SecretKey::random();
        let config = ChainConfig::new(&log, &head, key.clone()).queue(3);
        let (sink, writer, commands) = ChainSink::prepare(config).unwrap();
        for second in 0..10 {
            // Nobody reads the queue yet: if this could wait, it would for ever.
            sink.record(&AuditEvent::new(
                Timestamp::from_secs(second),
                EventKind::Authentication,
                Outcome::Denied,
            ));
        }
        drop(sink);
        writer.run(&commands);

        let report = verify(&log, &head, &key).unwrap();
        assert!(report.is_intact());
        assert_eq!(report.lost, 7);
        let text = std::fs::read_to_string(&log).unwrap();
        assert_eq!(text.matches(r#""kind":"authentication""#).count(), 3);
        assert_eq!(text.matches(r#""trail":{"lost":{"events":7}}"#).count(), 1);
    }
}
