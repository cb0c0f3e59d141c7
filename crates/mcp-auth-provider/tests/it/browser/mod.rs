//! What happens in a user's browser.

mod agent;
mod authorize;
mod consent;
mod flow;
mod form;
mod outage;
mod owner;
mod pages;
mod proxy;
mod races;
mod remembered;
mod scripted;
mod sessions;
mod world;
