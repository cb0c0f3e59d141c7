//! Integration tests of the crate, one binary.
#![cfg(feature = "memory")]
#![expect(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

#[cfg(feature = "testkit")]
mod broken;
#[cfg(feature = "testkit")]
mod faulty;
mod key_file;
#[cfg(feature = "testkit")]
mod key_ring;
mod memory;
#[cfg(all(feature = "metrics", feature = "testkit"))]
mod metrics;
#[cfg(feature = "testkit")]
mod processes;
mod properties;
#[cfg(feature = "testkit")]
mod rotation;
#[cfg(all(feature = "testkit", any(feature = "redis", feature = "postgres")))]
mod servers;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(feature = "testkit")]
mod suite;
mod support;
#[cfg(feature = "testkit")]
mod sweeper;
mod vault;
