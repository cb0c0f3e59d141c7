//! The policy of an endpoint, as the site understands it.

use std::io;
use std::sync::{Arc, OnceLock};

use mcp_core::{Policy, Site};
use rmcp::ServerHandler;

use crate::guarded::Guarded;

/// The policy by which the lists of an endpoint are filtered: the very one its gate decides by.
///
/// Much can be said about policies (for the server, for an endpoint, through the site's builder), and what counts is known
/// when the site has been built. Services are made before, so they get this and learn the policy later.
#[derive(Clone, Debug)]
pub(crate) struct EndpointPolicy {
    path: Arc<str>,
    known: Arc<OnceLock<Policy>>,
}

impl EndpointPolicy {
    /// That of the endpoint at this path below the site.
    pub(crate) fn at(path: &str) -> Self {
        Self { path: path.into(), known: Arc::default() }
    }

    /// Asks the site.
    pub(crate) fn learn(&self, site: &Site) {
        if let Some(policy) = site.policy_at(&self.path) {
            self.known.get_or_init(|| policy.clone());
        }
    }

    /// Puts the policy around a handler.
    ///
    /// # Errors
    /// Before the policy is known: a handler that shows everything would be an open door.
    pub(crate) fn guard<H: ServerHandler>(&self, handler: H) -> io::Result<Guarded<H>> {
        match self.known.get() {
            Some(policy) => Ok(Guarded::new(handler, policy.clone())),
            None => Err(io::Error::other("the policy of the endpoint is not known yet")),
        }
    }
}
