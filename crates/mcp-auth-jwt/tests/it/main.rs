//! Tests of the crate as its users see it.

mod acceptance;
mod claims;
mod config;
mod memory;
mod support;
mod traps;

#[cfg(feature = "fetch")]
mod discovery;
#[cfg(feature = "dpop")]
mod dpop;
#[cfg(feature = "fetch")]
mod jwks;

mod properties;
