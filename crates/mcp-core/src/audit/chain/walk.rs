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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::chain::keys::Keys;
    use crate::audit::chain::row::Trail;
    use crate::audit::{AuditEvent, EventKind, Outcome};
    use crate::{SecretKey, Timestamp};

    /// Not even a writer that errs, or two that share a key, can make rows that skip numbers.
    #[test]
    fn a_row_bound_to_the_one_before_it_must_have_its_number_too() {
        let keys = Keys::new(&SecretKey::random());
        let event = AuditEvent::new(Timestamp::from_secs(1), EventKind::Guard, Outcome::Denied);
        let write = |chain, seq, prev: &Mac, trail| {
            let (line, mac) =
                Row::write(&keys.rows, "log", Position { chain, seq }, prev, trail, &event).unwrap();
            (line.trim_end().to_owned(), mac)
        };
        let begun = Some(Trail::Begun { cut: 0 });
        let (first, mac) = write(0, 0, &Mac::default(), begun);
        for (chain, seq, trail, fits) in [
            (0, 1, None, true),
            (1, 0, begun, true),
            (0, 2, None, false),
            (1, 0, None, false),
            (1, 1, begun, false),
            (2, 0, begun, false),
        ] {
            let mut walk = Walk::from_start(&keys.rows, None);
            assert!(walk.step(first.as_bytes()).is_ok());
            let (next, _) = write(chain, seq, &mac, trail);
            assert_eq!(walk.step(next.as_bytes()).is_ok(), fits, "{chain} {seq} {trail:?}");
        }
    }
}
