//! The HTTP+SSE transport of MCP 2024-11-05 as an SDK-neutral tower service.
