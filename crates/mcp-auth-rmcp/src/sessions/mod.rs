//! The sessions of streamable HTTP, of which rmcp would hold as many as anybody opens.
//!
//! [`bounded`] stands before rmcp's service and says who asks, [`Sessions`] is the session manager that rmcp asks for a
//! session, [`Places`] counts, and each session's transport ([`Counted`](transport::Counted)) holds its place.

mod limits;
mod manager;
mod places;
mod service;
mod transport;

pub use limits::SessionLimits;
pub(crate) use manager::Sessions;
pub(crate) use places::Places;
pub(crate) use service::bounded;
