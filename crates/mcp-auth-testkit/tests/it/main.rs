//! The test kit, tested by what it is made for.

mod authority;
mod client;
mod clock;
