//! Clients that the operator wrote down.
//!
//! ```
//! use mcp_auth_provider::{GrantType, PreRegistered};
//!
//! let desktop = PreRegistered::public("desktop").name("Notes Desktop").redirect_uri("http://127.0.0.1/callback");
//! let job = PreRegistered::with_secret("nightly-report", "q3Yc0Zs6m1F8uKb2Tn9wXr5vJd7hLp4e")?
//!     .grants([GrantType::ClientCredentials])
//!     .scopes("notes:read")
//!     .resource("https://mcp.example.com/mcp");
//! assert!(PreRegistered::with_secret("job", "password").is_err());
//! # let _ = (desktop, job);
//! # Ok::<(), mcp_core::ConfigError>(())
//! ```

use std::fmt;

use mcp_core::{ClientId, ConfigError, Scopes, SecretKey, SiteContext, Timestamp};
use serde_json::{Map, Value, json};

use super::metadata::{Metadata, Method, Rules};
use super::stored::hash;
use super::{Client, ClientAuthentication, ClientOrigin, GrantType};

/// A client that the operator names beforehand: trusted with what no stranger may have, such as tokens without a user.
///
/// Unless said otherwise it may use the authorization code and refresh tokens if it has a redirect URI, and client credentials
/// if it has none; it may be granted every scope, at every resource.
#[derive(Clone)]
#[must_use]
pub struct PreRegistered {
    id: String,
    pub(super) secret: Option<Vec<u8>>,
    /// In the words of RFC 7591 §2.
    pub(super) members: Map<String, Value>,
    pub(super) resources: Option<Vec<String>>,
}

impl PreRegistered {
    pub(super) fn new(id: String) -> Self {
        Self { id, secret: None, members: Map::new(), resources: None }
    }

    /// A client without a way to prove itself: an application on its users' machines, or in their browsers.
    pub fn public(id: impl Into<String>) -> Self {
        Self::new(id.into()).member("token_endpoint_auth_method", "none")
    }

    /// A client that proves itself by this secret, in HTTP Basic (`client_secret_basic`). Only its hash is kept.
    ///
    /// # Errors
    /// When it is too short or too well known to be a secret: see [`SecretKey::new`].
    pub fn with_secret(id: impl Into<String>, secret: impl AsRef<str>) -> Result<Self, ConfigError> {
        let mut client = Self::new(id.into());
        client.set_secret(secret.as_ref())?;
        Ok(client.member("token_endpoint_auth_method", "client_secret_basic"))
    }

    /// A client that proves itself by assertions signed with one of these keys (`private_key_jwt`): a JWK set (RFC 7517 §5)
    /// with public keys only.
    pub fn with_keys(id: impl Into<String>, jwks: Value) -> Self {
        Self::new(id.into()).member("token_endpoint_auth_method", "private_key_jwt").member("jwks", jwks)
    }

    /// The same with keys at a URL. Needs the feature `fetch`.
    pub fn with_keys_at(id: impl Into<String>, jwks_uri: impl Into<String>) -> Self {
        let method = Self::new(id.into()).member("token_endpoint_auth_method", "private_key_jwt");
        method.member("jwks_uri", jwks_uri.into())
    }

    /// What consent pages call it.
    pub fn name(self, name: impl Into<String>) -> Self {
        self.member("client_name", name.into())
    }

    /// One more place that its users may be sent back to. Compared byte for byte, but for the port of a loopback address.
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        let list = self.members.entry("redirect_uris").or_insert_with(|| json!([]));
        if let Value::Array(list) = list {
            list.push(Value::String(uri.into()));
        }
        self
    }

    /// What it may ask the token endpoint for; nothing, for a [resource server](crate::ResourceServer) that only introspects.
    pub fn grants(self, grants: impl IntoIterator<Item = GrantType>) -> Self {
        let grants: Vec<GrantType> = grants.into_iter().collect();
        self.member("grant_types", json!(grants))
    }

    /// The most it may be granted.
    pub fn scopes(self, scopes: impl Into<Scopes>) -> Self {
        let scopes: Scopes = scopes.into();
        self.member("scope", scopes.to_string())
    }

    /// Limits it to this resource (and others named likewise) for tokens without a user and by exchange.
    pub fn resource(mut self, identifier: impl Into<String>) -> Self {
        self.resources.get_or_insert_default().push(identifier.into());
        self
    }

    /// Takes its secret in the form (`client_secret_post`) instead.
    pub fn secret_in_form(self) -> Self {
        self.member("token_endpoint_auth_method", "client_secret_post")
    }

    /// Any other member of its metadata (RFC 7591 §2), such as `client_uri`, `dpop_bound_access_tokens` or
    /// `token_endpoint_auth_signing_alg`.
    pub fn member(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.members.insert(name.into(), value.into());
        self
    }

    pub(super) fn set_secret(&mut self, secret: &str) -> Result<(), ConfigError> {
        SecretKey::new(secret.as_bytes()).map_err(|error| self.wrong(&error.to_string()))?;
        self.secret = Some(hash(secret));
        Ok(())
    }

    pub(super) fn wrong(&self, what: &str) -> ConfigError {
        ConfigError::new(format!("the client {:?} cannot be used: {what}", self.id))
    }

    /// The client it describes.
    ///
    /// # Errors
    /// What is wrong with it, and what to write instead.
    pub(super) fn build(&self, rules: Rules<'_>, site: &SiteContext) -> Result<Client, ConfigError> {
        let plain = self.id.bytes().all(|byte| (0x20..=0x7e).contains(&byte));
        if self.id.is_empty() || self.id.len() > 255 || !plain || super::stored::place(&self.id).is_some() {
            return Err(self.wrong("give it an identifier of up to 255 printable ASCII characters"));
        }
        let mut members = self.members.clone();
        if !members.contains_key("grant_types") {
            let grants = match members.get("redirect_uris") {
                Some(_) => json!([GrantType::AuthorizationCode, GrantType::RefreshToken]),
                None => json!([GrantType::ClientCredentials]),
            };
            members.insert("grant_types".to_owned(), grants);
        }
        let metadata = Metadata::read(&members, rules).map_err(|error| self.wrong(error.description))?;
        let authentication = match (&metadata.method, &self.secret) {
            (Method::None, None) => ClientAuthentication::None,
            (Method::Secret { basic }, Some(hash)) => {
                ClientAuthentication::Secret { basic: *basic, hash: hash.clone(), expires_at: None }
            }
            (Method::Secret { .. }, None) => return Err(self.wrong("it has no secret")),
            (Method::PrivateKeyJwt { jwks, jwks_uri, algorithm, optional }, None) => {
                ClientAuthentication::PrivateKeyJwt {
                    jwks: jwks.clone(),
                    jwks_uri: jwks_uri.clone(),
                    algorithm: algorithm.clone(),
                    optional: *optional,
                }
            }
            (_, Some(_)) => return Err(self.wrong("it has a secret that it could not show")),
        };
        for resource in self.resources.iter().flatten() {
            if !site.resources().iter().any(|own| own.identifier() == resource) {
                return Err(self.wrong(&format!("{resource:?} is no resource of this site")));
            }
        }
        let scopes = metadata.scope.clone();
        let origin = ClientOrigin::Operator;
        let id = ClientId::from(self.id.as_str());
        let client = metadata.into_client(id, origin, authentication, Timestamp::default());
        let client = Client { scopes, resources: self.resources.clone(), ..client };
        let alone = [GrantType::ClientCredentials, GrantType::TokenExchange, GrantType::JwtBearer];
        if client.is_public() && alone.into_iter().any(|grant| client.may(grant)) {
            // RFC 6749 §4.4: anybody could be it.
            return Err(self.wrong("it needs a secret or keys to get tokens without a user"));
        }
        Ok(client)
    }
}

// The hash of a secret is of no use to a reader.
impl fmt::Debug for PreRegistered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreRegistered").field("id", &self.id).finish_non_exhaustive()
    }
}
