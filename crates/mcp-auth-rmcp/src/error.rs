//! Why a server does not run.

use std::error::Error;
use std::{fmt, io};

use mcp_core::ConfigError;

/// Why a server does not run.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The set-up cannot work or cannot be safe; the sentence says what to write instead.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: bind another address, or stop what uses it")]
    Listen {
        /// The address, as it was given.
        address: String,
        /// What the operating system says.
        #[source]
        cause: io::Error,
    },
}

impl ServeError {
    pub(crate) fn listen(address: &str, cause: io::Error) -> Self {
        Self::Listen { address: address.to_owned(), cause }
    }
}

impl fmt::Debug for ServeError {
    // What `main` prints of an error is its `Debug`: an operator should read a sentence there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, " ({error})")?;
            cause = error.source();
        }
        Ok(())
    }
}
