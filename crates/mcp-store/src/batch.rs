//! What one commit does, and what it requires.
//!
//! ```
//! use mcp_store::{Batch, Name};
//!
//! let (code, token) = (Name::new("code")?, Name::new("token")?);
//! let batch = Batch::new().require_absent(token.clone()).put(token, "sealed bytes", None).delete(code);
//! assert_eq!((batch.preconditions().len(), batch.operations().len()), (1, 2));
//! # Ok::<(), mcp_store::InvalidKey>(())
//! ```

use std::fmt;
use std::mem;

use bytes::Bytes;
use mcp_core::Timestamp;
use serde::Serialize;

use crate::{MAX_VALUE, Name, Revision, StoreError};

/// The most preconditions and operations that one commit may have, together.
pub const MAX_OPERATIONS: usize = 256;

/// What must hold when a commit happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Precondition {
    /// There is no such record, or it has expired.
    Absent,
    /// The record is there, has not expired, and was put by that commit.
    At(Revision),
}

/// What a commit does to a record.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// Writes it anew, whether it was there or not.
    Put {
        /// The value, of at most [`MAX_VALUE`] bytes.
        value: Bytes,
        /// From when on it is not there any more; `None` for ever.
        expires_at: Option<Timestamp>,
    },
    /// Takes it away, if it is there.
    Delete,
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put { value, expires_at } => {
                f.debug_struct("Put").field("bytes", &value.len()).field("expires_at", expires_at).finish()
            }
            Self::Delete => f.write_str("Delete"),
        }
    }
}

/// Everything one commit does to one partition. A name stands at most once among the operations; preconditions may be
/// about any name.
#[derive(Clone, Debug)]
#[must_use = "a batch does nothing before it is committed"]
pub struct Batch {
    revision: Revision,
    preconditions: Vec<(Name, Precondition)>,
    operations: Vec<(Name, Operation)>,
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

impl Batch {
    /// An empty batch, with a revision of its own.
    pub fn new() -> Self {
        Self { revision: Revision::random(), preconditions: Vec::new(), operations: Vec::new() }
    }

    /// For a record that stays what it was.
    pub(crate) fn of_revision(revision: Revision) -> Self {
        Self { revision, ..Self::new() }
    }

    /// Requires that there is no such record.
    pub fn require_absent(mut self, name: Name) -> Self {
        self.preconditions.push((name, Precondition::Absent));
        self
    }

    /// Requires that a record is still as that commit put it.
    pub fn require(mut self, name: Name, revision: Revision) -> Self {
        self.preconditions.push((name, Precondition::At(revision)));
        self
    }

    /// Writes a record. An end after the year 280000 is none: not every database can count so far.
    pub fn put(mut self, name: Name, value: impl Into<Bytes>, expires_at: Option<Timestamp>) -> Self {
        let expires_at = expires_at.filter(|end| end.as_millis() <= LAST_END);
        self.operations.push((name, Operation::Put { value: value.into(), expires_at }));
        self
    }

    /// Writes a record whose value is this, as JSON.
    ///
    /// ```
    /// # use mcp_store::{Batch, Name};
    /// let batch = Batch::new().put_json(Name::new("client")?, &("cli", 3), None)?;
    /// assert_eq!(batch.operations().len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the value has no JSON form.
    pub fn put_json(
        self,
        name: Name,
        value: &(impl Serialize + ?Sized),
        expires_at: Option<Timestamp>,
    ) -> Result<Self, StoreError> {
        let json = serde_json::to_vec(value).map_err(|_| StoreError::invalid("a value has no JSON form"))?;
        Ok(self.put(name, json, expires_at))
    }

    /// Takes a record away.
    pub fn delete(mut self, name: Name) -> Self {
        self.operations.push((name, Operation::Delete));
        self
    }

    /// The revision that every record put by this batch gets. Whoever does not know whether a commit happened
    /// ([`StoreError::is_unknown`]) reads one of them and compares.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// What must hold.
    #[must_use]
    pub fn preconditions(&self) -> &[(Name, Precondition)] {
        &self.preconditions
    }

    /// What is done.
    #[must_use]
    pub fn operations(&self) -> &[(Name, Operation)] {
        &self.operations
    }

    /// What is done, for a back end that moves it to where it is kept.
    #[must_use]
    pub fn into_operations(self) -> Vec<(Name, Operation)> {
        self.operations
    }

    /// The same batch with other values: the sealed ones.
    pub(crate) fn try_map_values<E>(
        mut self,
        mut map: impl FnMut(&Name, Bytes, Option<Timestamp>) -> Result<Bytes, E>,
    ) -> Result<Self, E> {
        for (name, operation) in &mut self.operations {
            if let Operation::Put { value, expires_at } = operation {
                *value = map(name, mem::take(value), *expires_at)?;
            }
        }
        Ok(self)
    }

    /// What every back end asks before it does anything.
    ///
    /// # Errors
    /// When there are more than [`MAX_OPERATIONS`] preconditions and operations, a value is over [`MAX_VALUE`], or a name
    /// stands twice among the operations.
    pub fn check(&self) -> Result<(), StoreError> {
        if self.preconditions.len() + self.operations.len() > MAX_OPERATIONS {
            return Err(StoreError::invalid(
                "a batch has more preconditions and operations than one commit may have",
            ));
        }
        let mut names: Vec<&Name> = self.operations.iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(StoreError::invalid("a batch writes the same name twice"));
        }
        let too_large = |operation: &Operation| matches!(operation, Operation::Put { value, .. } if value.len() > MAX_VALUE);
        if self.operations.iter().any(|(_, operation)| too_large(operation)) {
            return Err(StoreError::invalid("a value is larger than 64 KiB"));
        }
        Ok(())
    }
}

/// The milliseconds that a 64-bit floating point number counts exactly: what Lua, and so Redis, calculates with.
const LAST_END: u64 = (1 << 53) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_beyond_counting_is_none() {
        let end = |millis| {
            let name = Name::new("a").unwrap();
            let batch = Batch::new().put(name, "x", Some(Timestamp::from_millis(millis)));
            match batch.operations() {
                [(_, Operation::Put { expires_at, .. })] => expires_at.map(Timestamp::as_millis),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!([0, LAST_END, LAST_END + 1, u64::MAX].map(end), [Some(0), Some(LAST_END), None, None]);
    }
}
