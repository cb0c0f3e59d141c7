//! Who may ask what a token is worth (RFC 7662).
//!
//! ```
//! use mcp_auth_provider::ResourceServer;
//!
//! let notes = ResourceServer::new("notes-server").resource("https://mcp.example.com/notes");
//! assert!(notes.may_ask("notes-server", "https://mcp.example.com/notes"));
//! assert!(!notes.may_ask("notes-server", "https://mcp.example.com/mail"));
//! ```

use mcp_core::{ConfigError, ProtectedResource};

use crate::OAuthProvider;

/// A server elsewhere that takes the tokens of this one and asks about them.
///
/// It is a client as any other, and must have a way to prove itself. It is told of the tokens for its own resources and of
/// no other: a resource server that could ask about each token could try out those it was never meant to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceServer {
    client: String,
    resources: Vec<String>,
}

impl ResourceServer {
    /// The resource server that is the client of this name.
    pub fn new(client_id: impl Into<String>) -> Self {
        Self { client: client_id.into(), resources: Vec::new() }
    }

    /// A resource whose tokens it may ask about, by its identifier (the `aud` of the tokens).
    #[must_use]
    pub fn resource(mut self, identifier: impl Into<String>) -> Self {
        self.resources.push(identifier.into());
        self
    }

    /// Whether this client may ask about tokens for this resource.
    #[must_use]
    pub fn may_ask(&self, client: &str, resource: &str) -> bool {
        self.client == client && self.resources.iter().any(|own| own == resource)
    }

    /// Whether all of it means something at a server with these resources.
    pub(crate) fn check(&self, resources: &[ProtectedResource]) -> Result<(), ConfigError> {
        let Self { client, .. } = self;
        if self.resources.is_empty() {
            return Err(ConfigError::new(format!(
                "the resource server {client:?} may ask about nothing: add .resource(\"https://…\") for each of its resources"
            )));
        }
        for own in &self.resources {
            if !resources.iter().any(|resource| resource.identifier() == own) {
                return Err(ConfigError::new(format!(
                    "the resource server {client:?} has the resource {own:?}, which no token here is for: write the \
                     identifier of a resource of this site, byte for byte"
                )));
            }
        }
        Ok(())
    }
}

impl OAuthProvider {
    /// Lets a resource server elsewhere introspect the tokens for its resources.
    #[must_use]
    pub fn resource_server(self, server: ResourceServer) -> Self {
        self.with_resource_server(server)
    }
}

#[cfg(test)]
mod tests {
    use mcp_core::PublicUrl;

    use super::*;

    #[test]
    fn what_means_nothing_here_is_said_at_start() {
        let url: PublicUrl = "https://mcp.test".parse().unwrap();
        let resources = [ProtectedResource::new(&url, "/mcp")];
        assert!(ResourceServer::new("rs").resource("https://mcp.test/mcp").check(&resources).is_ok());
        let nothing = ResourceServer::new("rs").check(&resources).unwrap_err();
        assert!(nothing.to_string().contains("may ask about nothing"));
        let other =
            ResourceServer::new("rs").resource("https://mcp.test/mcp/").check(&resources).unwrap_err();
        assert!(other.to_string().contains("byte for byte"));
    }
}
