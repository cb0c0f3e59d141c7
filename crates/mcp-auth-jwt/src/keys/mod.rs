//! Verification keys: where they come from, and which token each may verify.

mod jwk;
mod pem;
mod verifier;

use std::fmt;

use mcp_core::{ConfigError, SecretKey};
use serde_json::Value;

pub(crate) use self::jwk::{Jwk, read as read_jwk};
pub(crate) use self::verifier::{Fingerprint, KeySet, Verdict};

use crate::{Algorithm, strict_json};

/// Keys that are known when the server starts.
///
/// ```
/// use mcp_auth_jwt::Keys;
/// use mcp_core::SecretKey;
///
/// let secret = Keys::shared_secret(SecretKey::random());
/// let public = Keys::jwk(
///     r#"{"kty":"OKP","crv":"Ed25519","kid":"2026","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
/// )?;
/// assert_eq!(format!("{public:?}"), "Keys([Ed25519 \"2026\"])");
///
/// // A private key has no business here.
/// let error = Keys::pem("-----BEGIN PRIVATE KEY-----\nMC4=\n-----END PRIVATE KEY-----\n").unwrap_err();
/// assert!(error.to_string().contains("openssl pkey"), "{error}");
/// # drop(secret);
/// # Ok::<(), mcp_core::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Keys(Vec<RawKey>);

impl Keys {
    /// Public keys in PEM: `PUBLIC KEY` (RSA, EC on P-256, P-384 or P-521, Ed25519) or `RSA PUBLIC KEY`, one or several.
    ///
    /// They have no `kid`, so each is tried on a token whose algorithm fits.
    ///
    /// # Errors
    /// When there is no public key in the text, or anything else beside them: private keys and certificates.
    pub fn pem(text: impl AsRef<str>) -> Result<Self, ConfigError> {
        pem::read(text.as_ref()).map(Self)
    }

    /// One key as a JWK (RFC 7517 §4). `oct` is a shared secret.
    ///
    /// # Errors
    /// When it is no JWK that can verify signatures, or has private members.
    pub fn jwk(json: impl AsRef<str>) -> Result<Self, ConfigError> {
        let members = strict_json::object(json.as_ref().as_bytes()).ok_or_else(|| {
            ConfigError::new("the JWK is no JSON object: write it like {\"kty\":\"OKP\",…}")
        })?;
        Self::from_jwks(&[Value::Object(members)])
    }

    /// Keys as a JWK set (RFC 7517 §5). Here, unlike in a set from a URL, one bad key is an error: it was put there by
    /// whoever starts the server.
    ///
    /// # Errors
    /// When it is no JWK set, has no key, or one that [`jwk`](Self::jwk) would refuse.
    pub fn jwks(json: impl AsRef<str>) -> Result<Self, ConfigError> {
        let members = strict_json::object(json.as_ref().as_bytes());
        match members.as_ref().and_then(|set| set.get("keys")) {
            Some(Value::Array(keys)) if !keys.is_empty() => Self::from_jwks(keys),
            _ => Err(ConfigError::new(
                "the JWK set has no keys: write it like {\"keys\":[{\"kty\":\"OKP\",…}]}",
            )),
        }
    }

    /// A secret shared with the issuer (HS256, HS384, HS512). Whoever can check such a token can also make one.
    #[must_use]
    pub fn shared_secret(secret: SecretKey) -> Self {
        Self(vec![RawKey { id: None, declared: None, material: Material::Secret(secret) }])
    }

    /// These keys and others: the old and the new one while keys are rotated.
    #[must_use]
    pub fn and(mut self, more: Self) -> Self {
        self.0.extend(more.0);
        self
    }

    fn from_jwks(keys: &[Value]) -> Result<Self, ConfigError> {
        let mut list = Vec::with_capacity(keys.len());
        for key in keys {
            match read_jwk(key, Jwk::FromOperator) {
                Ok(key) => list.push(key),
                Err(why) => return Err(ConfigError::new(format!("a JWK cannot be used: it {why}"))),
            }
        }
        Ok(Self(list))
    }

    /// Whether all of them, or none of them, are secrets; `None` when they are mixed.
    pub(crate) fn are_secret(&self) -> Option<bool> {
        let secrets = self.0.iter().filter(|key| key.material.is_secret()).count();
        match secrets {
            0 => Some(false),
            n if n == self.0.len() => Some(true),
            _ => None,
        }
    }

    pub(crate) fn raw(&self) -> &[RawKey] {
        &self.0
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(")?;
        f.debug_list().entries(&self.0).finish()?;
        f.write_str(")")
    }
}

/// A key as read, before it is decided which algorithms it may be used with.
#[derive(Clone)]
pub(crate) struct RawKey {
    pub(crate) id: Option<Box<str>>,
    /// The only algorithm it is for, where it says so (RFC 7517 §4.4).
    pub(crate) declared: Option<Algorithm>,
    pub(crate) material: Material,
}

#[derive(Clone)]
pub(crate) enum Material {
    Secret(SecretKey),
    /// An `RSAPublicKey` of RFC 8017 §A.1.1.
    RsaDer(Vec<u8>),
    /// Modulus and exponent, big-endian without leading zeros.
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// An uncompressed point.
    Ec {
        curve: Curve,
        point: Vec<u8>,
    },
    Ed25519(Vec<u8>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    /// The length of a coordinate in bytes.
    pub(crate) fn coordinate(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }
}

impl Material {
    pub(crate) fn is_secret(&self) -> bool {
        matches!(self, Self::Secret(_))
    }

    /// Whether the algorithm is one of this kind of key.
    pub(crate) fn fits(&self, algorithm: Algorithm) -> bool {
        use Algorithm as A;
        match self {
            Self::Secret(_) => algorithm.is_symmetric(),
            Self::RsaDer(_) | Self::Rsa { .. } => {
                matches!(algorithm, A::RS256 | A::RS384 | A::RS512 | A::PS256 | A::PS384 | A::PS512)
            }
            Self::Ec { curve, .. } => matches!(
                (curve, algorithm),
                (Curve::P256, A::ES256) | (Curve::P384, A::ES384) | (Curve::P521, A::ES512)
            ),
            Self::Ed25519(_) => algorithm == A::EdDSA,
        }
    }
}

impl fmt::Debug for RawKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.material {
            Material::Secret(_) => "secret",
            Material::RsaDer(_) | Material::Rsa { .. } => "RSA",
            Material::Ec { curve, .. } => match curve {
                Curve::P256 => "P-256",
                Curve::P384 => "P-384",
                Curve::P521 => "P-521",
            },
            Material::Ed25519(_) => "Ed25519",
        })?;
        match &self.id {
            Some(id) => write!(f, " {id:?}"),
            None => Ok(()),
        }
    }
}
