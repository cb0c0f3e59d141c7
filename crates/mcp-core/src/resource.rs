//! A protected resource: one MCP endpoint with its identifier, its metadata document and its audience (RFC 9728).

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};
use url::Url;

use crate::{Audience, ConfigError, ProtectedResourceMetadata, PublicUrl, ResourceMetadata, Scopes};

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
    more: Map<String, Value>,
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
            more: Map::new(),
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

    /// A page that says what clients may do with the data (`resource_policy_uri`).
    #[must_use]
    pub fn usage_policy_at(self, url: impl Into<String>) -> Self {
        self.metadata("resource_policy_uri", url.into())
    }

    /// A page with the terms of service (`resource_tos_uri`).
    #[must_use]
    pub fn terms_at(self, url: impl Into<String>) -> Self {
        self.metadata("resource_tos_uri", url.into())
    }

    /// Any other member of the metadata (RFC 9728 §2): `jwks_uri`, `signed_metadata`, `resource_name#de`. Members that
    /// follow from the set-up, such as `authorization_servers`, cannot be set, and an empty array is left out (§3.2).
    #[must_use]
    pub fn metadata(self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.change(|facts| {
            facts.more.insert(name.into(), value.into());
        })
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
            more: self
                .more()
                .filter(|(name, _)| !is_given(name))
                .map(|(name, value)| (name.to_owned(), value.clone()))
                .collect(),
        }
    }

    /// What was said by [`metadata`](Self::metadata), without empty arrays.
    fn more(&self) -> impl Iterator<Item = (&str, &Value)> {
        let empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
        self.0.more.iter().filter(move |(_, value)| !empty(value)).map(|(name, value)| (name.as_str(), value))
    }

    /// Checks what was said for the metadata.
    ///
    /// # Errors
    /// When a member follows from the set-up, or is an address that clients must not be sent to (spec SEC-07).
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let documentation = self.0.documentation.as_deref().map(|url| ("resource_documentation", url));
        let pages = self.more().filter_map(|(name, value)| Some((name, value.as_str()?)));
        for (name, url) in pages.chain(documentation) {
            let is_address = ADDRESSES.contains(&name.split('#').next().unwrap_or(name));
            if is_address && !is_safe(url) {
                return Err(ConfigError::new(format!(
                    "the {name} of {self:?}, {url:?}, is not an https URL: clients would send people there"
                )));
            }
        }
        match self.more().find(|(name, _)| is_given(name)) {
            None => Ok(()),
            Some((name, _)) => Err(ConfigError::new(format!(
                "the metadata member {name:?} follows from the set-up: take it out of metadata()"
            ))),
        }
    }
}

impl fmt::Debug for ProtectedResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProtectedResource({})", self.identifier())
    }
}

/// Whether the server says this member itself.
fn is_given(name: &str) -> bool {
    const GIVEN: [&str; 8] = [
        "resource",
        "authorization_servers",
        "scopes_supported",
        "bearer_methods_supported",
        "resource_name",
        "resource_documentation",
        "dpop_signing_alg_values_supported",
        "dpop_bound_access_tokens_required",
    ];
    GIVEN.contains(&name)
}

/// Whether clients may be sent there: by https, or on this machine (spec AUTH-55, SEC-07).
pub(crate) fn is_safe(url: &str) -> bool {
    Url::parse(url).is_ok_and(|parsed| match parsed.scheme() {
        "https" => true,
        "http" => PublicUrl::parse(url).is_ok_and(|url| url.is_loopback()),
        _ => false,
    })
}

fn strings(scopes: &Scopes) -> Vec<String> {
    scopes.iter().map(ToString::to_string).collect()
}

/// Members with the address of a page or of keys.
const ADDRESSES: [&str; 4] =
    ["resource_documentation", "resource_policy_uri", "resource_tos_uri", "jwks_uri"];

/// The well-known suffix of RFC 9728 §3.1; MCP defines none of its own (spec AUTH-48).
pub(crate) const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";
