//! Under what a record is found: its partition, and its name therein.
//!
//! ```
//! use mcp_store::{Name, Partition};
//!
//! let partition = Partition::random();
//! assert_eq!(partition.as_str().len(), 22);
//! assert!(Name::new("grant").is_ok());
//! assert!(Name::new("two words").is_err());
//! ```

use std::borrow::Borrow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use mcp_core::random_id;

macro_rules! key_part {
    ($(#[$doc:meta])* $name:ident, $longest:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The most bytes it may have.
            pub const MAX: usize = $longest;

            /// Takes a text of 1 to [`MAX`](Self::MAX) of the characters `A-Z a-z 0-9 . _ ~ -`.
            ///
            /// # Errors
            /// For any other text.
            pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidKey> {
                let text = text.as_ref();
                let fits = !text.is_empty() && text.len() <= $longest && text.bytes().all(is_allowed);
                if fits { Ok(Self(Arc::from(text))) } else { Err(InvalidKey(())) }
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), &*self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        // Sound: it is ordered, compared and hashed as its text is.
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<&str> for $name {
            type Error = InvalidKey;

            fn try_from(text: &str) -> Result<Self, InvalidKey> {
                Self::new(text)
            }
        }
    };
}

key_part! {
    /// What is committed together, and lives on one node of a cluster. Says nothing of whom it is about.
    Partition, 64
}
key_part! {
    /// What a record is called within its partition. Names are ordered byte by byte.
    Name, 128
}

impl Partition {
    /// A partition that nobody else has: 128 random bits as 22 characters.
    #[must_use]
    pub fn random() -> Self {
        // A prefix of 22 base64url characters carries 132 of the 256 bits.
        Self(Arc::from(&random_id()[..22]))
    }
}

fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'~' | b'-')
}

/// A text that is no [`Partition`] or [`Name`]: empty, too long, or with another character than they may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidKey(());

impl fmt::Display for InvalidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the text is empty, too long, or has a character that keys may not have")
    }
}

impl Error for InvalidKey {}
