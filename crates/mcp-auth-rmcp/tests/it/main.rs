//! rmcp servers behind a site, over real sockets.
#![expect(clippy::unwrap_used, reason = "what helpers cannot unwrap is a failed test")]

mod abuse;
mod callers;
mod connections;
mod ending;
mod expiry;
mod gathering;
mod lifecycle;
mod lists;
mod passing;
mod policies;
mod server;
mod session_limits;
mod sessions;
mod setup;
mod transports;
