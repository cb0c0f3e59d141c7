//! Who asks: clients, however they came to be known.

use std::sync::Arc;

use http::request::Parts;
use mcp_core::{ClientId, ConfigError, Scopes, SiteContext, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::as_text;
use crate::engine::Engine;
use crate::wire::{OAuthError, Params};

/// A client as the engine needs it, made only from metadata that was checked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Client {
    /// Its identifier: ours, an operator's, or the URL of its metadata document.
    #[serde(with = "as_text::client_id")]
    pub(crate) id: ClientId,
    /// How it came to be known.
    pub(crate) origin: ClientOrigin,
    /// What it calls itself. Hostile text.
    pub(crate) name: Option<String>,
    /// Where its users may be sent back to, as registered, byte for byte.
    pub(crate) redirect_uris: Vec<String>,
    /// How it proves itself.
    pub(crate) authentication: ClientAuthentication,
    /// What it may ask the token endpoint for.
    pub(crate) grant_types: Vec<GrantType>,
    /// The most it may be granted; `None` for whatever the catalogue has.
    #[serde(with = "as_text::optional_scopes", default)]
    pub(crate) scopes: Option<Scopes>,
    /// Resources it may have tokens for by exchange or for itself; `None` for all.
    pub(crate) resources: Option<Vec<String>>,
    /// `native` or `web`, as it said (AUTH-91).
    pub(crate) application_type: Option<String>,
    /// Its home page. Hostile text, but an https URL.
    pub(crate) client_uri: Option<String>,
    /// Whether its tokens must be bound to a key (`dpop_bound_access_tokens`, RFC 9449 §5.2).
    pub(crate) dpop_bound: bool,
    /// Whether it must push its authorization requests (RFC 9126 §6).
    pub(crate) require_par: bool,
    /// A digest of all that matters for consent: it is asked for again when this changes.
    pub(crate) digest: String,
    /// Since when it is known here.
    #[serde(with = "as_text::millis")]
    pub(crate) created_at: Timestamp,
    /// Whatever else it registered and gets echoed (RFC 7591 §3.2.1).
    #[serde(default)]
    pub(crate) extra: Map<String, Value>,
}

/// How a client came to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClientOrigin {
    /// The operator named it.
    Operator,
    /// It registered itself (RFC 7591).
    Registered,
    /// Its identifier is the URL of its metadata.
    MetadataDocument,
}

/// How a client proves itself (`token_endpoint_auth_method`, RFC 7591 §2).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClientAuthentication {
    /// Not at all: a public client, known by PKCE only.
    None,
    /// By a secret, in HTTP Basic or in the form, as registered.
    Secret {
        /// `client_secret_basic`; otherwise `client_secret_post`.
        basic: bool,
        /// SHA-256 of the secret, which has 256 random bits; or of an operator's own, which has as many.
        #[serde(with = "as_text::bytes")]
        hash: Vec<u8>,
        /// When the secret ends, in milliseconds; `None` never.
        expires_at: Option<u64>,
    },
    /// By a signed assertion (`private_key_jwt`, RFC 7523 §2.2), with keys from here or from there.
    PrivateKeyJwt {
        /// A JWK set that was checked to have public keys only.
        jwks: Option<Value>,
        /// Where such a set is.
        jwks_uri: Option<String>,
        /// `token_endpoint_auth_signing_alg`.
        algorithm: Option<String>,
    },
}

/// What a client may ask the token endpoint for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum GrantType {
    #[serde(rename = "authorization_code")]
    AuthorizationCode,
    #[serde(rename = "refresh_token")]
    RefreshToken,
    #[serde(rename = "client_credentials")]
    ClientCredentials,
    #[serde(rename = "urn:ietf:params:oauth:grant-type:device_code")]
    DeviceCode,
    #[serde(rename = "urn:ietf:params:oauth:grant-type:token-exchange")]
    TokenExchange,
    #[serde(rename = "urn:ietf:params:oauth:grant-type:jwt-bearer")]
    JwtBearer,
}

impl Client {
    /// Whether it has no way to prove itself.
    pub(crate) fn is_public(&self) -> bool {
        matches!(self.authentication, ClientAuthentication::None)
    }

    /// Whether it may use a grant.
    pub(crate) fn may(&self, grant: GrantType) -> bool {
        self.grant_types.contains(&grant)
    }
}

/// What an operator said of clients.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClientsConfig {}

/// All clients of a server.
#[derive(Debug)]
pub(crate) struct Clients {}

impl Clients {
    /// Checks the configuration.
    pub(crate) fn start(_config: &ClientsConfig, _site: &SiteContext) -> Result<Self, ConfigError> {
        Ok(Self {})
    }

    /// The client with this identifier.
    pub(crate) async fn find(&self, _engine: &Engine, _id: &str) -> Result<Arc<Client>, ClientError> {
        Err(ClientError::Unknown)
    }

    /// The client that sent a request to the token endpoint (or another for clients), proven as it registered.
    pub(crate) async fn authenticate(
        &self,
        engine: &Engine,
        _head: &Parts,
        params: &Params,
    ) -> Result<Arc<Client>, OAuthError> {
        let unknown = OAuthError::invalid_client("the client is unknown or did not prove itself", false);
        let id = params.get("client_id").ok_or_else(|| unknown.clone())?;
        self.find(engine, id).await.map_err(|_| unknown)
    }
}

/// Why there is no such client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientError {
    /// Nobody of that name is known.
    Unknown,
    /// Its metadata cannot be used; why, in words for its maker.
    Invalid(&'static str),
    /// We cannot tell at the moment: the store, or the host of its metadata.
    Unavailable,
}
