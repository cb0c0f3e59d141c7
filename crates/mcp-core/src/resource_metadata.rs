//! The metadata of a protected resource: what its authenticator adds, and the document (RFC 9728 §2).

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{Issuer, Scopes};

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
    /// Whatever else was said of the resource.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}
