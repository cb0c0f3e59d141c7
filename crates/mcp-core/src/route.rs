//! Routes that are not MCP endpoints: metadata documents, and what an authenticator brings.

use std::fmt;

use http::Method;

use crate::BoxService;

/// Who may reach a route without a token, and from where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Access {
    /// Everybody, and scripts of any web page: documents without secrets (metadata, key sets).
    Public,
    /// People with a browser: pages and forms. No cross-origin access; form posts must come from our own pages.
    Browser,
    /// OAuth clients, which prove themselves in the request: token, revocation, registration. Scripts of any web page
    /// may call, because nothing a browser adds by itself (cookies) counts here.
    Client,
    /// Callers with a token: an MCP endpoint. Only [`SiteBuilder::resource`](crate::SiteBuilder::resource) makes such a
    /// route; a site refuses any other that says so.
    Protected,
}

/// A route of a site: path, methods, who may come, and the service that answers.
///
/// ```
/// use http::Method;
/// use mcp_core::{Access, Body, BoxService, Route};
///
/// let keys = BoxService::from_fn(|_| async { http::Response::new(Body::from("{\"keys\":[]}")) });
/// let route = Route::new("/jwks", [Method::GET], Access::Public, keys);
/// assert_eq!(route.path(), "/jwks");
/// ```
#[derive(Clone)]
pub struct Route {
    path: String,
    methods: Vec<Method>,
    access: Access,
    service: BoxService,
    at_origin: bool,
}

impl Route {
    /// A route below the site's public URL. The path is matched exactly.
    pub fn new(
        path: impl Into<String>,
        methods: impl IntoIterator<Item = Method>,
        access: Access,
        service: BoxService,
    ) -> Self {
        Self { path: path.into(), methods: methods.into_iter().collect(), access, service, at_origin: false }
    }

    /// Counts the path from the root of the host instead, for well-known documents of a site with a path.
    #[must_use]
    pub fn at_origin(mut self) -> Self {
        self.at_origin = true;
        self
    }

    /// The path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The methods it answers; every other gets 405 with `Allow`. `GET` includes `HEAD`.
    #[must_use]
    pub fn methods(&self) -> &[Method] {
        &self.methods
    }

    /// Who may come.
    #[must_use]
    pub fn access(&self) -> Access {
        self.access
    }

    /// Whether the path is counted from the root of the host.
    #[must_use]
    pub fn is_at_origin(&self) -> bool {
        self.at_origin
    }

    /// The service that answers.
    #[must_use]
    pub fn service(&self) -> &BoxService {
        &self.service
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("path", &self.path)
            .field("methods", &self.methods)
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}
