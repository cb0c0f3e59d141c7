//! The walk along a log, row by row: what may follow what. No I/O.

use super::head::Head;
use super::keys::{Mac, SealKey};
use super::report::Damage;
use super::row::{Position, Row};

/// Where a walk has come to.
pub(super) struct Walk<'a> {
    key: &'a SealKey,
    /// Which log this is; without a head the first row says so.
    log: Option<String>,
    last: Option<Position>,
    prev: Mac,
}

/// Why a row cannot stand where it stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Misfit {
    /// What was done is known.
    Is(Damage),
    /// The row belongs further on. What is missing was deleted, or was moved and comes later.
    Gap(Position),
}

impl<'a> Walk<'a> {
    /// From the first row on.
    pub(super) fn from_start(key: &'a SealKey, log: Option<&str>) -> Self {
        Self { key, log: log.map(ToOwned::to_owned), last: None, prev: Mac::default() }
    }

    /// From behind the row that a head names.
    pub(super) fn from_head(key: &'a SealKey, head: &Head) -> Self {
        let mut walk = Self::from_start(key, Some(&head.log));
        if let Some((position, mac)) = head.last {
            walk.last = Some(position);
            walk.prev = mac;
        }
        walk
    }

    /// The last good row.
    pub(super) fn last(&self) -> Option<(Position, Mac)> {
        self.last.map(|last| (last, self.prev))
    }

    /// Where the next row of the same chain would stand.
    pub(super) fn expected(&self) -> Position {
        self.last.map_or(Position::FIRST, Position::next)
    }

    /// Judges the next line (without its end), and goes on behind it if it is good.
    pub(super) fn step(&mut self, line: &[u8]) -> Result<Row, Misfit> {
        let row = Row::read(self.key, line).ok_or(Misfit::Is(Damage::Edited))?;
        if self.log.as_ref().is_some_and(|log| *log != row.log) {
            return Err(Misfit::Is(Damage::Foreign));
        }
        let begins = match self.last {
            None => row.position == Position::FIRST,
            Some(last) => row.begins() && row.position == last.next_chain(),
        };
        let continues = self.last.is_some_and(|last| row.position == last.next());
        if row.prev == self.prev && (begins || continues) {
            self.log.get_or_insert_with(|| row.log.clone());
            self.last = Some(row.position);
            self.prev = row.mac;
            return Ok(row);
        }
        Err(if self.last.is_some_and(|last| row.position <= last) {
            Misfit::Is(Damage::Repeated)
        } else if continues || row.prev == self.prev || row.position == Position::FIRST {
            Misfit::Is(Damage::Forked)
        } else {
            Misfit::Gap(row.position)
        })
    }

    /// Whether this line is one of the rows missing between the last good one and the one that showed the gap.
    pub(super) fn fills_gap(&self, line: &[u8], until: Position) -> bool {
        Row::read(self.key, line).is_some_and(|row| {
            self.log.as_ref().is_none_or(|log| *log == row.log)
                && self.last.is_none_or(|last| row.position > last)
                && row.position < until
        })
    }
}
