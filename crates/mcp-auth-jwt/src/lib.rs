#![cfg_attr(docsrs, feature(doc_cfg))]
//! Tokens that somebody else issued.

mod algorithm;
mod authenticator;
mod cache;
#[cfg(feature = "dpop")]
mod dpop;
#[cfg(feature = "fetch")]
mod fetch;
mod issuer;
mod jws;
mod keys;
mod profile;
mod rules;
mod shorthand;
mod strict_json;

pub use self::algorithm::Algorithm;
pub use self::authenticator::JwtAuthenticator;
#[cfg(feature = "dpop")]
#[cfg_attr(docsrs, doc(cfg(feature = "dpop")))]
pub use self::dpop::Dpop;
pub use self::issuer::TrustedIssuer;
pub use self::keys::Keys;
pub use self::profile::TokenProfile;
