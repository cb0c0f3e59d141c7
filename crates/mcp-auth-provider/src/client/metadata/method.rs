//! How a client wants to prove itself, and how it is going to: the best way that both sides know.

use mcp_auth_jwt::Algorithm;
use mcp_auth_jwt::assertion::PublicKeys;
use serde_json::{Map, Value};

use super::members::Members;
use super::text::{self, Whose};
use super::{MetadataError, Rules};
use crate::client::{ClientAuthentication, ClientOrigin};

/// A way to prove oneself (`token_endpoint_auth_method`).
#[derive(Clone, Debug)]
pub(crate) enum Method {
    /// Not at all.
    None,
    /// A secret, in HTTP Basic or in the form.
    Secret {
        /// `client_secret_basic`; otherwise `client_secret_post`.
        basic: bool,
    },
    /// A signed assertion.
    PrivateKeyJwt {
        /// Checked: public keys only.
        jwks: Option<Value>,
        /// Checked: https, or as [`Rules::loopback`] allows.
        jwks_uri: Option<String>,
        /// The only algorithm it signs by.
        algorithm: Option<String>,
        /// Whether it also comes without one.
        optional: bool,
    },
}

impl Method {
    pub(super) fn read(members: Members<'_>, rules: Rules<'_>) -> Result<Self, MetadataError> {
        let document = rules.origin == ClientOrigin::MetadataDocument;
        let named = members.text("token_endpoint_auth_method")?;
        // What ChatGPT's document has beside: all that the client can do.
        let others = members.texts("token_endpoint_auth_methods_supported")?.unwrap_or_default();
        let secret = |name: &str| name.starts_with("client_secret");
        if document && named.is_some_and(secret) {
            return Err(MetadataError::invalid("a client known by a URL cannot have a secret"));
        }
        let wants = |name: &str| named == Some(name) || others.contains(&name);
        let keys = KeySource::read(members, rules)?;
        if wants("private_key_jwt") {
            match keys {
                Some(keys) => return Ok(keys.into_method(algorithm(members)?, wants("none"))),
                None if !wants("none") => {
                    return Err(MetadataError::invalid("private_key_jwt needs jwks or a jwks_uri"));
                }
                None => {}
            }
        }
        match named {
            Some("none") => Ok(Self::None),
            // RFC 7591 §2: what an omitted method means. In a metadata document it cannot mean that.
            None if document || wants("none") => Ok(Self::None),
            None | Some("client_secret_basic") => Ok(Self::Secret { basic: true }),
            Some("client_secret_post") => Ok(Self::Secret { basic: false }),
            Some(_) if wants("none") => Ok(Self::None),
            Some(_) if !document && others.contains(&"client_secret_basic") => {
                Ok(Self::Secret { basic: true })
            }
            Some(_) if !document && others.contains(&"client_secret_post") => {
                Ok(Self::Secret { basic: false })
            }
            Some(_) => Err(MetadataError::invalid("token_endpoint_auth_method is not supported")),
        }
    }

    /// The way that a client was registered for.
    pub(super) fn of(authentication: &ClientAuthentication) -> Self {
        match authentication {
            ClientAuthentication::None => Self::None,
            ClientAuthentication::Secret { basic, .. } => Self::Secret { basic: *basic },
            ClientAuthentication::PrivateKeyJwt { jwks, jwks_uri, algorithm, optional } => {
                Self::PrivateKeyJwt {
                    jwks: jwks.clone(),
                    jwks_uri: jwks_uri.clone(),
                    algorithm: algorithm.clone(),
                    optional: *optional,
                }
            }
        }
    }

    /// The name it is registered by.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Secret { basic: true } => "client_secret_basic",
            Self::Secret { basic: false } => "client_secret_post",
            Self::PrivateKeyJwt { .. } => "private_key_jwt",
        }
    }

    /// Adds what belongs to it to metadata.
    pub(super) fn describe(&self, members: &mut Map<String, Value>) {
        let Self::PrivateKeyJwt { jwks, jwks_uri, algorithm, optional } = self else { return };
        if let Some(jwks) = jwks {
            members.insert("jwks".to_owned(), jwks.clone());
        }
        for (name, value) in [("jwks_uri", jwks_uri), ("token_endpoint_auth_signing_alg", algorithm)] {
            if let Some(text) = value {
                members.insert(name.to_owned(), text.clone().into());
            }
        }
        if *optional {
            let both = vec!["private_key_jwt", "none"];
            members.insert("token_endpoint_auth_methods_supported".to_owned(), both.into());
        }
    }
}

/// Where the keys of a client are.
enum KeySource {
    Here(Value),
    At(String),
}

impl KeySource {
    fn read(members: Members<'_>, rules: Rules<'_>) -> Result<Option<Self>, MetadataError> {
        match (members.get("jwks"), members.text("jwks_uri")?) {
            (Some(_), Some(_)) => Err(MetadataError::invalid("jwks and jwks_uri are both there")),
            (Some(set), None) => {
                PublicKeys::strict(set).map_err(MetadataError::invalid)?;
                Ok(Some(Self::Here(set.clone())))
            }
            (None, Some(url)) => {
                let whose = match rules.origin {
                    _ if rules.loopback => Whose::StrangerOnLoopback,
                    ClientOrigin::Operator => Whose::Operator,
                    _ => Whose::Stranger,
                };
                let url = text::key_set_url(url, whose)?;
                // Where nothing can be fetched, a key set elsewhere is none.
                Ok(rules.key_sets.then_some(Self::At(url)))
            }
            (None, None) => Ok(None),
        }
    }

    fn into_method(self, algorithm: Option<String>, optional: bool) -> Method {
        let (jwks, jwks_uri) = match self {
            Self::Here(set) => (Some(set), None),
            Self::At(url) => (None, Some(url)),
        };
        Method::PrivateKeyJwt { jwks, jwks_uri, algorithm, optional }
    }
}

fn algorithm(members: Members<'_>) -> Result<Option<String>, MetadataError> {
    match members.text("token_endpoint_auth_signing_alg")? {
        None => Ok(None),
        Some(name) => match Algorithm::from_name(name) {
            Some(algorithm) if !algorithm.is_symmetric() => Ok(Some(algorithm.name().to_owned())),
            _ => Err(MetadataError::invalid(
                "token_endpoint_auth_signing_alg is unknown or not for public keys",
            )),
        },
    }
}
