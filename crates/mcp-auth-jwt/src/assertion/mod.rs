//! Signed assertions: JWTs by which somebody says who it is (RFC 7523), rather than what it may do.
//!
//! For authorization servers, which take them from clients. The steps are types, so that none is left out: an
//! [`UnverifiedAssertion`] says whom it claims to be from, a [`PlausibleAssertion`] claims all the right things, a
//! [`VerifiedAssertion`] was signed by the right key. That it is used only once is for the caller to see to, by
//! [`id`](VerifiedAssertion::id).
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use mcp_auth_jwt::assertion::{BadSignature, Expected, PublicKeys, UnverifiedAssertion};
//! use mcp_auth_testkit::TokenAuthority;
//! use mcp_core::{Clock, SystemClock};
//!
//! let worker = TokenAuthority::start().await?; // some client that can sign
//! let us = "https://auth.example.com";
//! let text = worker.token().issuer("worker").subject("worker").audience(us).typ("JWT").mint();
//!
//! let unverified = UnverifiedAssertion::read(&text)?;
//! assert_eq!(unverified.subject(), Some("worker")); // a claim, nothing more
//! let plausible = unverified.check(&Expected::of_client("worker", us), SystemClock.now())?;
//! let verified = plausible.verify(&PublicKeys::strict(&worker.jwks())?)?;
//! assert!(!verified.id().is_empty());
//!
//! let stranger = TokenAuthority::start().await?;
//! let others = PublicKeys::strict(&stranger.jwks())?;
//! assert_eq!(plausible.verify(&others).unwrap_err(), BadSignature::Wrong);
//! # Ok(())
//! # }
//! ```

mod expected;
mod issuer_keys;
mod public_keys;

use std::fmt;

use mcp_core::Timestamp;
use serde_json::{Map, Value};

pub use self::expected::Expected;
pub use self::issuer_keys::IssuerKeys;
pub use self::public_keys::PublicKeys;

use crate::Algorithm;
use crate::jws::Jws;
use crate::keys::Verdict;

/// The longest assertion that is looked at, in bytes.
const MAX_LENGTH: usize = 16 * 1024;
/// The longest `jti`, in bytes.
const MAX_ID: usize = 256;

/// An assertion that was taken apart. Nothing in it is to be believed yet.
pub struct UnverifiedAssertion<'a> {
    jws: Jws<'a>,
    algorithm: Algorithm,
    key_id: Option<Box<str>>,
}

impl<'a> UnverifiedAssertion<'a> {
    /// Takes one apart: a JWS in compact form of at most 16 KiB, in whose JSON no member stands twice.
    ///
    /// # Errors
    /// When it is none; when its header demands extensions (RFC 7515 §4.1.11), brings or points to a key of its own, or names
    /// an algorithm without a public key.
    pub fn read(text: &'a str) -> Result<Self, AssertionError> {
        if text.len() > MAX_LENGTH {
            return Err(AssertionError("the assertion is too long"));
        }
        let jws = Jws::parse(text).ok_or(AssertionError("the assertion is no well-formed JWT"))?;
        let header = &jws.header;
        if header.is_critical() || header.get("zip").is_some() {
            return Err(AssertionError("the assertion demands extensions"));
        }
        // Keys come from where the client is known, never from what it sends (attack TK23).
        if ["jku", "jwk", "x5u"].iter().any(|name| header.get(name).is_some()) {
            return Err(AssertionError("the assertion brings a key of its own"));
        }
        let algorithm = header
            .algorithm()
            .and_then(Algorithm::from_name)
            .filter(|algorithm| !algorithm.is_symmetric())
            .ok_or(AssertionError("the assertion is signed by an algorithm that is not allowed"))?;
        let key_id = header
            .key_id()
            .map_err(|()| AssertionError("the assertion names its key unreadably"))?
            .map(Box::from);
        Ok(Self { jws, algorithm, key_id })
    }

    /// Whom it claims to be from (`iss`).
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.text("iss")
    }

    /// Whom it claims to be about (`sub`).
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.text("sub")
    }

    /// Whether its `typ` is this media type, with or without `application/` before it (RFC 7515 §4.1.9): which sort of
    /// assertion it is, where several are taken.
    #[must_use]
    pub fn is_typed(&self, media_type: &str) -> bool {
        self.jws.header.kind().is(media_type)
    }

    /// Judges everything but the signature. That comes last, so that what is expired or meant for another costs neither a
    /// signature check nor a fetch of keys.
    ///
    /// # Errors
    /// What it says that it should not, or does not say.
    pub fn check(
        self,
        expected: &Expected<'_>,
        now: Timestamp,
    ) -> Result<PlausibleAssertion<'a>, AssertionError> {
        let expires_at = expected.judge(&self.jws, self.algorithm, now)?;
        match self.text("jti") {
            Some(id) if (1..=MAX_ID).contains(&id.len()) => {}
            _ => return Err(AssertionError("the assertion has no jti, or too long a one")),
        }
        Ok(PlausibleAssertion { assertion: self, expires_at })
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.jws.claims.get(name).and_then(Value::as_str)
    }
}

// What is signed is a credential until it has expired.
impl fmt::Debug for UnverifiedAssertion<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnverifiedAssertion").field("subject", &self.subject()).finish_non_exhaustive()
    }
}

/// An assertion that claims all the right things. Whether it may, its signature tells.
#[derive(Debug)]
pub struct PlausibleAssertion<'a> {
    assertion: UnverifiedAssertion<'a>,
    expires_at: Timestamp,
}

impl PlausibleAssertion<'_> {
    /// Checks its signature: by the key it names, or by those without a name.
    ///
    /// # Errors
    /// [`BadSignature::UnknownKey`] when other keys might be the right ones, [`BadSignature::Wrong`] when not.
    pub fn verify(&self, keys: &PublicKeys) -> Result<VerifiedAssertion, BadSignature> {
        let UnverifiedAssertion { jws, algorithm, key_id } = &self.assertion;
        match keys.set().verify(*algorithm, key_id.as_deref(), jws.message, &jws.signature) {
            Verdict::Good(_) => {
                Ok(VerifiedAssertion { claims: jws.claims.clone(), expires_at: self.expires_at })
            }
            Verdict::Bad => Err(BadSignature::Wrong),
            Verdict::Unknown => Err(BadSignature::UnknownKey),
        }
    }
}

/// An assertion that was signed by the right key. Made by [`PlausibleAssertion::verify`] only.
pub struct VerifiedAssertion {
    claims: Map<String, Value>,
    expires_at: Timestamp,
}

impl VerifiedAssertion {
    /// What it is called (`jti`): whoever accepts it accepts no other of that name from the same signer until
    /// [`expires_at`](Self::expires_at), and the leeway after.
    #[must_use]
    pub fn id(&self) -> &str {
        self.claims.get("jti").and_then(Value::as_str).unwrap_or_default()
    }

    /// When it ends (`exp`).
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// All that it says.
    #[must_use]
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }
}

impl fmt::Debug for VerifiedAssertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedAssertion").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// Why an assertion is refused, in words of ours that no peer has a part in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AssertionError(&'static str);

impl AssertionError {
    /// The words.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.0
    }
}

impl fmt::Display for AssertionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for AssertionError {}

/// Why a signature is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadSignature {
    /// The key it names did not make it.
    Wrong,
    /// No key here made it, and none here has the name it gives.
    UnknownKey,
}

impl fmt::Display for BadSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wrong => "the signature of the assertion is wrong",
            Self::UnknownKey => "the assertion is signed by an unknown key",
        })
    }
}

impl std::error::Error for BadSignature {}
