//! The authorization server over real sockets.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up must fail")]

mod browser;
mod clients;
mod device;
mod machines;
mod metadata;
mod par;
mod rows;
mod tokens;
