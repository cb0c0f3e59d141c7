//! Whose database a file is, of which version, and how it becomes the present one.
//!
//! To change the schema, add a step to [`STEPS`]; never change one that was released.

use mcp_core::ConfigError;
use rusqlite::Connection;

use super::failure;
use super::place::Place;

/// Written into the header of every file that is ours: `mcpS`.
const APPLICATION_ID: i32 = 0x6d63_7053;

/// What brings a database from version N to N + 1, for each N. A step runs in one transaction with the new version number.
const STEPS: &[&str] = &[
    // The rows are in the order in which they came, and the index leads to them: rows inside a `WITHOUT ROWID` tree would
    // make it so wide that a million of them no longer fit the cache from the second level on. Measured in docs/stores.md.
    "CREATE TABLE records (
        id INTEGER PRIMARY KEY,
        partition TEXT NOT NULL,
        name TEXT NOT NULL,
        revision INTEGER NOT NULL,
        expires_at INTEGER,
        value BLOB NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX records_by_key ON records (partition, name);
    CREATE INDEX records_by_expiry ON records (expires_at) WHERE expires_at IS NOT NULL;",
];

/// The present version.
#[expect(clippy::cast_possible_wrap, reason = "a handful of steps")]
const SCHEMA: i64 = STEPS.len() as i64;

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
pub(super) fn recognise(connection: &Connection, place: &Place) -> Result<(), ConfigError> {
    find(connection, place).map(|_| ())
}

/// Brings the schema to the present version; nothing is done if it is there already.
pub(super) fn migrate(connection: &mut Connection, place: &Place) -> Result<(), ConfigError> {
    if find(connection, place)? == Found::Ours(STEPS.len()) {
        return Ok(());
    }
    let failed = |error| cannot(place, "migrated", &error);
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(failed)?;
    // Asked again now that nobody else can write: another process may have done it meanwhile.
    let done = match find(&transaction, place)? {
        Found::Empty => 0,
        Found::Ours(version) => version,
    };
    for step in STEPS.iter().skip(done) {
        transaction.execute_batch(step).map_err(failed)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
    transaction.pragma_update(None, "user_version", SCHEMA).map_err(failed)?;
    transaction.commit().map_err(failed)
}

fn find(connection: &Connection, place: &Place) -> Result<Found, ConfigError> {
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
        Ok(version) if version <= STEPS.len() => Ok(Found::Ours(version)),
        _ => Err(ConfigError::new(format!(
            "{} was written by a newer version (schema {version}, this one knows {}): run that version, or restore a \
             backup made before the update",
            place.file().display(),
            STEPS.len()
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
