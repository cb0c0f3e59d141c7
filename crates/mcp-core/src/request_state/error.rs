//! Why a state could not be sealed or opened.

use std::error::Error;
use std::fmt;

/// Why a state could not be sealed or opened. For the operator: a peer learns only that it is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StateErrorKind {
    /// The payload cannot be written as JSON.
    Unwritable,
    /// The text is longer than allowed.
    TooLong,
    /// It was changed, or made for another caller or another context.
    Forged,
    /// It was sealed under a key that is not (or no longer) known here.
    UnknownKey,
    /// Its time is over.
    Expired,
    /// The payload does not have the wanted shape: an older version of the server wrote it, most likely.
    Shape,
    /// It was used before.
    Replayed,
    /// There is no room to remember that it was used: a 503, not a verdict.
    Full,
}

/// A state could not be sealed or opened.
///
/// [`Display`](fmt::Display) is for the peer and is the same for every reason but [`StateErrorKind::Full`] (spec SEC-13);
/// the [`kind`](Self::kind) is for logs and audit events.
#[derive(Debug)]
pub struct StateError {
    kind: StateErrorKind,
    detail: Option<String>,
}

impl StateError {
    pub(super) fn of(kind: StateErrorKind) -> Self {
        Self { kind, detail: None }
    }

    /// Keeps where the JSON went wrong and not what it said: the payload may be secret.
    pub(super) fn shape(kind: StateErrorKind, error: &serde_json::Error) -> Self {
        Self {
            kind,
            detail: Some(format!(
                "{:?} at line {} column {}",
                error.classify(),
                error.line(),
                error.column()
            )),
        }
    }

    /// Why. Not for the peer.
    #[must_use]
    pub fn kind(&self) -> StateErrorKind {
        self.kind
    }

    /// Where the payload's JSON went wrong. Not for the peer.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            StateErrorKind::Full => "the request state cannot be taken at the moment",
            _ => "the request state is not valid",
        })
    }
}

impl Error for StateError {}
