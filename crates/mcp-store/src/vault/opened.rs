//! A record that was opened.

use std::fmt;

use mcp_core::Timestamp;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::{Revision, StoreError};

/// A record, readable. Its value is wiped when it is dropped.
pub struct Opened {
    pub(super) value: Zeroizing<Vec<u8>>,
    pub(super) revision: Revision,
    pub(super) expires_at: Option<Timestamp>,
}

impl Opened {
    /// What was put.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// Which commit put it: what a later commit may require.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// From when on it is not there any more; `None` for ever.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    /// Reads a value that [`Batch::put_json`](crate::Batch::put_json) wrote.
    ///
    /// # Errors
    /// When it has another shape.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, StoreError> {
        serde_json::from_slice(&self.value)
            .map_err(|_| StoreError::corrupt("a record has another shape than expected"))
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("bytes", &self.value.len())
            .field("revision", &self.revision)
            .field("expires_at", &self.expires_at)
            .finish()
    }
}
