//! Tests of the crate as its users see it.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up must fail")]

mod acceptance;
mod algorithms;
mod any_of;
mod api_keys;
mod assertion;
mod claims;
mod config;
#[cfg(feature = "fetch")]
mod introspection;
mod memory;
mod stand;
mod support;
mod token_issuer;
mod traps;

#[cfg(feature = "fetch")]
mod discovery;
#[cfg(feature = "dpop")]
mod dpop;
#[cfg(feature = "fetch")]
mod jwks;

mod properties;
