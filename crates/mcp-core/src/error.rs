//! Why a request was not let through, and what that means on the wire.
//!
//! | kind | status | `error` in the challenge |
//! |---|---|---|
//! | [`Missing`](AuthErrorKind::Missing) | 401 | none: nothing was presented (RFC 6750 §3.1) |
//! | [`NotMine`](AuthErrorKind::NotMine) | 401 | `invalid_token`, when no authenticator knew the credential |
//! | [`InvalidToken`](AuthErrorKind::InvalidToken) | 401 | `invalid_token` |
//! | [`InvalidProof`](AuthErrorKind::InvalidProof) | 401 | `invalid_dpop_proof` of the `DPoP` scheme (RFC 9449 §7.1) |
//! | [`ProofNonce`](AuthErrorKind::ProofNonce) | 401 | `use_dpop_nonce` and a `DPoP-Nonce` header (RFC 9449 §9) |
//! | [`InsufficientScope`](AuthErrorKind::InsufficientScope) | 403 | `insufficient_scope` with every scope needed |
//! | [`Forbidden`](AuthErrorKind::Forbidden) | 403 | no challenge: signing in again would not help |
//! | [`Malformed`](AuthErrorKind::Malformed) | 400 | `invalid_request` |
//! | [`TooMany`](AuthErrorKind::TooMany) | 429 | no challenge, `Retry-After` |
//! | [`Unavailable`](AuthErrorKind::Unavailable) | 503 | no challenge, `Retry-After`: the token may be good, *we* cannot tell |
//!
//! ```
//! use mcp_core::{AuthError, AuthErrorKind, Scopes};
//!
//! let error = AuthError::invalid_token("the token has expired").log("exp was 1700000000");
//! assert_eq!(error.status(), 401);
//! assert!(matches!(error.kind(), AuthErrorKind::InvalidToken));
//! assert_eq!(error.description(), Some("the token has expired"));
//! assert_eq!(AuthError::insufficient_scope(Scopes::from("admin")).status(), 403);
//! ```

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use http::StatusCode;

use crate::Scopes;

/// What went wrong, and whose fault it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthErrorKind {
    /// A credential is there, but of a kind this authenticator does not judge. A composition tries the next one.
    NotMine,
    /// No credential was presented.
    Missing,
    /// The credential is unknown, expired, revoked, forged or meant for somebody else.
    InvalidToken,
    /// The DPoP proof is wrong (RFC 9449 §4.3).
    InvalidProof,
    /// The DPoP proof must carry this nonce (RFC 9449 §9).
    ProofNonce(String),
    /// The caller is known and may not do this; the scopes that would allow it.
    InsufficientScope(Scopes),
    /// The caller may not do this, whatever the scopes.
    Forbidden,
    /// The request cannot be understood as an authenticated request.
    Malformed,
    /// Too many attempts; when to come back.
    TooMany(Duration),
    /// We cannot tell: the issuer, key set or store is out of reach; when to come back.
    Unavailable(Duration),
}

/// Why a request was not let through.
///
/// The description is shown to the peer and must be the project's own words: a static text, never bytes a peer sent
/// (attacks RS18). Details go to [`log`](Self::log) and reach the operator only.
#[derive(Clone)]
pub struct AuthError {
    kind: AuthErrorKind,
    description: Option<&'static str>,
    detail: Option<Cow<'static, str>>,
}

impl AuthError {
    fn of(kind: AuthErrorKind, description: Option<&'static str>) -> Self {
        Self { kind, description, detail: None }
    }

    /// The credential is of a kind this authenticator does not judge.
    #[must_use]
    pub fn not_mine() -> Self {
        Self::of(AuthErrorKind::NotMine, Some("nobody here issued or knows this credential"))
    }

    /// No credential was presented.
    #[must_use]
    pub fn missing() -> Self {
        Self::of(AuthErrorKind::Missing, None)
    }

    /// The credential is no good. The text is for the peer: printable ASCII without quotes and backslashes.
    #[must_use]
    pub fn invalid_token(description: &'static str) -> Self {
        Self::of(AuthErrorKind::InvalidToken, Some(description))
    }

    /// The DPoP proof is no good (RFC 9449 §4.3).
    #[must_use]
    pub fn invalid_proof(description: &'static str) -> Self {
        Self::of(AuthErrorKind::InvalidProof, Some(description))
    }

    /// The DPoP proof must carry this nonce (RFC 9449 §9). A nonce of other than printable ASCII is not sent.
    #[must_use]
    pub fn proof_nonce(nonce: impl Into<String>) -> Self {
        Self::of(AuthErrorKind::ProofNonce(nonce.into()), Some("a DPoP proof with the given nonce is needed"))
    }

    /// The caller lacks scopes; `needed` is all of what the operation needs (spec AUTH-25, AUTH-26).
    #[must_use]
    pub fn insufficient_scope(needed: Scopes) -> Self {
        Self::of(
            AuthErrorKind::InsufficientScope(needed),
            Some("the token lacks a scope that this call needs"),
        )
    }

    /// The caller may not do this, and no other token would change it (spec AUTH-30).
    #[must_use]
    pub fn forbidden(description: &'static str) -> Self {
        Self::of(AuthErrorKind::Forbidden, Some(description))
    }

    /// The request cannot be understood.
    #[must_use]
    pub fn malformed(description: &'static str) -> Self {
        Self::of(AuthErrorKind::Malformed, Some(description))
    }

    /// Too many attempts.
    #[must_use]
    pub fn too_many(retry_after: Duration) -> Self {
        Self::of(AuthErrorKind::TooMany(retry_after), Some("too many attempts"))
    }

    /// We cannot tell whether the credential is good.
    #[must_use]
    pub fn unavailable(retry_after: Duration) -> Self {
        Self::of(AuthErrorKind::Unavailable(retry_after), Some("credentials cannot be checked at the moment"))
    }

    /// Adds what only the operator may see. Never a token, secret or code.
    #[must_use]
    pub fn log(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> &AuthErrorKind {
        &self.kind
    }

    /// The text for the peer (`error_description`).
    #[must_use]
    pub fn description(&self) -> Option<&'static str> {
        self.description
    }

    /// The text for the operator.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The status this error is answered with.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self.kind {
            AuthErrorKind::NotMine
            | AuthErrorKind::Missing
            | AuthErrorKind::InvalidToken
            | AuthErrorKind::InvalidProof
            | AuthErrorKind::ProofNonce(_) => StatusCode::UNAUTHORIZED,
            AuthErrorKind::InsufficientScope(_) | AuthErrorKind::Forbidden => StatusCode::FORBIDDEN,
            AuthErrorKind::Malformed => StatusCode::BAD_REQUEST,
            AuthErrorKind::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            AuthErrorKind::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The error code of RFC 6750 §3.1 and RFC 9449 §7.1, where there is one.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        match self.kind {
            AuthErrorKind::NotMine | AuthErrorKind::InvalidToken => Some("invalid_token"),
            AuthErrorKind::InvalidProof => Some("invalid_dpop_proof"),
            AuthErrorKind::ProofNonce(_) => Some("use_dpop_nonce"),
            AuthErrorKind::InsufficientScope(_) => Some("insufficient_scope"),
            AuthErrorKind::Malformed => Some("invalid_request"),
            AuthErrorKind::Forbidden => Some("access_denied"),
            AuthErrorKind::TooMany(_) | AuthErrorKind::Unavailable(_) => Some("temporarily_unavailable"),
            AuthErrorKind::Missing => None,
        }
    }

    /// How long the peer should wait, where waiting helps.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self.kind {
            AuthErrorKind::TooMany(wait) | AuthErrorKind::Unavailable(wait) => Some(wait),
            _ => None,
        }
    }
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            AuthErrorKind::Missing => "no credential was presented",
            _ => self.description.unwrap_or("the request was refused"),
        })
    }
}

impl fmt::Debug for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthError")
            .field("kind", &self.kind)
            .field("detail", &self.detail)
            .finish_non_exhaustive()
    }
}

impl Error for AuthError {}
