//! Integration tests of the crate, one binary.

mod limits;
mod request_state;
