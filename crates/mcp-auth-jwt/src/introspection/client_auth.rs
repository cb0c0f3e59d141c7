//! How this server proves itself to the endpoint (RFC 7662 §2.1).

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use mcp_core::{ConfigError, Timestamp, random_id};
use serde_json::{Map, json};
use zeroize::Zeroizing;

use crate::SigningKey;

#[derive(Clone)]
pub(super) enum ClientAuth {
    Basic(String, Zeroizing<String>),
    Post(String, Zeroizing<String>),
    PrivateKey(String, SigningKey),
}

impl ClientAuth {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let (id, secret) = match self {
            Self::Basic(id, secret) | Self::Post(id, secret) => (id, Some(secret)),
            Self::PrivateKey(id, _) => (id, None),
        };
        if id.is_empty() {
            return Err(ConfigError::new(
                "the client id for introspection is empty: write the one the issuer gave this server",
            ));
        }
        if secret.is_some_and(|secret| secret.is_empty()) {
            return Err(ConfigError::new(
                "the client secret for introspection is empty: write the one the issuer gave this server",
            ));
        }
        Ok(())
    }

    /// The `Authorization` header, where the method has one.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let Self::Basic(id, secret) = self else { return None };
        // RFC 6749 §2.3.1: both parts are form-encoded before they are joined.
        let pair = Zeroizing::new(format!("{}:{}", encode(id), encode(secret)));
        let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair.as_bytes()))).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Parameters for the body. `None` when no assertion could be signed.
    pub(super) fn parameters(&self, audience: &str, now: Timestamp) -> Option<Vec<(&'static str, String)>> {
        Some(match self {
            Self::Basic(..) => Vec::new(),
            Self::Post(id, secret) => {
                vec![("client_id", id.clone()), ("client_secret", secret.as_str().to_owned())]
            }
            Self::PrivateKey(id, key) => {
                let mut claims = Map::new();
                claims.insert("iss".into(), json!(id));
                claims.insert("sub".into(), json!(id));
                claims.insert("aud".into(), json!(audience));
                claims.insert("jti".into(), json!(random_id()));
                claims.insert("iat".into(), json!(now.as_secs()));
                claims.insert("exp".into(), json!((now + Duration::from_secs(60)).as_secs()));
                vec![
                    ("client_assertion_type", ASSERTION_TYPE.to_owned()),
                    ("client_assertion", key.jwt("JWT", claims)?),
                ]
            }
        })
    }
}

impl fmt::Debug for ClientAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Basic(id, _) => write!(f, "client_secret_basic({id:?}, [redacted])"),
            Self::Post(id, _) => write!(f, "client_secret_post({id:?}, [redacted])"),
            Self::PrivateKey(id, key) => write!(f, "private_key_jwt({id:?}, {key:?})"),
        }
    }
}

/// One value in `application/x-www-form-urlencoded` (URL standard §5.2).
pub(super) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
