//! Why there is no client.

use std::error::Error as StdError;
use std::fmt;

/// A set-up that cannot work or cannot be safe; the text says what to write instead.
#[derive(Debug)]
pub struct OutboundConfigError {
    sentence: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl OutboundConfigError {
    pub(super) fn new(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), source: None }
    }

    pub(super) fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for OutboundConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl StdError for OutboundConfigError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
