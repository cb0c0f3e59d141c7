//! What all endpoints share.

use std::fmt;
use std::sync::Arc;

use mcp_core::audit::{Audit, AuditEvent, EventKind, Outcome};
use mcp_core::{Clock, Issuer, ProtectedResource, PublicUrl, Scopes, SiteContext, Timestamp};
use mcp_store::Vault;

use crate::browser::BrowserLimits;
use crate::client::Clients;
use crate::dpop::DpopChecks;
use crate::grant::KnownTokens;
use crate::idp::Idps;
use crate::keys::SigningKeys;
use crate::metrics;
use crate::pages::Pages;
use crate::resource_server::ResourceServer;
use crate::scope_info::ScopeCatalogue;
use crate::settings::{Lifetimes, Paths};
use crate::sign_in::SignIn;

/// A running authorization server.
pub(crate) struct Engine {
    pub(crate) url: PublicUrl,
    pub(crate) issuer: Issuer,
    /// Those of the site, and those elsewhere that tokens are issued for.
    pub(crate) resources: Vec<ProtectedResource>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) audit: Audit,
    pub(crate) vault: Vault,
    pub(crate) sign_in: Arc<dyn SignIn>,
    pub(crate) clients: Clients,
    pub(crate) dpop: DpopChecks,
    pub(crate) idps: Idps,
    pub(crate) pages: Pages,
    /// How many sign-ins each address may begin.
    pub(crate) browser: BrowserLimits,
    /// The site, which knows where requests come from.
    pub(crate) site: SiteContext,
    pub(crate) scopes: ScopeCatalogue,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) paths: Paths,
    /// The keys that sign access tokens, where these are JWTs.
    pub(crate) keys: Option<SigningKeys>,
    /// Who may introspect whose tokens.
    pub(crate) resource_servers: Vec<ResourceServer>,
    /// Access tokens that were looked up a moment ago.
    pub(crate) known: KnownTokens,
    /// Whether devices may ask by a code that their user types in elsewhere.
    pub(crate) device_grant: bool,
    /// Whether every authorization request has to be pushed.
    pub(crate) pushed_only: bool,
    /// Whether a refresh token needs the scope `offline_access`.
    pub(crate) offline_only: bool,
    /// Whether consent is not asked for. Dangerous.
    pub(crate) skip_consent: bool,
}

impl Engine {
    /// The present moment.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The resource that a `resource` parameter names, if it is one of ours (RFC 8707 §2).
    ///
    /// Scheme and host may be in upper case (AUTH-41), and the slash after a bare host may be there or not; every other
    /// difference is another resource.
    pub(crate) fn resource(&self, identifier: &str) -> Option<&ProtectedResource> {
        if let Some(resource) = self.resources.iter().find(|resource| resource.identifier() == identifier) {
            return Some(resource);
        }
        if identifier.contains('#') {
            return None;
        }
        let same = |resource: &&ProtectedResource| {
            let origin = resource.site().origin();
            let Some((head, path)) = identifier.split_at_checked(origin.len()) else { return false };
            let path = if path == "/" { "" } else { path };
            head.eq_ignore_ascii_case(origin) && resource.identifier().strip_prefix(origin) == Some(path)
        };
        self.resources.iter().find(same)
    }

    /// The resource meant by a request that names none: the first.
    pub(crate) fn default_resource(&self) -> Option<&ProtectedResource> {
        self.resources.first()
    }

    /// What can be granted at any of these resources.
    pub(crate) fn grantable(&self, resources: &[String]) -> Scopes {
        let named = resources.iter().filter_map(|identifier| self.resource(identifier));
        named.fold(Scopes::none(), |all, resource| all.union(&self.scopes.of(resource)))
    }

    /// A decision, to be recorded. It is counted here.
    pub(crate) fn event(&self, kind: &'static str, outcome: Outcome) -> AuditEvent {
        metrics::decided(kind, outcome);
        AuditEvent::new(self.now(), EventKind::Other(kind.to_owned()), outcome)
    }

    /// Records what was allowed, on the way of every token: where nobody listens, no event is made.
    pub(crate) fn record_allowed(&self, kind: &'static str, fill: impl FnOnce(AuditEvent) -> AuditEvent) {
        if self.audit.is_watched(Outcome::Allowed) {
            self.audit.record(fill(self.event(kind, Outcome::Allowed)));
        } else {
            metrics::decided(kind, Outcome::Allowed);
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}
