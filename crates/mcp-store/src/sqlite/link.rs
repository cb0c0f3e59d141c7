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
}

impl Link {
    pub(super) fn new(place: Place, role: Role, connection: Connection) -> Self {
        Self { place, role, connection: Some(connection) }
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

    /// Discards the connection if a transaction was left open on it: it would see one moment for ever.
    pub(super) fn leave_no_transaction(&mut self) {
        if self.connection.as_ref().is_some_and(|connection| !connection.is_autocommit()) {
            self.discard();
        }
    }
}
