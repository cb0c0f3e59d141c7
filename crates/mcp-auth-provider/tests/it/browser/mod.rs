//! What happens in a user's browser.

pub(crate) mod agent;
mod authorize;
mod consent;
mod flow;
pub(crate) mod form;
mod outage;
mod owner;
mod pages;
mod proxy;
mod races;
mod remembered;
pub(crate) mod scripted;
mod sessions;
pub(crate) mod world;
