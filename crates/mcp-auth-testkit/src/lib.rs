//! A token authority, a fake clock and a scripted client for testing MCP servers with authentication.
