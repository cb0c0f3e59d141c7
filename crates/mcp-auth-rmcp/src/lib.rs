#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod caller;

mod endpoint_policy;
mod endpoints;
mod error;
mod gathered;
mod guarded;
mod listen;
mod lists;
mod serve;
mod sessions;
mod shutdown;
mod signals;
mod transport;

pub use caller::{Caller, MaybeCaller};
pub use error::ServeError;
pub use guarded::Guarded;
pub use listen::{ListenLimits, Running};
pub use mcp_transport_sse::SseLimits;
pub use serve::{Serve, serve, serve_each};
pub use sessions::SessionLimits;
pub use shutdown::Shutdown;
