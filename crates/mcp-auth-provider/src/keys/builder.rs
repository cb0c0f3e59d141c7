//! What an operator says of the keys, and sees of them.
//!
//! ```
//! use std::time::Duration;
//! use mcp_auth_provider::JwtTokens;
//!
//! let weekly = JwtTokens::eddsa().rotate_every(Duration::from_secs(7 * 24 * 3600));
//! assert!(weekly.check().is_ok());
//! assert!(JwtTokens::es256().rotate_every(Duration::from_secs(60)).check().is_err());
//! ```

use std::time::Duration;

use mcp_auth_jwt::SigningAlgorithm;
use mcp_core::{ConfigError, Timestamp};
use serde::{Deserialize, Serialize};

use crate::OAuthProvider;
use crate::as_text;

/// Access tokens as signed JWTs (RFC 9068), for resource servers elsewhere that check them by the published keys alone.
///
/// This server itself looks each token up, as it does with opaque ones: a revocation counts here at once, and at its
/// introspection endpoint. Who checks signatures alone learns of no revocation before the token ends: keep
/// [`Lifetimes::access_token`](crate::Lifetimes::access_token) short. Everybody who sees such a token can read it; what a
/// sign-in lets tools know (`props`) is not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtTokens {
    pub(super) algorithm: SigningAlgorithm,
    pub(super) every: Duration,
}

const DAY: Duration = Duration::from_secs(24 * 3600);

impl JwtTokens {
    /// Signed with ES256: short, and known to every verifier.
    #[must_use]
    pub fn es256() -> Self {
        Self::of(SigningAlgorithm::Es256)
    }

    /// Signed with Ed25519: the fastest, not known to every verifier.
    #[must_use]
    pub fn eddsa() -> Self {
        Self::of(SigningAlgorithm::EdDsa)
    }

    /// Signed with RS256, by keys of 3072 bits: for verifiers that know nothing else.
    #[must_use]
    pub fn rs256() -> Self {
        Self::of(SigningAlgorithm::Rs256)
    }

    fn of(algorithm: SigningAlgorithm) -> Self {
        Self { algorithm, every: 30 * DAY }
    }

    /// How long a key signs: 30 days unless said, one day to two years.
    #[must_use]
    pub fn rotate_every(mut self, span: Duration) -> Self {
        self.every = span;
        self
    }

    /// Whether the choices are within their bounds.
    ///
    /// # Errors
    /// When they are not, with what they may be.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.every < DAY || self.every > 731 * DAY {
            return Err(ConfigError::new(
                "a signing key signs for one day to two years: choose rotate_every() between them",
            ));
        }
        Ok(())
    }
}

impl OAuthProvider {
    /// Makes access tokens signed JWTs and publishes the keys at [`Paths::jwks`](crate::Paths::jwks). Opaque tokens that are
    /// out stay good; so do JWTs where this is taken out again.
    #[must_use]
    pub fn jwt_access_tokens(self, tokens: JwtTokens) -> Self {
        self.with_jwt_tokens(tokens)
    }
}

/// What a key is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KeyUse {
    /// It is published and will sign.
    Next,
    /// It signs new tokens.
    Signs,
    /// It signs nothing any more; tokens that it signed may live.
    Verifies,
}

/// A signing key as operators see it: nothing private.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SigningKeyView {
    /// Its `kid`: its thumbprint (RFC 7638).
    pub id: String,
    /// Its `alg`.
    pub algorithm: String,
    /// When it was made.
    #[serde(with = "as_text::millis")]
    pub made_at: Timestamp,
    /// From when on it signs.
    #[serde(with = "as_text::millis")]
    pub signs_from: Timestamp,
    /// When the last token it can have signed has ended, once that is certain.
    #[serde(skip)]
    pub published_until: Option<Timestamp>,
    /// What it is there for now.
    pub used: KeyUse,
}
