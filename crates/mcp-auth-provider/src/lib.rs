//! The OAuth 2.1 authorization server of an MCP server.
