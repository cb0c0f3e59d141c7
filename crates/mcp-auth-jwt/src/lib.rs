//! Token validation for MCP servers: JWTs from any issuer, introspection, API keys, DPoP.
