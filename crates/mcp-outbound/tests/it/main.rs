//! The outbound client against real sockets.
#![cfg_attr(feature = "reqwest", expect(clippy::unwrap_used, reason = "helpers of tests fail the test"))]

mod addresses;

#[cfg(feature = "reqwest")]
mod environment;
#[cfg(feature = "reqwest")]
mod exchange;
#[cfg(feature = "reqwest")]
mod limits;
#[cfg(feature = "reqwest")]
mod rebinding;
#[cfg(feature = "reqwest")]
mod set_up;
#[cfg(feature = "reqwest")]
mod spellings;
#[cfg(feature = "reqwest")]
mod support;
#[cfg(feature = "reqwest")]
mod tls;
