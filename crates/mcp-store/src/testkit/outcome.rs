//! What a check finds.

use std::fmt;

use mcp_core::ConfigError;
use tokio::task::JoinError;

use crate::{InvalidKey, StoreError};

/// How a promise was broken.
#[derive(Debug)]
pub struct Broken(String);

impl Broken {
    pub(super) fn new(how: impl Into<String>) -> Self {
        Self(how.into())
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Broken {}

macro_rules! from_error {
    ($($error:ty: $what:literal),*) => {$(
        impl From<$error> for Broken {
            fn from(error: $error) -> Self {
                Self(format!(concat!($what, ": {:?}"), error))
            }
        }
    )*};
}

from_error! {
    StoreError: "an operation failed that nothing stands in the way of",
    ConfigError: "the store does not start",
    JoinError: "the store panicked",
    InvalidKey: "a key of the suite is none"
}

pub(super) type Outcome = Result<(), Broken>;

/// Ends a check unless this holds.
macro_rules! ensure {
    ($holds:expr, $($how:tt)+) => {
        if !$holds {
            return Err($crate::testkit::outcome::Broken::new(format!($($how)+)));
        }
    };
}

pub(super) use ensure;
