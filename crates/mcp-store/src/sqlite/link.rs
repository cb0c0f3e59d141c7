//! A thread's connection: opened anew after an error that may have spoiled it.

use rusqlite::Connection;

use super::connection::{self, Role};
use super::failure::Trouble;
use super::place::Place;

#[derive(Debug)]
pub(super) struct Link {
    place: Place,
    role: Role,
    connection: Option<Connection>,
    /// Whether its last use failed, so that the log tells the first failure and the end of them, and not thousands.
    troubled: bool,
}

impl Link {
    pub(super) fn new(place: Place, role: Role, connection: Connection) -> Self {
        Self { place, role, connection: Some(connection), troubled: false }
    }

    /// The connection, opened if need be. To be asked for anew before each transaction.
    pub(super) fn get(&mut self) -> Result<&mut Connection, Trouble> {
        if !self.place.is_same() {
            let what = "its file was moved or replaced while it was in use: start the server anew";
            return Err(Trouble::other("open the database", what));
        }
        match &mut self.connection {
            Some(connection) => Ok(connection),
            empty => Ok(empty.insert(connection::open_again(&self.place, self.role)?)),
        }
    }

    /// Has the next [`get`](Self::get) open the file anew.
    pub(super) fn discard(&mut self) {
        self.connection = None;
    }

    /// Tells the operator when trouble begins and when it is over.
    pub(super) fn note(&mut self, trouble: Option<&Trouble>) {
        match trouble {
            Some(trouble) if !self.troubled => {
                tracing::error!(file = %self.place.file().display(), error = %trouble, "the database cannot be written");
            }
            None if self.troubled => {
                tracing::info!(file = %self.place.file().display(), "the database can be written again");
            }
            _ => {}
        }
        self.troubled = trouble.is_some();
    }

    /// Discards the connection if a transaction was left open on it: it would see one moment for ever.
    pub(super) fn leave_no_transaction(&mut self) {
        if self.connection.as_ref().is_some_and(|connection| !connection.is_autocommit()) {
            self.discard();
        }
    }
}
