//! The thread that writes a log.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};

use super::config::{ChainConfig, Durability};
use super::head::Head;
use super::keys::{Keys, Mac};
use super::log::LogFile;
use super::resume::{Resumed, resume};
use super::row::{Position, Row, Trail};
use crate::audit::{AuditEvent, EventKind, Outcome};
use crate::{Clock, ConfigError};

/// What the thread is asked to do.
pub(super) enum Command {
    Event(Box<AuditEvent>),
    /// Say when everything before this is written.
    Flush(SyncSender<io::Result<()>>),
}

/// Who writes a log, and where it is.
pub(super) struct Writer {
    keys: Keys,
    log: LogFile,
    head_path: PathBuf,
    head: Head,
    /// Whether the head on disk is older than `head`.
    head_is_stale: bool,
    chain: u64,
    sync: bool,
    clock: Arc<dyn Clock>,
    lost: Arc<AtomicU64>,
}

impl Writer {
    /// Opens the log and writes the first row of a new chain.
    pub(super) fn begin(config: ChainConfig, lost: Arc<AtomicU64>) -> Result<Self, ConfigError> {
        let keys = Keys::new(&config.key);
        let Resumed { log, head, cut } = resume(&config, &keys)?;
        let first = head.last.map_or(Position::FIRST, |(last, _)| last.next_chain());
        let mut writer = Self {
            keys,
            log,
            head_path: config.head,
            head,
            head_is_stale: false,
            chain: first.chain,
            sync: config.durability == Durability::Disk,
            clock: config.clock,
            lost,
        };
        let mut batch = Batch::behind(&writer.head);
        writer
            .trail(&mut batch, Trail::Begun { cut })
            .and_then(|()| writer.write(&batch))
            .map_err(|error| {
                ConfigError::new(format!(
                    "the audit log {} or its head {} cannot be written: make room, or name files this process may write",
                    config.log.display(),
                    writer.head_path.display()
                ))
                .because(error)
            })?;
        Ok(writer)
    }

    /// Writes until nobody is left to send.
    pub(super) fn run(mut self, commands: &Receiver<Command>) {
        while let Ok(first) = commands.recv() {
            let mut events = Vec::new();
            let mut waiting = Vec::new();
            let mut next = Some(first);
            while let Some(command) = next {
                match command {
                    Command::Event(event) => events.push(event),
                    Command::Flush(done) => waiting.push(done),
                }
                // Whatever came while the last batch was written makes the next one, up to a bound.
                next = if events.len() < BATCH { commands.try_recv().ok() } else { None };
            }
            let written = self.write_events(&events);
            if let Err(error) = &written {
                tracing::error!(target: "mcp::audit", %error, "the audit log could not be written");
            }
            for done in waiting {
                // Who waited may have given up.
                let _ = done.send(match &written {
                    Ok(()) => Ok(()),
                    Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
                });
            }
        }
        if let Err(error) = self.end() {
            tracing::error!(target: "mcp::audit", %error, "the audit log could not be ended");
        }
    }

    fn write_events(&mut self, events: &[Box<AuditEvent>]) -> io::Result<()> {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        let mut batch = Batch::behind(&self.head);
        let mut fill = || {
            for event in events {
                self.row(&mut batch, None, event)?;
            }
            if lost > 0 {
                self.trail(&mut batch, Trail::Lost { events: lost })?;
            }
            Ok(())
        };
        let appended = fill().and_then(|()| self.append(&batch));
        if appended.is_err() {
            let unwritten = u64::try_from(events.len()).unwrap_or(u64::MAX).saturating_add(lost);
            self.lost.fetch_add(unwritten, Ordering::Relaxed);
        }
        // A head that could not be written costs no events: the log is ahead of it until the next time.
        appended.and_then(|()| self.update_head())
    }

    fn end(&mut self) -> io::Result<()> {
        if self.lost.load(Ordering::Relaxed) > 0 {
            self.write_events(&[])?;
        }
        let mut batch = Batch::behind(&self.head);
        self.trail(&mut batch, Trail::Ended)?;
        self.write(&batch)
    }

    fn trail(&self, batch: &mut Batch, trail: Trail) -> io::Result<()> {
        let (outcome, reason) = match trail {
            Trail::Begun { .. } => (Outcome::Allowed, "a chain begins"),
            Trail::Lost { .. } => (Outcome::Failed, "events could not be written"),
            Trail::Ended => (Outcome::Allowed, "the chain ends"),
        };
        let event = AuditEvent::new(self.clock.now(), EventKind::Trail, outcome).because(reason);
        self.row(batch, Some(trail), &event)
    }

    fn row(&self, batch: &mut Batch, trail: Option<Trail>, event: &AuditEvent) -> io::Result<()> {
        let (position, prev) = match batch.last {
            Some((last, mac)) if last.chain == self.chain => (last.next(), mac),
            Some((last, mac)) => (last.next_chain(), mac),
            None => (Position::FIRST, Mac::default()),
        };
        let (line, mac) = Row::write(&self.keys.rows, &self.head.log, position, &prev, trail, event)?;
        batch.bytes.extend_from_slice(line.as_bytes());
        batch.last = Some((position, mac));
        Ok(())
    }

    fn write(&mut self, batch: &Batch) -> io::Result<()> {
        self.append(batch)?;
        self.update_head()
    }

    fn append(&mut self, batch: &Batch) -> io::Result<()> {
        if !batch.bytes.is_empty() {
            self.log.append(&batch.bytes, self.sync)?;
            self.head.last = batch.last;
            self.head.size = self.log.size();
            self.head_is_stale = true;
        }
        Ok(())
    }

    fn update_head(&mut self) -> io::Result<()> {
        if self.head_is_stale {
            self.head.write(&self.keys.heads, &self.head_path, self.sync)?;
            self.head_is_stale = false;
        }
        Ok(())
    }
}

/// Rows on their way to the disk. The chain goes on behind them only when they have arrived.
struct Batch {
    bytes: Vec<u8>,
    last: Option<(Position, Mac)>,
}

impl Batch {
    fn behind(head: &Head) -> Self {
        Self { bytes: Vec::new(), last: head.last }
    }
}

/// How many events are written at a time.
const BATCH: usize = 512;
