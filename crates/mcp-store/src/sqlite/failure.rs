//! What an error of SQLite means to a caller.

use std::error::Error;
use std::fmt;

use rusqlite::ErrorCode;

use crate::StoreError;

/// An error of SQLite in our type: its code and its own words, which never hold a value that was bound.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    doing: &'static str,
    text: String,
    code: Option<ErrorCode>,
}

impl Trouble {
    /// `error`, which came up while `doing` that.
    pub(super) fn new(doing: &'static str, error: &rusqlite::Error) -> Self {
        let text = match error {
            rusqlite::Error::SqliteFailure(code, Some(message)) => {
                format!("{message} (code {})", code.extended_code)
            }
            other => other.to_string(),
        };
        Self { doing, text, code: error.sqlite_error_code() }
    }

    /// Trouble that no call of SQLite reported.
    pub(super) fn other(doing: &'static str, text: impl fmt::Display) -> Self {
        Self { doing, text: text.to_string(), code: None }
    }

    /// For a caller of whose commit surely nothing was written.
    pub(super) fn unavailable(self) -> StoreError {
        match self.code {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                StoreError::corrupt("the database file is damaged")
            }
            _ => StoreError::unavailable(self),
        }
    }

    /// For a caller whose commit may have happened.
    pub(super) fn unknown(self) -> StoreError {
        StoreError::unknown(self)
    }

    /// Whether there was no room on the disk. SQLite learns this from the write itself, and the last thing it writes is the
    /// one that makes a transaction count: so this transaction does not.
    pub(super) fn is_full(&self) -> bool {
        self.code == Some(ErrorCode::DiskFull)
    }

    /// Whether a connection is as good as before. SQLite recovers from most errors; but what came up between it and the file
    /// is better met with a connection that opens the file anew.
    pub(super) fn spares_the_connection(&self) -> bool {
        matches!(
            self.code,
            Some(
                ErrorCode::DatabaseBusy
                    | ErrorCode::DatabaseLocked
                    | ErrorCode::DiskFull
                    | ErrorCode::OutOfMemory
                    | ErrorCode::TooBig
            )
        )
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.doing, self.text)
    }
}

impl Error for Trouble {}

/// For reads, and whatever else writes nothing.
pub(super) fn unavailable(doing: &'static str, error: &rusqlite::Error) -> StoreError {
    Trouble::new(doing, error).unavailable()
}
