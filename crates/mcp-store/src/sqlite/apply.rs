//! What a batch does inside a transaction that is already open.

use std::ops::ControlFlow;

use mcp_core::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::{Batch, Committed, Name, Operation, Partition, Precondition, Revision, Swept};

/// One commit as it came.
#[derive(Debug)]
pub(super) struct Commit {
    pub(super) partition: Partition,
    pub(super) batch: Batch,
    pub(super) now: Timestamp,
}

/// One portion of deleting what has expired.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sweep {
    pub(super) now: Timestamp,
    pub(super) limit: usize,
}

/// Checks what the batch requires and then writes, in this order: what is refused has written nothing, so that the other
/// batches of the same transaction need no savepoint.
pub(super) fn commit(connection: &Connection, commit: &Commit) -> rusqlite::Result<Committed> {
    let partition = commit.partition.as_str();
    for (name, required) in commit.batch.preconditions() {
        if !holds(connection, partition, name, *required, commit.now)? {
            return Ok(Committed::Refused(name.clone()));
        }
    }
    let revision = commit.batch.revision();
    for (name, operation) in commit.batch.operations() {
        match operation {
            Operation::Put { value, expires_at } => {
                let mut put = connection.prepare_cached(
                    "INSERT INTO records (partition, name, revision, expires_at, value) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (partition, name) DO UPDATE
                     SET revision = excluded.revision, expires_at = excluded.expires_at, value = excluded.value",
                )?;
                let end = expires_at.map(column);
                put.execute(params![partition, name.as_str(), stored(revision), end, &value[..]])?;
            }
            Operation::Delete => {
                let mut delete =
                    connection.prepare_cached("DELETE FROM records WHERE partition = ?1 AND name = ?2")?;
                delete.execute([partition, name.as_str()])?;
            }
        }
    }
    Ok(Committed::Done(revision))
}

/// Whether a batch that may have been committed was: each record it put would have its revision. `None` if it put none.
pub(super) fn was_done(connection: &Connection, commit: &Commit) -> rusqlite::Result<Option<bool>> {
    let is_put = |(name, operation): &(Name, Operation)| match operation {
        Operation::Put { .. } => ControlFlow::Break(name.clone()),
        Operation::Delete => ControlFlow::Continue(()),
    };
    let ControlFlow::Break(name) = commit.batch.operations().iter().try_for_each(is_put) else {
        return Ok(None);
    };
    let found = look_up(connection, commit.partition.as_str(), &name)?;
    Ok(Some(found.is_some_and(|(revision, _)| revision == stored(commit.batch.revision()))))
}

fn holds(
    connection: &Connection,
    partition: &str,
    name: &Name,
    required: Precondition,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let found = look_up(connection, partition, name)?;
    let live = found.filter(|(_, end)| end.is_none_or(|end| now < end));
    Ok(match required {
        Precondition::Absent => live.is_none(),
        Precondition::At(revision) => live.is_some_and(|(found, _)| found == stored(revision)),
    })
}

fn look_up(
    connection: &Connection,
    partition: &str,
    name: &Name,
) -> rusqlite::Result<Option<(i64, Option<Timestamp>)>> {
    connection
        .prepare_cached("SELECT revision, expires_at FROM records WHERE partition = ?1 AND name = ?2")?
        .query_row([partition, name.as_str()], |row| {
            Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?.map(timestamp)))
        })
        .optional()
}

/// Deletes at most `limit` expired records, the oldest first.
pub(super) fn sweep(connection: &Connection, sweep: Sweep) -> rusqlite::Result<Swept> {
    // Moments beyond the year 292 million are negative in the table: they are never swept, and expire all the same.
    let now = i64::try_from(sweep.now.as_millis()).unwrap_or(i64::MAX);
    let limit = i64::try_from(sweep.limit).unwrap_or(i64::MAX);
    let deleted = connection
        .prepare_cached(
            "DELETE FROM records WHERE id IN (
                 SELECT id FROM records WHERE expires_at BETWEEN 0 AND ?1 ORDER BY expires_at LIMIT ?2)",
        )?
        .execute([now, limit])?;
    let more = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM records WHERE expires_at BETWEEN 0 AND ?1)")?
        .query_row([now], |row| row.get(0))?;
    Ok(Swept { deleted, more })
}

/// A revision as SQLite's signed integer: the same 64 bits.
fn stored(revision: Revision) -> i64 {
    revision.as_u64().cast_signed()
}

/// A moment as SQLite's signed integer: the same 64 bits, so that none is changed by being stored.
fn column(moment: Timestamp) -> i64 {
    moment.as_millis().cast_signed()
}

/// The moment that [`column`] made.
pub(super) fn timestamp(column: i64) -> Timestamp {
    Timestamp::from_millis(column.cast_unsigned())
}
