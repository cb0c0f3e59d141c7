//! Integration tests of the crate, one binary.
#![cfg(feature = "memory")]
#![expect(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

mod key_file;
mod memory;
#[cfg(all(feature = "testkit", any(feature = "redis", feature = "postgres")))]
mod servers;
mod support;
mod vault;
