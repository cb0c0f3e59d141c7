//! Whose database a file is, of which version, and how it becomes the present one.
//!
//! To change the schema, add a step to [`STEPS`]; never change one that was released.

use mcp_core::ConfigError;
use rusqlite::{Connection, TransactionBehavior};

use super::failure;
use super::place::Place;

/// Written into the header of every file that is ours: `mcpS`.
const APPLICATION_ID: i32 = 0x6d63_7053;

/// What brings a database from version N to N + 1, for each N. A step runs in one transaction with the new version number.
pub(super) const STEPS: &[&str] = &[
    // Partitions are numbered as they come. Their texts are random, and an index that began with them would be written at as
    // many places as there are new partitions; with the number in front, what is new is written side by side, and deleted so
    // too. 32 commits of three records in one transaction, processor time and pages written, with 40 thousand and with a
    // million records: 0.9 ms and 64 pages, 1.2 ms and 81 pages. With the text in an index of the records: 1.1 ms and 66
    // pages, 1.9 ms and 107 pages. With the records in that index themselves (`WITHOUT ROWID`): 1.6 ms and 136 pages, 3.3 ms
    // and 201 pages.
    "CREATE TABLE partitions (
        id INTEGER PRIMARY KEY,
        partition TEXT NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX partitions_by_text ON partitions (partition);
    CREATE TABLE records (
        id INTEGER PRIMARY KEY,
        partition_id INTEGER NOT NULL,
        name TEXT NOT NULL,
        revision INTEGER NOT NULL,
        expires_at INTEGER,
        value BLOB NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX records_by_name ON records (partition_id, name);
    CREATE INDEX records_by_expiry ON records (expires_at) WHERE expires_at IS NOT NULL;",
];

/// The state a file is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// No table yet: it becomes ours.
    Empty,
    /// Ours, after that many steps.
    Ours(usize),
}

/// Looks at the file and changes nothing.
///
/// # Errors
/// When it is another application's, or a newer version of this crate has migrated it.
pub(super) fn recognise(connection: &Connection, place: &Place, steps: &[&str]) -> Result<(), ConfigError> {
    look(connection, place, steps).map(drop)
}

/// Brings the schema to the version after the last step; nothing is done if it is there already.
pub(super) fn migrate(connection: &mut Connection, place: &Place, steps: &[&str]) -> Result<(), ConfigError> {
    if look(connection, place, steps)? == Found::Ours(steps.len()) {
        return Ok(());
    }
    let failed = |error| cannot(place, "migrated", &error);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    // Asked again now that nobody else can write: another process may have done it meanwhile.
    let done = match find(&transaction, place, steps)? {
        Found::Empty => 0,
        Found::Ours(version) => version,
    };
    for step in steps.iter().skip(done) {
        transaction.execute_batch(step).map_err(failed)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
    transaction.pragma_update(None, "user_version", steps.len().cast_signed()).map_err(failed)?;
    transaction.commit().map_err(failed)
}

/// Whether nobody has migrated the database since it was opened: asked by a writer in each transaction.
pub(super) fn is_current(connection: &Connection) -> rusqlite::Result<bool> {
    let version: i64 = connection.prepare_cached("PRAGMA user_version")?.query_row([], |row| row.get(0))?;
    Ok(usize::try_from(version) == Ok(STEPS.len()))
}

/// Looks at one moment of the file: another process may make its schema between two questions, and what is half there would
/// be taken for another application's.
fn look(connection: &Connection, place: &Place, steps: &[&str]) -> Result<Found, ConfigError> {
    let transaction = connection.unchecked_transaction().map_err(|error| cannot(place, "read", &error))?;
    find(&transaction, place, steps)
}

fn find(connection: &Connection, place: &Place, steps: &[&str]) -> Result<Found, ConfigError> {
    let number = |sql: &str| -> Result<i64, ConfigError> {
        connection.query_row(sql, [], |row| row.get(0)).map_err(|error| cannot(place, "read", &error))
    };
    let application = number("SELECT application_id FROM pragma_application_id")?;
    let version = number("SELECT user_version FROM pragma_user_version")?;
    let objects = number("SELECT count(*) FROM sqlite_schema")?;
    if (application, version, objects) == (0, 0, 0) {
        return Ok(Found::Empty);
    }
    if application != i64::from(APPLICATION_ID) {
        return Err(ConfigError::new(format!(
            "{} is a database of another application: name a file that does not exist yet",
            place.file().display()
        )));
    }
    match usize::try_from(version) {
        Ok(version) if version <= steps.len() => Ok(Found::Ours(version)),
        _ => Err(ConfigError::new(format!(
            "{} was written by a newer version (schema {version}, this one knows {}): run that version, or restore a \
             backup made before the update",
            place.file().display(),
            steps.len()
        ))),
    }
}

/// A sentence for what SQLite did not do at start.
pub(super) fn cannot(place: &Place, done: &str, error: &rusqlite::Error) -> ConfigError {
    let file = place.file().display();
    let sentence = match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => {
            format!("{file} is not a database: name another file, or one that does not exist yet")
        }
        Some(rusqlite::ErrorCode::ReadOnly | rusqlite::ErrorCode::CannotOpen) => {
            format!(
                "{file} cannot be written: give the server's account write access to it and to its directory"
            )
        }
        Some(rusqlite::ErrorCode::DatabaseBusy) => {
            format!("another process holds {file} and does not let go: end it, then start again")
        }
        Some(rusqlite::ErrorCode::DatabaseCorrupt) => format!("{file} is damaged: restore a backup"),
        Some(rusqlite::ErrorCode::DiskFull) => format!("the disk of {file} is full: make room on it"),
        _ => format!("{file} cannot be {done}"),
    };
    ConfigError::new(sentence).because(failure::Trouble::new("start", error))
}
