//! What scopes there are, and what they mean to people.
//!
//! ```
//! use mcp_auth_provider::ScopeInfo;
//!
//! let write = ScopeInfo::new("notes:write")?.describe("Change and delete your notes").at("/mcp");
//! assert_eq!(write.scope().as_str(), "notes:write");
//! # Ok::<(), mcp_core::ConfigError>(())
//! ```

use mcp_core::{ConfigError, ProtectedResource, Scope, Scopes};

/// A scope that can be granted: its name, what it means, and where it means something.
#[derive(Clone, Debug)]
pub struct ScopeInfo {
    scope: Scope,
    description: Option<String>,
    paths: Vec<String>,
    upstream: Option<Vec<String>>,
}

impl ScopeInfo {
    /// A scope of this name (RFC 6749 §3.3).
    ///
    /// # Errors
    /// When the name has a character that scopes may not have.
    pub fn new(name: &str) -> Result<Self, ConfigError> {
        Ok(Self { scope: Scope::parse(name)?, description: None, paths: Vec::new(), upstream: None })
    }

    /// Says to the person who is asked for consent what it allows.
    #[must_use]
    pub fn describe(mut self, text: impl Into<String>) -> Self {
        self.description = Some(text.into());
        self
    }

    /// Limits it to the resource at this path, or with this identifier if it is [elsewhere](crate::OAuthProvider::resource_elsewhere)
    /// (and others named likewise). Without, it is for all.
    #[must_use]
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.paths.push(path.into());
        self
    }

    /// Names what it means at the identity provider that signs users in, where there is one. Without, the same name.
    #[must_use]
    pub fn upstream<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.upstream = Some(scopes.into_iter().map(Into::into).collect());
        self
    }

    /// The scope.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// What it allows, in words.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// What it means at the identity provider; `None` for the same name.
    #[must_use]
    pub fn upstream_scopes(&self) -> Option<&[String]> {
        self.upstream.as_deref()
    }

    fn is_for(&self, resource: &ProtectedResource) -> bool {
        self.paths.is_empty()
            || self.paths.iter().any(|path| {
                let path = path.trim_end_matches('/');
                resource.path() == path || resource.identifier() == path
            })
    }
}

/// All scopes of a server.
#[derive(Clone, Debug, Default)]
pub(crate) struct ScopeCatalogue(Vec<ScopeInfo>);

impl ScopeCatalogue {
    pub(crate) fn add(&mut self, info: ScopeInfo) {
        match self.0.iter_mut().find(|own| own.scope == info.scope) {
            Some(own) => *own = info,
            None => self.0.push(info),
        }
    }

    /// What can be granted at a resource.
    pub(crate) fn of(&self, resource: &ProtectedResource) -> Scopes {
        self.0
            .iter()
            .filter(|info| info.is_for(resource))
            .fold(resource.scopes().clone(), |all, info| all.union(&Scopes::from(info.scope.clone())))
    }

    /// What is known of a scope.
    pub(crate) fn info(&self, scope: &Scope) -> Option<&ScopeInfo> {
        self.0.iter().find(|info| info.scope == *scope)
    }
}
