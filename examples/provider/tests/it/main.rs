//! The example as a process: killed under load, and beside a copy of itself.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod crash;
mod owner;
mod process;
mod tokens;
mod twins;
