//! What happens in a user's browser.

mod agent;
mod flow;
mod form;
mod scripted;
mod world;
