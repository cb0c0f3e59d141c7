//! Every fixture the official conformance suite asks a server for.
fn main() {}
