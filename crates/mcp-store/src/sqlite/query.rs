//! What is read, each as it was at one moment.

use std::ops::RangeInclusive;

use bytes::Bytes;
use mcp_core::Timestamp;
use rusqlite::{Connection, Row, params};

use super::apply::timestamp;
use super::failure;
use crate::{Cursor, Entry, Name, Partition, PartitionPage, Record, Revision, StoreError};

/// How much may be asked for at once.
const LIMITS: RangeInclusive<usize> = 1..=1000;

/// Before and after every character that a name may have.
const BEFORE: char = ' ';
const AFTER: char = '\u{7f}';

const ONE: &str = "SELECT revision, expires_at, value FROM records
     WHERE partition_id = (SELECT id FROM partitions WHERE partition = ?1) AND name = ?2";

/// Records by their names.
pub(super) fn get(
    connection: &Connection,
    partition: &Partition,
    names: &[Name],
    now: Timestamp,
) -> Result<Vec<Option<Record>>, StoreError> {
    let read = || -> rusqlite::Result<Vec<Option<Record>>> {
        let mut one = connection.prepare_cached(ONE)?;
        names
            .iter()
            .map(|name| {
                let mut rows = one.query([partition.as_str(), name.as_str()])?;
                rows.next()?.map_or(Ok(None), |row| live_record(row, now))
            })
            .collect()
    };
    // One statement is one moment by itself.
    let found = if names.len() <= 1 { read() } else { in_one_moment(connection, read) };
    found.map_err(|error| failure::unavailable("read records", &error))
}

/// Records whose names begin alike.
pub(super) fn scan(
    connection: &Connection,
    partition: &Partition,
    prefix: &str,
    after: Option<&Name>,
    limit: usize,
    now: Timestamp,
) -> Result<Vec<Entry>, StoreError> {
    let limit = limit.clamp(*LIMITS.start(), *LIMITS.end());
    // One bound below, so that the index begins there: no name is between `after` and `after` with a blank.
    let begin = after.map_or(String::new(), |after| format!("{after}{BEFORE}"));
    let begin = begin.as_str().max(prefix);
    let end = format!("{prefix}{AFTER}");
    let failed = |error| failure::unavailable("scan records", &error);
    let mut statement = connection
        .prepare_cached(
            "SELECT revision, expires_at, value, name FROM records
             WHERE partition_id = (SELECT id FROM partitions WHERE partition = ?1) AND name >= ?2 AND name < ?3
             ORDER BY name",
        )
        .map_err(failed)?;
    let mut rows = statement.query([partition.as_str(), begin, &end]).map_err(failed)?;
    let mut entries = Vec::new();
    while entries.len() < limit
        && let Some(row) = rows.next().map_err(failed)?
    {
        let Some(record) = live_record(row, now).map_err(failed)? else { continue };
        let name = text(row, 3).map_err(failed)?;
        let name =
            Name::new(name).map_err(|_| StoreError::corrupt("a record has a name that no name may be"))?;
        entries.push(Entry { name, record });
    }
    Ok(entries)
}

/// Partitions, in the order of their texts.
pub(super) fn partitions(
    connection: &Connection,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<PartitionPage, StoreError> {
    let limit = limit.clamp(*LIMITS.start(), *LIMITS.end());
    let failed = |error| failure::unavailable("list partitions", &error);
    let after = after.map_or("", Cursor::as_str);
    let mut statement = connection
        .prepare_cached("SELECT partition FROM partitions WHERE partition > ?1 ORDER BY partition LIMIT ?2")
        .map_err(failed)?;
    let mut rows = statement.query(params![after, limit.cast_signed()]).map_err(failed)?;
    let mut partitions = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let partition = Partition::new(text(row, 0).map_err(failed)?);
        partitions
            .push(partition.map_err(|_| StoreError::corrupt("a record is in a partition that none may be"))?);
    }
    let next = partitions.last().filter(|_| partitions.len() == limit).map(|last| Cursor::new(last.as_str()));
    Ok(PartitionPage { partitions, next })
}

/// Reads with several statements as if with one.
fn in_one_moment<T>(
    connection: &Connection,
    read: impl FnOnce() -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    connection.prepare_cached("BEGIN")?.execute([])?;
    let result = read();
    let ended = connection.prepare_cached("COMMIT")?.execute([]);
    let result = result?;
    ended?;
    Ok(result)
}

fn live_record(row: &Row<'_>, now: Timestamp) -> rusqlite::Result<Option<Record>> {
    let end = row.get::<_, Option<i64>>(1)?.map(timestamp);
    if end.is_some_and(|end| now >= end) {
        return Ok(None);
    }
    let revision = Revision::from_u64(row.get::<_, i64>(0)?.cast_unsigned());
    let value = row.get_ref(2)?.as_blob()?;
    Ok(Some(Record::new(Bytes::copy_from_slice(value), revision, end)))
}

fn text<'r>(row: &'r Row<'_>, column: usize) -> rusqlite::Result<&'r str> {
    Ok(row.get_ref(column)?.as_str()?)
}
