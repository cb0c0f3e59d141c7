//! Resource servers elsewhere: what tokens there are for them, and who may ask what one is worth (RFC 7662).
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
/// It is a client as any other, and must have a way to prove itself. Give it no [grants](crate::PreRegistered::grants) if it is
/// not to get tokens itself. It is told of the tokens for its own resources and of
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
                     identifier of a resource, byte for byte, and name it by resource_elsewhere() if it is not of this site"
                )));
            }
        }
        Ok(())
    }
}

impl OAuthProvider {
    /// Issues tokens for a resource of another site too. That site names this one as its authorization server and checks the
    /// tokens by [the published keys](Self::jwt_access_tokens) or by [introspection](Self::resource_server).
    ///
    /// ```
    /// # use mcp_auth_provider::{async_trait, BrowserRequest, SignIn, SignInRoute, SignInState, Step};
    /// # #[derive(Debug)] struct MySignIn;
    /// # #[async_trait] impl SignIn for MySignIn {
    /// #     fn routes(&self) -> Vec<SignInRoute> { Vec::new() }
    /// #     async fn step(&self, _: &mut SignInState, _: BrowserRequest) -> Step { Step::Unavailable }
    /// # }
    /// use mcp_auth_provider::{OAuthProvider, ResourceServer};
    /// use mcp_core::ProtectedResource;
    ///
    /// let mail = ProtectedResource::new(&"https://mail.example.com".parse()?, "/mcp");
    /// let provider = OAuthProvider::new(MySignIn)
    ///     .resource_server(ResourceServer::new("mail-server").resource(mail.identifier()))
    ///     .resource_elsewhere(mail);
    /// # drop(provider);
    /// # Ok::<(), mcp_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn resource_elsewhere(self, resource: ProtectedResource) -> Self {
        self.with_resource_elsewhere(resource)
    }

    /// Lets a resource server elsewhere introspect the tokens for its resources.
    #[must_use]
    pub fn resource_server(self, server: ResourceServer) -> Self {
        self.with_resource_server(server)
    }
}

/// The resources of the site, first, and those elsewhere.
pub(crate) fn all_resources(
    here: &[ProtectedResource],
    elsewhere: &[ProtectedResource],
) -> Result<Vec<ProtectedResource>, ConfigError> {
    let mut all = here.to_vec();
    for resource in elsewhere {
        if all.iter().any(|other| other.identifier() == resource.identifier()) {
            return Err(ConfigError::new(format!(
                "{} is named by resource_elsewhere() and is a resource already: take it out",
                resource.identifier()
            )));
        }
        all.push(resource.clone());
    }
    Ok(all)
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

        let elsewhere = [ProtectedResource::new(&"https://other.test".parse().unwrap(), "/mcp")];
        assert_eq!(all_resources(&resources, &elsewhere).unwrap().len(), 2);
        assert!(all_resources(&resources, &resources).is_err());
    }
}
