//! The example as a process: killed under load, and beside a copy of itself.

mod crash;
mod owner;
mod process;
mod tokens;
mod twins;
