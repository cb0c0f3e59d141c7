//! What the benches of whole servers share.

pub(crate) mod child;
pub(crate) mod tools;
pub(crate) mod wire;
