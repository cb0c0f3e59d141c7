//! An MCP endpoint of a site, as an operator describes it.

use serde_json::{Map, Value};

use crate::policy::{ChallengeForm, Policy};
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
    metadata: Map<String, Value>,
    scopes: Scopes,
    policy: Option<Policy>,
    challenge_form: Option<ChallengeForm>,
}

impl Endpoint {
    /// The endpoint at a path below the site. `/` is the site itself.
    pub fn at(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            name: None,
            documentation: None,
            metadata: Map::new(),
            scopes: Scopes::none(),
            policy: None,
            challenge_form: None,
        }
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

    /// A page that says what clients may do with the data.
    #[must_use]
    pub fn usage_policy_at(self, url: impl Into<String>) -> Self {
        self.metadata("resource_policy_uri", url.into())
    }

    /// A page with the terms of service.
    #[must_use]
    pub fn terms_at(self, url: impl Into<String>) -> Self {
        self.metadata("resource_tos_uri", url.into())
    }

    /// Any other member of the resource's metadata, see [`ProtectedResource::metadata`].
    #[must_use]
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.metadata.insert(name.into(), value.into());
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

    /// How callers are told to sign in here, whatever the policy says: for endpoints whose answers are not read from the
    /// response to a POST, such as those of HTTP+SSE.
    #[must_use]
    pub fn challenge_form(mut self, form: ChallengeForm) -> Self {
        self.challenge_form = Some(form);
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

    pub(crate) fn own_challenge_form(&self) -> Option<ChallengeForm> {
        self.challenge_form
    }

    pub(crate) fn resource(&self, site: &PublicUrl) -> ProtectedResource {
        let mut resource = ProtectedResource::new(site, &self.path).basic_scopes(self.scopes.clone());
        if let Some(name) = &self.name {
            resource = resource.named(name);
        }
        if let Some(url) = &self.documentation {
            resource = resource.documented_at(url);
        }
        for (name, value) in &self.metadata {
            resource = resource.metadata(name, value.clone());
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
