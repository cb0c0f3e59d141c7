//! Why a store did not do what it was asked.
//!
//! ```
//! use mcp_store::StoreError;
//!
//! let error = StoreError::unavailable("connection refused");
//! assert!(!error.is_unknown()); // surely nothing was written
//! assert!(StoreError::unknown("connection reset").is_unknown()); // perhaps something was
//! ```

use std::error::Error;
use std::fmt;

/// An operation that a store could not finish. Never says what was stored.
#[derive(Debug)]
pub struct StoreError {
    kind: Kind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Unavailable,
    Unknown,
    Corrupt(&'static str),
    Invalid(&'static str),
}

impl StoreError {
    /// The store cannot be reached or is overloaded. Nothing was written.
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: Kind::Unavailable, source: Some(source.into()) }
    }

    /// The connection was lost while a commit was under way: it happened wholly, or not at all, and nobody can tell.
    pub fn unknown(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: Kind::Unknown, source: Some(source.into()) }
    }

    /// What is stored cannot be read: damaged, of another version, or sealed under a key that is not in the ring.
    #[must_use]
    pub fn corrupt(reason: &'static str) -> Self {
        Self { kind: Kind::Corrupt(reason), source: None }
    }

    /// The request cannot be carried out by any store; a defect of the caller.
    #[must_use]
    pub fn invalid(reason: &'static str) -> Self {
        Self { kind: Kind::Invalid(reason), source: None }
    }

    /// Whether the commit may have happened.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.kind == Kind::Unknown
    }

    /// What a counter calls it.
    #[cfg(feature = "metrics")]
    pub(crate) fn label(&self) -> &'static str {
        match self.kind {
            Kind::Unavailable => "unavailable",
            Kind::Unknown => "unknown",
            Kind::Corrupt(_) => "corrupt",
            Kind::Invalid(_) => "invalid",
        }
    }

    /// Whether trying again later may help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, Kind::Unavailable | Kind::Unknown)
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Unavailable => f.write_str("the store cannot be reached"),
            Kind::Unknown => f.write_str("the connection to the store was lost in the middle of a commit"),
            Kind::Corrupt(reason) => write!(f, "what is stored cannot be read: {reason}"),
            Kind::Invalid(reason) => write!(f, "no store can do this: {reason}"),
        }
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
