//! Why a server does not run.

use std::io;

use mcp_core::ConfigError;

/// Why a server does not run.
#[derive(Debug, thiserror::Error)]
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
