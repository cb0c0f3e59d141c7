//! What is wrong with a set-up, found at start.

use std::error::Error;
use std::fmt;

/// A set-up that cannot work or cannot be safe: one sentence that says what to write instead.
///
/// It is returned while a server is being put together, never while it answers requests.
///
/// ```
/// use mcp_core::ConfigError;
///
/// let error = ConfigError::new("the secret is 16 bytes long: use at least 32");
/// assert_eq!(error.to_string(), "the secret is 16 bytes long: use at least 32");
/// ```
#[derive(Debug)]
pub struct ConfigError {
    sentence: String,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl ConfigError {
    /// A set-up error. The sentence is shown to the operator: no secret may stand in it.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), cause: None }
    }

    /// The same with what caused it, for [`Error::source`].
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl Error for ConfigError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}
