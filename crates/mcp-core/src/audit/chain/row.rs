//! One row of a log.

use serde::{Deserialize, Serialize};

use super::keys::{Mac, SealKey, read_mac, write_mac};
use super::lines::MAX_LINE;
use crate::audit::{AuditEvent, EventKind};

/// Where a row stands: which chain of its log, and which row of that chain. Both count from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Position {
    pub(super) chain: u64,
    pub(super) seq: u64,
}

impl Position {
    pub(super) const FIRST: Self = Self { chain: 0, seq: 0 };

    /// The next row of the same chain.
    pub(super) fn next(self) -> Self {
        Self { seq: self.seq.saturating_add(1), ..self }
    }

    /// The first row of the next chain.
    pub(super) fn next_chain(self) -> Self {
        Self { chain: self.chain.saturating_add(1), seq: 0 }
    }
}

/// What the log says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Trail {
    /// A chain begins; so many bytes of a torn line were cut off before it.
    Begun { cut: u64 },
    /// So many events could not be written.
    Lost { events: u64 },
    /// The chain ended in order.
    Ended,
}

/// An authentic row: its bytes are what a holder of the key wrote. Made only by [`Row::read`].
#[derive(Debug)]
pub(super) struct Row {
    pub(super) log: String,
    pub(super) position: Position,
    pub(super) prev: Mac,
    pub(super) mac: Mac,
    pub(super) trail: Option<Trail>,
}

#[derive(Serialize)]
struct Written<'a> {
    chain: String,
    seq: u64,
    prev: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    trail: Option<Trail>,
    event: &'a AuditEvent,
}

#[derive(Deserialize)]
struct Read {
    chain: String,
    seq: u64,
    prev: String,
    #[serde(default)]
    trail: Option<Trail>,
}

impl Row {
    /// A line for an event, with its MAC. JSON escapes control characters, so an event is one line whatever a peer put
    /// into it (attacks AU02).
    pub(super) fn write(
        key: &SealKey,
        log: &str,
        position: Position,
        prev: &Mac,
        trail: Option<Trail>,
        event: &AuditEvent,
    ) -> Result<(String, Mac), serde_json::Error> {
        let object = |event: &AuditEvent| {
            serde_json::to_string(&Written {
                chain: format!("{log}.{}", position.chain),
                seq: position.seq,
                prev: write_mac(prev),
                trail,
                event,
            })
        };
        let sealed = key.seal(&object(event)?);
        if sealed.0.len() <= MAX_LINE {
            return Ok(sealed);
        }
        let kind = match &event.kind {
            EventKind::Other(name) if name.len() > 256 => EventKind::Other("oversized".to_owned()),
            kind => kind.clone(),
        };
        let stump = AuditEvent::new(event.at, kind, event.outcome)
            .from_address(event.address)
            .because("the event was too long to be kept whole");
        Ok(key.seal(&object(&stump)?))
    }

    /// Reads a line without its end; nothing if it is not what was written.
    pub(super) fn read(key: &SealKey, line: &[u8]) -> Option<Self> {
        let mac = key.open(line)?;
        let read: Read = serde_json::from_slice(line).ok()?;
        let (log, chain) = read.chain.rsplit_once('.')?;
        Some(Self {
            log: log.to_owned(),
            position: Position { chain: chain.parse().ok()?, seq: read.seq },
            prev: read_mac(&read.prev)?,
            mac,
            trail: read.trail,
        })
    }

    /// Whether this is the first row of a chain.
    pub(super) fn begins(&self) -> bool {
        self.position.seq == 0 && matches!(self.trail, Some(Trail::Begun { .. }))
    }
}
