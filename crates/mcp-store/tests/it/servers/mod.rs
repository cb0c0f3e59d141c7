//! What the tests of the back ends with servers share.

#[cfg(feature = "postgres")]
mod postgres;
mod proxy;
#[cfg(feature = "redis")]
mod redis;

pub(crate) use proxy::{Fate, Proxy};
