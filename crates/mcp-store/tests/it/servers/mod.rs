//! What the tests of the back ends with servers share.

mod load;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "postgres")]
mod postgres_lost;
mod processes;
mod proxy;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "redis")]
mod redis_cluster;
#[cfg(feature = "redis")]
mod redis_lost;
#[cfg(feature = "postgres")]
mod suite_postgres;
#[cfg(feature = "redis")]
mod suite_redis;

pub(crate) use load::Load;
pub(crate) use proxy::{Fate, Proxy};

/// For tests that are not about time, on machines that have other things to do.
const LONG: std::time::Duration = std::time::Duration::from_secs(10);
