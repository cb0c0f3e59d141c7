//! The one door of an MCP server to other hosts: an HTTP client trait with an SSRF-safe adapter.
