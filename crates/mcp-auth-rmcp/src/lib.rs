//! Authentication for servers built on rmcp, the official Rust SDK of the Model Context Protocol.
