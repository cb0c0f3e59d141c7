//! What a verification found.

use std::fmt;

/// What was done to a log or its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Damage {
    /// The row is not what was written: changed, or made up.
    Edited,
    /// Rows are missing before this one.
    Deleted,
    /// Rows that should stand here come later.
    Reordered,
    /// The row stood further up already.
    Repeated,
    /// The row belongs to another log under the same key.
    Foreign,
    /// The row belongs to another continuation of this log: a copy was put back and written on, or two were mixed.
    Forked,
    /// The log ends before the row that the head names.
    Truncated,
    /// There is no head.
    HeadMissing,
    /// The head was not written by a holder of the key.
    HeadForged,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Edited => "the row is not what was written",
            Self::Deleted => "rows were deleted here",
            Self::Reordered => "rows were put into another order",
            Self::Repeated => "the row was repeated",
            Self::Foreign => "the row belongs to another log",
            Self::Forked => "the row belongs to another continuation of this log",
            Self::Truncated => "the log was cut off here",
            Self::HeadMissing => "the head is missing",
            Self::HeadForged => "the head was not written by this log's sink",
        })
    }
}

/// The first place at which a log is not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The line of the file, from one. For a cut, the first one that is missing.
    pub line: u64,
    /// The chain of the row that belongs there, from zero.
    pub chain: u64,
    /// The number in its chain of the row that belongs there, from zero.
    pub seq: u64,
    /// What was done.
    pub damage: Damage,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, chain, seq, damage } = self;
        match damage {
            Damage::HeadMissing | Damage::HeadForged => damage.fmt(f),
            _ => write!(f, "line {line} (chain {chain}, row {seq}): {damage}"),
        }
    }
}

/// What a verification found. Numbers count up to the first finding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Good rows.
    pub rows: u64,
    /// Chains: one for each process that wrote the log.
    pub chains: u64,
    /// Events that the log itself says were lost, because the queue was full or the disk refused.
    pub lost: u64,
    /// Bytes of torn lines that were cut off when the log was continued.
    pub cut: u64,
    /// Good rows behind the one that the head names: what was written between two updates of the head. More than that
    /// in a log that nobody writes means that the head is an old one.
    pub beyond_head: u64,
    /// Whether the last chain was ended in order. It was not if a process writes it still, or crashed.
    pub ended: bool,
    /// The line that a crash left unfinished at the end, from one. No tampering: everything that the head vouches for
    /// stands before it.
    pub torn_tail: Option<u64>,
    /// The first sign of tampering.
    pub finding: Option<Finding>,
}

impl VerifyReport {
    /// Whether there is no sign of tampering. A torn tail is none.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.finding.is_none()
    }
}
