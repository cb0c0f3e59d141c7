//! An MCP server that accepts tokens of any issuer.
fn main() {}
