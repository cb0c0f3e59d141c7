//! The keys that sign access tokens, where these are JWTs (RFC 9068), and that others check them with.
//!
//! The private keys are one record in the store, sealed by the vault. All nodes read the same record; which of its keys signs
//! follows from it and the time, so a change needs no agreement at the moment of the change:
//!
//! | | |
//! |---|---|
//! | a new key | is published an hour before it signs; others may keep the key set for five minutes |
//! | an old key | is published until the last token it can have signed has ended, and ten minutes more |
//! | a key taken back | is not published and signs nothing from the commit on at this node, within 15 s at any other |
//! | a node that cannot read the store | signs nothing after 60 s, and publishes nothing after 15 s: others go on with the keys they have |
//!
//! There is no task in the background: whoever needs a key looks first whether the record was read shortly ago and whether
//! something is due. A server that sleeps for a month makes its next key when it wakes, and publishes it before it signs.

mod builder;
#[cfg(test)]
mod jwt_tests;
mod keeper;
mod ring;
#[cfg(test)]
mod tests;

pub use builder::{JwtTokens, KeyUse, SigningKeyView};
pub(crate) use keeper::SigningKeys;
