//! Verification of a log against its head.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use super::head::{Head, HeadFile};
use super::keys::Keys;
use super::lines::{Line, next_line};
use super::report::{Damage, Finding, VerifyReport};
use super::row::{Position, Row, Trail};
use super::walk::{Misfit, Walk};
use crate::SecretKey;

/// Verifies a log against its head: from the first row to the last, in memory that does not grow with the file. A log
/// that is being written can be verified too.
///
/// # Errors
/// When a file is there and cannot be read. A missing log or head is a finding and no error.
pub fn verify(log: impl AsRef<Path>, head: impl AsRef<Path>, key: &SecretKey) -> io::Result<VerifyReport> {
    let keys = Keys::new(key);
    // The head first: a sink at work may write rows meanwhile, and a log may be ahead of its head but never behind.
    let head = HeadFile::read(&keys.heads, head.as_ref())?;
    let known = match &head {
        HeadFile::Good(head) => Some(head),
        _ => None,
    };
    let verification = Verification {
        walk: Walk::from_start(&keys.rows, known.map(|head| head.log.as_str())),
        head: known,
        report: VerifyReport::default(),
        line: 0,
        gap: None,
    };
    let mut report = match File::open(log.as_ref()) {
        Ok(file) => verification.run(BufReader::with_capacity(128 * 1024, file))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => verification.run(io::empty())?,
        Err(error) => return Err(error),
    };
    // A bad row says more than a bad head, so it goes first.
    let bad_head = match head {
        HeadFile::Good(_) => None,
        HeadFile::Missing => Some(Damage::HeadMissing),
        HeadFile::Forged => Some(Damage::HeadForged),
    };
    if let (None, Some(damage)) = (report.finding, bad_head) {
        report.finding = Some(Finding { line: 0, chain: 0, seq: 0, damage });
    }
    Ok(report)
}

struct Verification<'a> {
    walk: Walk<'a>,
    head: Option<&'a Head>,
    report: VerifyReport,
    line: u64,
    /// The row that stood too early; until the end of the file it is open whether the missing ones come later.
    gap: Option<Position>,
}

impl Verification<'_> {
    fn run(mut self, mut log: impl BufRead) -> io::Result<VerifyReport> {
        let mut buffer = Vec::new();
        while let Some(line) = next_line(&mut log, &mut buffer)? {
            self.line += 1;
            match (line, self.report.finding, self.gap) {
                (Line::Whole, None, _) => self.judge(&buffer),
                (Line::TooLong, None, _) => self.find(Damage::Edited),
                (Line::Unfinished, None, _) => self.report.torn_tail = Some(self.line),
                (Line::Whole, Some(_), Some(until)) if self.walk.fills_gap(&buffer, until) => {
                    self.rename(Damage::Reordered);
                    break;
                }
                (_, Some(_), None) => break,
                (_, Some(_), Some(_)) => {}
            }
        }
        let named = self.head.and_then(|head| head.last).map(|(position, _)| position);
        let reached = self.walk.last().map(|(position, _)| position);
        if self.report.finding.is_none() && named > reached {
            self.line = self.report.rows + 1;
            self.report.torn_tail = None;
            self.find(Damage::Truncated);
        }
        Ok(self.report)
    }

    fn judge(&mut self, line: &[u8]) {
        let expected = self.walk.expected();
        match self.walk.step(line) {
            Ok(row) => self.count(&row),
            Err(Misfit::Is(damage)) => self.find_at(expected, damage),
            Err(Misfit::Gap(until)) => {
                self.gap = Some(until);
                self.find_at(expected, Damage::Deleted);
            }
        }
    }

    fn count(&mut self, row: &Row) {
        if let Some((position, mac)) = self.head.and_then(|head| head.last) {
            if row.position == position && row.mac != mac {
                return self.find_at(position, Damage::Forked);
            }
            self.report.beyond_head += u64::from(row.position > position);
        } else if self.head.is_some() {
            self.report.beyond_head += 1;
        }
        self.report.rows += 1;
        self.report.chains += u64::from(row.begins());
        self.report.ended = row.trail == Some(Trail::Ended);
        match row.trail {
            Some(Trail::Begun { cut }) => self.report.cut = self.report.cut.saturating_add(cut),
            Some(Trail::Lost { events }) => self.report.lost = self.report.lost.saturating_add(events),
            Some(Trail::Ended) | None => {}
        }
    }

    fn find(&mut self, damage: Damage) {
        self.find_at(self.walk.expected(), damage);
    }

    fn find_at(&mut self, position: Position, damage: Damage) {
        self.report.finding =
            Some(Finding { line: self.line, chain: position.chain, seq: position.seq, damage });
    }

    fn rename(&mut self, damage: Damage) {
        if let Some(finding) = &mut self.report.finding {
            finding.damage = damage;
        }
    }
}
