//! The test kit, tested by what it is made for.
#![expect(clippy::unwrap_used, reason = "test helpers outside of test functions; a panic is a failed test")]

mod authority;
mod client;
mod clock;
