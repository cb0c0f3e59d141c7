//! What the tests of the back ends with servers share.

mod load;
#[cfg(feature = "postgres")]
mod postgres;
mod processes;
mod proxy;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "postgres")]
mod suite_postgres;
#[cfg(feature = "redis")]
mod suite_redis;

pub(crate) use load::Load;
pub(crate) use proxy::{Fate, Proxy};
