//! A protected resource: one MCP endpoint with its identifier, its metadata document and its audience (RFC 9728).

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::{Audience, Issuer, PublicUrl, Scopes};

/// One MCP endpoint, as tokens and metadata name it.
///
/// ```
/// use mcp_core::{ProtectedResource, PublicUrl};
///
/// let site: PublicUrl = "https://mcp.example.com/tools".parse()?;
/// let resource = ProtectedResource::new(&site, "/mcp");
/// assert_eq!(resource.identifier(), "https://mcp.example.com/tools/mcp");
/// // Under the server's own path, because that is what a proxy forwards for certain …
/// assert_eq!(
///     resource.metadata_url(),
///     "https://mcp.example.com/tools/.well-known/oauth-protected-resource/mcp"
/// );
/// // … and where RFC 9728 §3.1 has clients look when nobody tells them.
/// assert_eq!(resource.well_known_path(), "/.well-known/oauth-protected-resource/tools/mcp");
/// # Ok::<(), mcp_core::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct ProtectedResource(Arc<Facts>);

#[derive(Clone)]
struct Facts {
    site: PublicUrl,
    path: String,
    audience: Audience,
    metadata_url: String,
    name: Option<String>,
    documentation: Option<String>,
    scopes: Scopes,
}

impl ProtectedResource {
    /// The resource at a path of a site. The path starts with a slash; `/` is the site itself.
    #[must_use]
    pub fn new(site: &PublicUrl, path: &str) -> Self {
        let path = path.trim_end_matches('/');
        Self(Arc::new(Facts {
            audience: Audience::new(site.join(path)),
            metadata_url: format!("{}{WELL_KNOWN}{path}", site.as_str()),
            path: path.to_owned(),
            site: site.clone(),
            name: None,
            documentation: None,
            scopes: Scopes::none(),
        }))
    }

    /// A name for people (`resource_name`).
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        self.change(|facts| facts.name = Some(name.into()))
    }

    /// A page for people (`resource_documentation`).
    #[must_use]
    pub fn documented_at(self, url: impl Into<String>) -> Self {
        self.change(|facts| facts.documentation = Some(url.into()))
    }

    /// The scopes for basic use: what a client should ask for at first, not all there are (spec AUTH-23).
    #[must_use]
    pub fn basic_scopes(self, scopes: impl Into<Scopes>) -> Self {
        let scopes = scopes.into().for_challenge();
        self.change(|facts| facts.scopes = scopes)
    }

    fn change(self, with: impl FnOnce(&mut Facts)) -> Self {
        let mut facts = Arc::unwrap_or_clone(self.0);
        with(&mut facts);
        Self(Arc::new(facts))
    }

    /// The resource identifier (RFC 9728 §1.2): its URL.
    #[must_use]
    pub fn identifier(&self) -> &str {
        self.0.audience.as_str()
    }

    /// The audience a token for this resource carries: its identifier (RFC 8707 §2).
    #[must_use]
    pub fn audience(&self) -> &Audience {
        &self.0.audience
    }

    /// The site it belongs to.
    #[must_use]
    pub fn site(&self) -> &PublicUrl {
        &self.0.site
    }

    /// Its path below the site, empty for the site itself.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// The URL challenges point to.
    #[must_use]
    pub fn metadata_url(&self) -> &str {
        &self.0.metadata_url
    }

    /// The path of the metadata document by RFC 9728 §3.1, counted from the root of the host.
    #[must_use]
    pub fn well_known_path(&self) -> String {
        format!("{WELL_KNOWN}{}{}", self.0.site.path(), self.0.path)
    }

    /// The scopes for basic use.
    #[must_use]
    pub fn scopes(&self) -> &Scopes {
        &self.0.scopes
    }

    /// The metadata document (RFC 9728 §2), from what the resource and its authenticator know.
    #[must_use]
    pub fn document(&self, metadata: &ResourceMetadata) -> ProtectedResourceMetadata {
        ProtectedResourceMetadata {
            resource: self.identifier().to_owned(),
            authorization_servers: metadata
                .authorization_servers
                .iter()
                .map(|i| i.as_str().to_owned())
                .collect(),
            scopes_supported: strings(&self.0.scopes.union(&metadata.scopes).for_challenge()),
            bearer_methods_supported: vec!["header"],
            resource_name: self.0.name.clone(),
            resource_documentation: self.0.documentation.clone(),
            dpop_signing_alg_values_supported: metadata.dpop_algorithms.clone(),
            dpop_bound_access_tokens_required: metadata.dpop_required.then_some(true),
        }
    }
}

impl fmt::Debug for ProtectedResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProtectedResource({})", self.identifier())
    }
}

fn strings(scopes: &Scopes) -> Vec<String> {
    scopes.iter().map(ToString::to_string).collect()
}

/// What an authenticator says of a resource: where tokens come from and what they look like.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ResourceMetadata {
    /// The issuers a client can get a token from. Empty where nobody issues any (API keys, no authentication).
    pub authorization_servers: Vec<Issuer>,
    /// Scopes for basic use beside those of the resource.
    pub scopes: Scopes,
    /// The algorithms DPoP proofs may be signed with (RFC 9449 §5.1); empty where DPoP is not spoken.
    pub dpop_algorithms: Vec<String>,
    /// Whether only DPoP-bound tokens are accepted.
    pub dpop_required: bool,
    /// Whether the resource is open: no metadata document is served, since there is nothing to get a token from.
    pub open: bool,
}

impl ResourceMetadata {
    /// Tokens come from these issuers.
    pub fn issued_by(issuers: impl IntoIterator<Item = Issuer>) -> Self {
        Self { authorization_servers: issuers.into_iter().collect(), ..Self::default() }
    }

    /// Nobody is asked for a token.
    #[must_use]
    pub fn open() -> Self {
        Self { open: true, ..Self::default() }
    }

    /// What a composition says: tokens of either kind are taken.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        for issuer in other.authorization_servers {
            if !self.authorization_servers.contains(&issuer) {
                self.authorization_servers.push(issuer);
            }
        }
        for algorithm in other.dpop_algorithms {
            if !self.dpop_algorithms.contains(&algorithm) {
                self.dpop_algorithms.push(algorithm);
            }
        }
        self.scopes = self.scopes.union(&other.scopes);
        self.dpop_required &= other.dpop_required;
        self.open |= other.open;
        self
    }
}

/// The document of RFC 9728 §2, as it goes over the wire: empty members are left out (§3.2).
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ProtectedResourceMetadata {
    /// The resource identifier, identical to the URL clients use (§3.3).
    pub resource: String,
    /// Issuer identifiers of the authorization servers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub authorization_servers: Vec<String>,
    /// Scopes for basic use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes_supported: Vec<String>,
    /// How a bearer token may be presented: in the header and nowhere else.
    pub bearer_methods_supported: Vec<&'static str>,
    /// A name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_name: Option<String>,
    /// A page for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_documentation: Option<String>,
    /// Algorithms of DPoP proofs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dpop_signing_alg_values_supported: Vec<String>,
    /// Whether only DPoP-bound tokens are accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dpop_bound_access_tokens_required: Option<bool>,
}

/// The well-known suffix of RFC 9728 §3.1; MCP defines none of its own (spec AUTH-48).
pub(crate) const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";
