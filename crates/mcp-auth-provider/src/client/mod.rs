//! Who asks: clients, however they came to be known.

mod assertion;
mod authenticate;
mod basic;
mod builder;
mod change;
mod clients;
mod config;
mod documents;
mod fetch;
mod file;
mod flights;
mod freshness;
mod guesses;
mod key_sets;
mod known;
mod metadata;
mod quota;
mod redirect_uri;
mod register;
mod registration;
mod stored;

#[cfg(test)]
mod tests;

use mcp_core::{ClientId, Scopes, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::as_text;

pub(crate) use self::change::{Managed, open as open_registration};
pub(crate) use self::clients::Clients;
pub(crate) use self::config::ClientsConfig;
pub use self::documents::ClientMetadataDocuments;
pub use self::known::PreRegistered;
pub(crate) use self::metadata::{Metadata, MetadataError};
pub(crate) use self::redirect_uri::{choose as choose_redirect_uri, is_loopback as is_loopback_redirect};
pub(crate) use self::register::{RegisterError, Registered, register};
pub use self::registration::{Registration, RegistrationRequest};

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
        /// Whether it also comes without an assertion, as a public client (attack CI12).
        #[serde(default)]
        optional: bool,
    },
}

/// What a client may ask the token endpoint for (`grant_types`, RFC 7591 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum GrantType {
    /// Tokens for a user who consented (RFC 6749 §4.1).
    #[serde(rename = "authorization_code")]
    AuthorizationCode,
    /// New tokens for old ones (RFC 6749 §6).
    #[serde(rename = "refresh_token")]
    RefreshToken,
    /// Tokens for itself (RFC 6749 §4.4).
    #[serde(rename = "client_credentials")]
    ClientCredentials,
    /// Tokens for a user at another device (RFC 8628).
    #[serde(rename = "urn:ietf:params:oauth:grant-type:device_code")]
    DeviceCode,
    /// Tokens in exchange for tokens (RFC 8693).
    #[serde(rename = "urn:ietf:params:oauth:grant-type:token-exchange")]
    TokenExchange,
    /// Tokens for an assertion about a user (RFC 7523 §2.1).
    #[serde(rename = "urn:ietf:params:oauth:grant-type:jwt-bearer")]
    JwtBearer,
}

impl GrantType {
    /// The grant of this name.
    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "authorization_code" => Self::AuthorizationCode,
            "refresh_token" => Self::RefreshToken,
            "client_credentials" => Self::ClientCredentials,
            "urn:ietf:params:oauth:grant-type:device_code" => Self::DeviceCode,
            "urn:ietf:params:oauth:grant-type:token-exchange" => Self::TokenExchange,
            "urn:ietf:params:oauth:grant-type:jwt-bearer" => Self::JwtBearer,
            _ => return None,
        })
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
            Self::TokenExchange => "urn:ietf:params:oauth:grant-type:token-exchange",
            Self::JwtBearer => "urn:ietf:params:oauth:grant-type:jwt-bearer",
        }
    }
}

impl Client {
    /// Whether anybody may come in its name without proof.
    pub(crate) fn is_public(&self) -> bool {
        matches!(
            self.authentication,
            ClientAuthentication::None | ClientAuthentication::PrivateKeyJwt { optional: true, .. }
        )
    }

    /// Whether it may use a grant.
    pub(crate) fn may(&self, grant: GrantType) -> bool {
        self.grant_types.contains(&grant)
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

#[cfg(test)]
impl Client {
    /// A public client with these redirect URIs.
    pub(crate) fn for_tests(id: &str, redirect_uris: &[&str]) -> Self {
        Self {
            id: id.into(),
            origin: ClientOrigin::Registered,
            name: None,
            redirect_uris: redirect_uris.iter().map(ToString::to_string).collect(),
            authentication: ClientAuthentication::None,
            grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
            scopes: None,
            resources: None,
            application_type: None,
            client_uri: None,
            dpop_bound: false,
            require_par: false,
            digest: String::new(),
            created_at: Timestamp::default(),
            extra: Map::new(),
        }
    }
}
