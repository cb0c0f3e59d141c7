//! An open MCP server on loopback, over streamable HTTP and SSE.
fn main() {}
