//! Gives the room of deleted records back to the file system, when there is far too much of it.
//!
//! SQLite uses free pages for what comes next, and that is enough as long as about as much comes as goes. But what a flood of
//! requests left behind would keep its size for ever. A full `VACUUM` needs the file for itself, and as much room once more;
//! `auto_vacuum=INCREMENTAL` lets us move some pages at a time, in the transaction of a sweep, and costs next to nothing
//! while it is not used.

use rusqlite::Connection;

/// So many free pages of 4 KiB are always left alone: 16 MiB.
const SPARED: i64 = 4096;

/// How many pages are given back at once.
const PORTION: i64 = 64;

/// Gives back some pages if more than half of the file is free; says whether there are still too many.
pub(super) fn give_back(connection: &Connection) -> rusqlite::Result<bool> {
    if !is_roomy(connection)? {
        return Ok(false);
    }
    // A page per row: to be asked for all of them.
    let mut give = connection.prepare(&format!("PRAGMA incremental_vacuum({PORTION})"))?;
    let mut given = give.query([])?;
    while given.next()?.is_some() {}
    is_roomy(connection)
}

fn is_roomy(connection: &Connection) -> rusqlite::Result<bool> {
    let number = |pragma: &str| connection.prepare_cached(pragma)?.query_row([], |row| row.get::<_, i64>(0));
    let (free, all) = (number("PRAGMA freelist_count")?, number("PRAGMA page_count")?);
    Ok(free > SPARED && free > all / 2)
}
