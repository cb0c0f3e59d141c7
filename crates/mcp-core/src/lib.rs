//! Authentication for MCP servers: the Authenticator trait, protected resources, challenges, policy, guard and audit as tower layers.
