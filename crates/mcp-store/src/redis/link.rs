//! The way to Redis: one server or a cluster, and what is known when a command fails.

use std::time::Duration;

use redis::{Cmd, ErrorKind, RedisError, ServerErrorKind, Value};
use tokio::time::Instant;

use super::nodes::Nodes;
use super::single::Single;
use crate::StoreError;

/// Why there is no answer, and what that says about the command.
#[derive(Debug)]
pub(super) enum Failure {
    /// It was not sent.
    Unsent(String),
    /// It was perhaps sent, and perhaps carried out, or will be.
    Lost(String),
    /// The server answered that it did not do it.
    Refused(String),
    /// The server does not know a script of this hash.
    UnknownScript,
}

impl Failure {
    pub(super) fn text(self) -> String {
        match self {
            Self::Unsent(text) | Self::Lost(text) | Self::Refused(text) => text,
            Self::UnknownScript => "a script that was just loaded is not known".to_owned(),
        }
    }
}

/// What it means for whoever only reads.
impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        Self::unavailable(failure.text())
    }
}

#[derive(Debug)]
pub(super) enum Link {
    Single(Single),
    Cluster(Nodes),
}

impl Link {
    /// Sends a command once, and gives the answer before the deadline. A cluster sends it where the slot is, or, without
    /// one, where its key is; one server has all slots.
    pub(super) async fn run(
        &self,
        command: &Cmd,
        slot: Option<u16>,
        deadline: Instant,
    ) -> Result<Value, Failure> {
        match self {
            Self::Single(single) => single.run(command, deadline).await,
            Self::Cluster(nodes) => nodes.run(command, slot, deadline).await,
        }
    }

    /// Sends a command that may run twice, and sends it again if the connection breaks: it may have been closed by the other
    /// side since it was last used.
    pub(super) async fn read(&self, command: &Cmd, slot: Option<u16>) -> Result<Value, Failure> {
        let deadline = Instant::now() + self.timeout();
        match self.run(command, slot, deadline).await {
            Err(Failure::Lost(_)) if Instant::now() < deadline => self.run(command, slot, deadline).await,
            answer => answer,
        }
    }

    /// One slot of every node that has some, and what tells this layout from another.
    pub(super) async fn layout(&self) -> Result<Layout, Failure> {
        match self {
            Self::Single(_) => Ok(Layout { slots: vec![0], print: "0".to_owned() }),
            Self::Cluster(nodes) => nodes.layout().await,
        }
    }

    pub(super) fn timeout(&self) -> Duration {
        match self {
            Self::Single(single) => single.timeout,
            Self::Cluster(nodes) => nodes.timeout,
        }
    }
}

/// Which nodes there are.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) slots: Vec<u16>,
    pub(super) print: String,
}

/// What the server's own words say about the command; `None` when they are not the server's.
pub(super) fn answered(error: &RedisError) -> Option<Failure> {
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::NoScript) => Some(Failure::UnknownScript),
        ErrorKind::Server(_) | ErrorKind::Extension => Some(Failure::Refused(describe(error))),
        _ => None,
    }
}

/// The kind of an error and the server's code: its words may repeat what it was sent.
pub(super) fn describe(error: &RedisError) -> String {
    match error.code() {
        Some(code) => format!("Redis answers {code}"),
        None if error.is_timeout() => "no answer in time".to_owned(),
        None => match std::error::Error::source(error) {
            // The operating system's and TLS's words: they know no secret.
            Some(source) if error.is_io_error() => source.to_string(),
            _ => error.category().to_owned(),
        },
    }
}

/// An answer of a form that no Redis gives.
pub(super) fn nonsense() -> StoreError {
    StoreError::unavailable("an answer that is not one of Redis")
}
