//! Connections to the file, with the settings that durability stands on, read back.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

use mcp_core::ConfigError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::failure::Trouble;
use super::place::Place;
use super::schema::{self, STEPS};

/// How long a connection waits for a lock that another process holds.
pub(super) const LOCK_WAIT: Duration = Duration::from_millis(if cfg!(test) { 300 } else { 5000 });

/// How often it looks whether the lock is free. SQLite's own waiting backs off to 100 ms, which starves one of two busy
/// processes.
const LOCK_POLL: Duration = Duration::from_micros(500);

/// Pages in the write-ahead log from which on a commit moves them into the database itself, if nobody else did: 64 MiB.
pub(super) const AUTO_PAGES: i64 = 16_000;

/// What a log is cut to when it begins anew, in bytes.
const LOG_LIMIT: i64 = 64 * 1024 * 1024;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The one that writes.
    Writer,
    /// One that reads.
    Reader,
    /// The one that moves the log into the database.
    Mover,
}

impl Role {
    /// Pages in memory, at most; negative: KiB.
    fn cache_size(self) -> i64 {
        match self {
            Self::Writer => -8 * 1024,
            // More would not help: each commit has a reader forget what it has, and look at the file anew.
            Self::Reader => -2 * 1024,
            // It copies pages without keeping them.
            Self::Mover => -64,
        }
    }
}

/// Opens the file for the first time in this process: recognises it, migrates it, and sees to it that commits are durable.
pub(super) fn open_first(place: &Place) -> Result<Connection, ConfigError> {
    let failed = |error| schema::cannot(place, "opened", &error);
    let mut connection = connect(place).map_err(failed)?;
    place.pin();
    // A file of another application must not even get another journal mode.
    schema::recognise(&connection, place, STEPS)?;
    become_wal(&connection, place)?;
    configure(&connection, Role::Writer).map_err(failed)?;
    prove(&connection, place)?;
    schema::migrate(&mut connection, place, STEPS)?;
    Ok(connection)
}

/// Opens the file once more, after [`open_first`].
pub(super) fn open_again(place: &Place, role: Role) -> Result<Connection, Trouble> {
    let failed = |error| Trouble::new("open the database", &error);
    let connection = connect(place).map_err(failed)?;
    configure(&connection, role).map_err(failed)?;
    prove(&connection, place).map_err(|error| Trouble::other("open the database", error))?;
    Ok(connection)
}

fn connect(place: &Place) -> rusqlite::Result<Connection> {
    // Never CREATE: the file was made with its own permissions. A file that was taken away is not replaced by an empty one.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(place.file(), flags)?;
    connection.busy_handler(Some(wait as fn(i32) -> bool))?;
    // More than there are statements: each is compiled once.
    connection.set_prepared_statement_cache_capacity(32);
    // The file is data. Whoever swaps it must not get code run by it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    Ok(connection)
}

/// Waits for a lock in short steps, and not for ever. Called again and again, with how often it was called before.
fn wait(tries: i32) -> bool {
    thread_local! {
        static SINCE: Cell<Option<Instant>> = const { Cell::new(None) };
    }
    if tries == 0 {
        SINCE.set(Some(Instant::now()));
    }
    let goes_on = SINCE.get().is_some_and(|since| since.elapsed() < LOCK_WAIT);
    if goes_on {
        thread::sleep(LOCK_POLL);
    }
    goes_on
}

fn become_wal(connection: &Connection, place: &Place) -> Result<(), ConfigError> {
    let failed = |error| schema::cannot(place, "opened", &error);
    // Has to come before the first page is written; without effect on a file that has pages.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(failed)?;
    // Two processes that start at once may meet here, where SQLite does not always wait by itself.
    let since = Instant::now();
    let mode: String = loop {
        match connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0)) {
            Err(error)
                if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy)
                    && since.elapsed() < LOCK_WAIT =>
            {
                thread::sleep(LOCK_POLL);
            }
            other => break other.map_err(failed)?,
        }
    };
    if mode == "wal" { Ok(()) } else { Err(no_wal(place)) }
}

fn configure(connection: &Connection, role: Role) -> rusqlite::Result<()> {
    let set = |name: &str, value: i64| connection.pragma_update(None, name, value);
    connection.pragma_update(None, "synchronous", "FULL")?;
    // On macOS fsync alone leaves data in the drive; elsewhere these do nothing.
    set("fullfsync", 1)?;
    set("checkpoint_fullfsync", 1)?;
    set("cell_size_check", 1)?;
    // No memory mapping: it would count as resident memory, and turn a disk error into the death of the process.
    connection.pragma_update_and_check(None, "mmap_size", 0, |_| Ok(())).or_else(no_row)?;
    set("cache_size", role.cache_size())?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", AUTO_PAGES, |_| Ok(()))?;
    connection.pragma_update_and_check(None, "journal_size_limit", LOG_LIMIT, |_| Ok(()))?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    if role == Role::Reader {
        set("query_only", 1)?;
    }
    Ok(())
}

fn no_row(error: rusqlite::Error) -> rusqlite::Result<()> {
    match error {
        rusqlite::Error::QueryReturnedNoRows => Ok(()),
        other => Err(other),
    }
}

/// Reads back what durability stands on: a build of SQLite or a file system may have said no without an error.
fn prove(connection: &Connection, place: &Place) -> Result<(), ConfigError> {
    let failed = |error| schema::cannot(place, "opened", &error);
    let mode: String =
        connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).map_err(failed)?;
    if mode != "wal" {
        return Err(no_wal(place));
    }
    let synchronous: i64 =
        connection.pragma_query_value(None, "synchronous", |row| row.get(0)).map_err(failed)?;
    if synchronous != 2 {
        return Err(ConfigError::new(format!(
            "SQLite does not write {} through to the disk (synchronous is {synchronous}, not FULL): build it without \
             options that forbid this",
            place.file().display()
        )));
    }
    Ok(())
}

fn no_wal(place: &Place) -> ConfigError {
    ConfigError::new(format!(
        "SQLite cannot keep a write-ahead log for {}: put the file on a local disk, not on a network file system",
        place.file().display()
    ))
}
