//! An MCP endpoint of a site, as an operator describes it.

use crate::policy::Policy;
use crate::{ProtectedResource, PublicUrl, Scopes};

/// An MCP endpoint: a path, and what its metadata and its policy say beyond the site's.
///
/// ```
/// use mcp_core::Endpoint;
///
/// let plain: Endpoint = "/mcp".into();
/// let described = Endpoint::at("/admin").named("Administration").basic_scopes("admin");
/// assert_ne!(plain.path(), described.path());
/// ```
#[derive(Clone, Debug)]
pub struct Endpoint {
    path: String,
    name: Option<String>,
    documentation: Option<String>,
    scopes: Scopes,
    policy: Option<Policy>,
}

impl Endpoint {
    /// The endpoint at a path below the site. `/` is the site itself.
    pub fn at(path: impl Into<String>) -> Self {
        Self { path: path.into(), name: None, documentation: None, scopes: Scopes::none(), policy: None }
    }

    /// A name for people.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// A page for people.
    #[must_use]
    pub fn documented_at(mut self, url: impl Into<String>) -> Self {
        self.documentation = Some(url.into());
        self
    }

    /// The scopes a client should ask for at first.
    #[must_use]
    pub fn basic_scopes(mut self, scopes: impl Into<Scopes>) -> Self {
        self.scopes = scopes.into();
        self
    }

    /// A policy for this endpoint in place of the site's.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// The path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn own_policy(&self) -> Option<&Policy> {
        self.policy.as_ref()
    }

    pub(crate) fn resource(&self, site: &PublicUrl) -> ProtectedResource {
        let mut resource = ProtectedResource::new(site, &self.path).basic_scopes(self.scopes.clone());
        if let Some(name) = &self.name {
            resource = resource.named(name);
        }
        if let Some(url) = &self.documentation {
            resource = resource.documented_at(url);
        }
        resource
    }
}

impl From<String> for Endpoint {
    fn from(path: String) -> Self {
        Self::at(path)
    }
}

impl From<&str> for Endpoint {
    fn from(path: &str) -> Self {
        Self::at(path)
    }
}
