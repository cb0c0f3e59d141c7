//! The project's chores, as `cargo xtask VERB`.
//!
//! `test` is the one test command; every other verb is a part of it or a measurement. The code uses
//! nothing but the standard library, an argument parser and JSON, so that it is compiled in seconds.
#![expect(clippy::print_stdout, reason = "a chore talks to the person who started it")]

mod conformance;
mod e2e;
mod options;
mod outcome;
mod shell;

fn main() {}
