//! Integration tests of the crate, one binary.
#![expect(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

mod any_of;
mod audit;
mod limits;
mod metadata;
mod policy;
mod refusals;
mod request_state;
#[cfg(feature = "axum")]
mod router;
mod session;
mod site;
mod spellings;
mod start;
mod streams;
mod support;
mod tower_stack;
