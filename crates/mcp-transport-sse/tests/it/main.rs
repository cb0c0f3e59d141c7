//! The transport over real sockets.

#![expect(clippy::unwrap_used, reason = "what helpers cannot unwrap is a failed test")]

mod bounds;
mod client;
mod leaving;
mod ownership;
mod server;
mod wire;
