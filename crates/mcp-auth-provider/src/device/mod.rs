//! The device grant (RFC 8628): a client that has no browser shows a code, and its user types it into one elsewhere.
//!
//! | what | where it is |
//! |---|---|
//! | the client begins | `begin`, from the device authorization endpoint |
//! | its user types the code | `enter`, from the verification page; then sign-in and consent as for any client |
//! | the client asks for its tokens | [`poll`](crate::grant::poll), from the token endpoint |
//!
//! The request and all that comes of it are in one partition, which the device code carries. The user code is a claim in a partition of
//! its own that leads there: made first, so that a crash leaves a code that leads nowhere.

mod begin;
mod builder;
mod guesses;
#[cfg(test)]
mod tests;
mod user_code;

pub(crate) use begin::{Started, begin, find};
pub(crate) use guesses::{Guess, Origin, Refused, guess};
pub(crate) use user_code::UserCode;
