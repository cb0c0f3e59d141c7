//! The suite that every back end must pass, and what it needs.

pub mod servers;
