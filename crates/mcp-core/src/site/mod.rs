//! The composition everybody uses: MCP endpoints behind an authenticator, with their metadata, under one public URL.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use mcp_core::{Body, BoxService, Connection, NoAuth, Site};
//! use tower_service::Service;
//!
//! let mcp = BoxService::from_fn(|_| async { http::Response::new(Body::from("hello")) });
//! let mut site = Site::new("http://127.0.0.1:8000").resource("/mcp", mcp).auth(NoAuth::new()).build().await?;
//!
//! let mut request = http::Request::post("/mcp").header("host", "127.0.0.1:8000").body(Body::empty())?;
//! request.extensions_mut().insert(Connection::new("127.0.0.1:4711".parse()?));
//! assert_eq!(site.call(request).await?.status(), 200);
//!
//! // A name that a foreign page made point here (DNS rebinding).
//! let rebound = http::Request::post("/mcp").header("host", "evil.test").body(Body::empty())?;
//! assert_eq!(site.call(rebound).await?.status(), 421);
//! # Ok(())
//! # }
//! ```

mod builder;
mod endpoint;
mod metadata;
mod service;
mod table;

use std::fmt;
use std::sync::Arc;

use http::Method;

pub use builder::SiteBuilder;
pub use endpoint::Endpoint;

use crate::guard::Guard;
use crate::stream::Streams;
use crate::{Access, Clock, Policy, ProtectedResource, PublicUrl, audit::Audit};

use table::{Table, Target};

/// A server: one public URL, its MCP endpoints, and everything before them. A tower service, cheap to clone.
#[derive(Clone)]
pub struct Site(Arc<Shared>);

struct Shared {
    url: PublicUrl,
    guard: Guard,
    table: Table,
    routes: Vec<RouteInfo>,
    resources: Vec<ProtectedResource>,
    streams: Arc<Streams>,
    clock: Arc<dyn Clock>,
    audit: Audit,
}

/// What a site answers to, for operators and tests.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RouteInfo {
    /// The path, counted from the root of the host.
    pub path: String,
    /// The methods; empty where the service behind decides.
    pub methods: Vec<Method>,
    /// Who may come.
    pub access: Access,
}

impl Site {
    /// Starts a site under its public URL: the one clients use, said once, never read from a request.
    #[expect(clippy::new_ret_no_self, reason = "a site exists only once its set-up was checked")]
    pub fn new(public_url: impl Into<String>) -> SiteBuilder {
        SiteBuilder::new(public_url.into())
    }

    /// The public URL.
    #[must_use]
    pub fn url(&self) -> &PublicUrl {
        &self.0.url
    }

    /// Everything this site answers to. What is not here is 404; what is not [`Access::Protected`] needs no token.
    #[must_use]
    pub fn routes(&self) -> &[RouteInfo] {
        &self.0.routes
    }

    /// The protected resources, in the order they were declared.
    #[must_use]
    pub fn resources(&self) -> &[ProtectedResource] {
        &self.0.resources
    }

    /// The policy that decides at the endpoint with this path below the site, everything said about it considered: what
    /// lists have to be filtered by ([`Policy::visible`]) that shall agree with the gate. `None` where no endpoint is.
    #[must_use]
    pub fn policy_at(&self, path: &str) -> Option<&Policy> {
        let path = format!("{}{}", self.0.url.path(), path.trim_end_matches('/'));
        match self.0.table.find(if path.is_empty() { "/" } else { &path }) {
            Some(Target::Protected { gate, .. }) => Some(&gate.policy),
            _ => None,
        }
    }

    /// How many watched streams are open.
    #[must_use]
    pub fn open_streams(&self) -> usize {
        self.0.streams.count()
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site")
            .field("url", &self.0.url)
            .field("routes", &self.0.routes)
            .finish_non_exhaustive()
    }
}
