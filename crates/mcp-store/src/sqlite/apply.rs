//! What a batch does inside a transaction that is already open.

use mcp_core::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::room;
use crate::{Batch, Committed, Name, Operation, Partition, Precondition, Revision, Swept};

/// One commit as it came.
#[derive(Debug)]
pub(super) struct Commit {
    pub(super) partition: Partition,
    pub(super) batch: Batch,
    pub(super) now: Timestamp,
    /// About how many bytes it takes while it waits.
    pub(super) size: usize,
}

/// One portion of deleting what has expired.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sweep {
    pub(super) now: Timestamp,
    pub(super) limit: usize,
}

/// What a portion did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Portion {
    pub(super) swept: Swept,
    /// Whether the file has more room than it needs, and another portion would give back some of it.
    pub(super) is_roomy: bool,
}

/// Checks what the batch requires and then writes, in this order: what is refused has written nothing, so that the other
/// batches of the same transaction need no savepoint.
pub(super) fn commit(connection: &Connection, commit: &Commit) -> rusqlite::Result<Committed> {
    let partition = find(connection, &commit.partition)?;
    for (name, required) in commit.batch.preconditions() {
        if !holds(connection, partition, name, *required, commit.now)? {
            return Ok(Committed::Refused(name.clone()));
        }
    }
    let revision = commit.batch.revision();
    let (mut partition, mut has_deleted, mut has_put) = (partition, false, false);
    for (name, operation) in commit.batch.operations() {
        match (operation, partition) {
            (Operation::Put { value, expires_at }, known) => {
                let id = known.map_or_else(|| add(connection, &commit.partition), Ok)?;
                put(connection, id, name, revision, *expires_at, value)?;
                partition = Some(id);
                has_put = true;
            }
            (Operation::Delete, Some(id)) => {
                let mut delete =
                    connection.prepare_cached("DELETE FROM records WHERE partition_id = ?1 AND name = ?2")?;
                delete.execute(params![id, name.as_str()])?;
                has_deleted = true;
            }
            (Operation::Delete, None) => {}
        }
    }
    if let (Some(id), true, false) = (partition, has_deleted, has_put) {
        remove_if_empty(connection, id)?;
    }
    Ok(Committed::Done(revision))
}

/// Whether a batch that may have been committed was: each record it put would have its revision. `None` if it put none.
pub(super) fn was_done(connection: &Connection, commit: &Commit) -> rusqlite::Result<Option<bool>> {
    let mut operations = commit.batch.operations().iter();
    let Some((name, _)) = operations.find(|(_, operation)| matches!(operation, Operation::Put { .. })) else {
        return Ok(None);
    };
    let partition = find(connection, &commit.partition)?;
    let found = look_up(connection, partition, name)?;
    Ok(Some(found.is_some_and(|(revision, _)| revision == stored(commit.batch.revision()))))
}

/// Deletes at most `limit` expired records, the oldest first.
pub(super) fn sweep(connection: &Connection, sweep: Sweep) -> rusqlite::Result<Portion> {
    let now = i64::try_from(sweep.now.as_millis()).unwrap_or(i64::MAX);
    let limit = i64::try_from(sweep.limit).unwrap_or(i64::MAX);
    let mut partitions = connection
        .prepare_cached(
            "DELETE FROM records WHERE id IN (
                 SELECT id FROM records WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)
             RETURNING partition_id",
        )?
        .query_map([now, limit], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<i64>>>()?;
    let deleted = partitions.len();
    partitions.sort_unstable();
    partitions.dedup();
    for id in partitions {
        remove_if_empty(connection, id)?;
    }
    let more = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM records WHERE expires_at <= ?1)")?
        .query_row([now], |row| row.get(0))?;
    Ok(Portion { swept: Swept { deleted, more }, is_roomy: room::give_back(connection)? })
}

fn holds(
    connection: &Connection,
    partition: Option<i64>,
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

/// A record's revision and end.
fn look_up(
    connection: &Connection,
    partition: Option<i64>,
    name: &Name,
) -> rusqlite::Result<Option<(i64, Option<Timestamp>)>> {
    let Some(partition) = partition else { return Ok(None) };
    connection
        .prepare_cached("SELECT revision, expires_at FROM records WHERE partition_id = ?1 AND name = ?2")?
        .query_row(params![partition, name.as_str()], |row| {
            Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?.map(timestamp)))
        })
        .optional()
}

fn put(
    connection: &Connection,
    partition: i64,
    name: &Name,
    revision: Revision,
    expires_at: Option<Timestamp>,
    value: &[u8],
) -> rusqlite::Result<()> {
    let end = expires_at.map(|moment| moment.as_millis().cast_signed());
    connection
        .prepare_cached(
            "INSERT INTO records (partition_id, name, revision, expires_at, value) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (partition_id, name) DO UPDATE
             SET revision = excluded.revision, expires_at = excluded.expires_at, value = excluded.value",
        )?
        .execute(params![partition, name.as_str(), stored(revision), end, value])
        .map(drop)
}

/// The number of a partition that has records.
pub(super) fn find(connection: &Connection, partition: &Partition) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT id FROM partitions WHERE partition = ?1")?
        .query_row([partition.as_str()], |row| row.get(0))
        .optional()
}

fn add(connection: &Connection, partition: &Partition) -> rusqlite::Result<i64> {
    connection.prepare_cached("INSERT INTO partitions (partition) VALUES (?1)")?.insert([partition.as_str()])
}

fn remove_if_empty(connection: &Connection, partition: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM partitions
             WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM records WHERE partition_id = ?1)",
        )?
        .execute([partition])
        .map(drop)
}

/// A revision as SQLite's signed integer: the same 64 bits.
fn stored(revision: Revision) -> i64 {
    revision.as_u64().cast_signed()
}

/// A moment from SQLite's signed integer; the end of a record is never so late that the sign would matter.
pub(super) fn timestamp(column: i64) -> Timestamp {
    Timestamp::from_millis(column.cast_unsigned())
}
