//! Why something an operator asked for was not done.

use std::error::Error;
use std::fmt;

use mcp_store::StoreError;

/// Something an operator asked for was not done, or not wholly.
#[derive(Debug)]
pub struct OperatorError {
    what: &'static str,
    source: Option<StoreError>,
}

impl OperatorError {
    pub(super) fn not_running() -> Self {
        Self { what: "the server does not run: build its site first", source: None }
    }

    pub(super) fn invalid(what: &'static str) -> Self {
        Self { what, source: None }
    }

    /// Whether the same may work later: the store did not answer.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.source.as_ref().is_some_and(StoreError::is_transient)
    }
}

impl From<StoreError> for OperatorError {
    fn from(source: StoreError) -> Self {
        Self { what: "the store did not do what it was asked; some of it may be done", source: Some(source) }
    }
}

impl fmt::Display for OperatorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}

impl Error for OperatorError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}
