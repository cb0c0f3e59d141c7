//! What is stored under a key.
//!
//! ```
//! use std::time::Duration;
//! use mcp_core::Timestamp;
//! use mcp_store::{Record, Revision};
//!
//! let noon = Timestamp::from_secs(1_800_000_000);
//! let record = Record::new("sealed bytes", Revision::random(), Some(noon));
//! assert!(record.is_live(noon - Duration::from_millis(1)));
//! assert!(!record.is_live(noon)); // the moment of expiry is past it
//! ```

use std::fmt;

use bytes::Bytes;
use mcp_core::{Timestamp, random_bytes};

/// The most bytes a value may have: 64 KiB.
pub const MAX_VALUE: usize = 64 * 1024;

/// Which commit wrote a record: a random number, so that a name that was deleted and written again never looks unchanged.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Revision(u64);

impl Revision {
    /// A revision of a new commit.
    #[must_use]
    pub fn random() -> Self {
        Self(u64::from_le_bytes(random_bytes()))
    }

    /// From the number that a back end kept.
    #[must_use]
    pub const fn from_u64(number: u64) -> Self {
        Self(number)
    }

    /// The number, for back ends.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Debug for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Revision({:016x})", self.0)
    }
}

/// A value, who wrote it and until when it is there.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    value: Bytes,
    revision: Revision,
    expires_at: Option<Timestamp>,
}

impl Record {
    /// A record as a back end hands it out.
    pub fn new(value: impl Into<Bytes>, revision: Revision, expires_at: Option<Timestamp>) -> Self {
        Self { value: value.into(), revision, expires_at }
    }

    /// What was put.
    #[must_use]
    pub fn value(&self) -> &Bytes {
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

    /// Whether a reader at this moment may see it. To the millisecond, whenever it is deleted.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

// Values are sealed, but a log is no place for them either.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("bytes", &self.value.len())
            .field("revision", &self.revision)
            .field("expires_at", &self.expires_at)
            .finish()
    }
}
