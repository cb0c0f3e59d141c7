//! Private keys that tokens and client assertions are signed with.
//!
//! A key is parsed once and kept as an AWS-LC key pair: parsing an RSA key again for each signature costs more than the
//! signature.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use mcp_core::ConfigError;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::Algorithm;

/// How tokens are signed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SigningAlgorithm {
    /// ECDSA on P-256: short signatures that everybody can check.
    #[default]
    Es256,
    /// Ed25519: the fastest, not known to every verifier.
    EdDsa,
    /// RSA with 3072 bits: for verifiers that know nothing else.
    Rs256,
}

impl SigningAlgorithm {
    /// The algorithm a verifier must allow.
    #[must_use]
    pub fn algorithm(self) -> Algorithm {
        match self {
            Self::Es256 => Algorithm::ES256,
            Self::EdDsa => Algorithm::EdDSA,
            Self::Rs256 => Algorithm::RS256,
        }
    }
}

/// A private key. Cheap to clone; never printed.
///
/// ```
/// use mcp_auth_jwt::{Keys, SigningAlgorithm, SigningKey};
///
/// let key = SigningKey::generate(SigningAlgorithm::Es256);
/// let again = SigningKey::from_pem(&key.expose_pem()?)?;
/// assert_eq!(key.id(), again.id()); // the id is the key's thumbprint
/// Keys::jwk(key.public_jwk().to_string())?;
/// assert_eq!(format!("{key:?}"), format!("SigningKey(Es256 {:?})", key.id()));
/// # Ok::<(), mcp_core::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct SigningKey(Arc<Inner>);

struct Inner {
    algorithm: SigningAlgorithm,
    pair: Pair,
    jwk: Value,
    id: String,
}

enum Pair {
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl SigningKey {
    /// A fresh key. An RSA key takes about half a second.
    ///
    /// # Panics
    /// When the operating system has no randomness to give: nothing can be safe then.
    #[must_use]
    pub fn generate(algorithm: SigningAlgorithm) -> Self {
        const FAILED: &str = "the operating system's random generator failed";
        #[expect(
            clippy::expect_used,
            reason = "without randomness no server may go on; no peer can cause it"
        )]
        let pair = match algorithm {
            SigningAlgorithm::Es256 => {
                Pair::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect(FAILED))
            }
            SigningAlgorithm::EdDsa => Pair::Ed(Ed25519KeyPair::generate().expect(FAILED)),
            SigningAlgorithm::Rs256 => Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa3072).expect(FAILED)),
        };
        Self::new(algorithm, pair)
    }

    /// Reads a private key: the contents of a PEM file with `PRIVATE KEY` (P-256, Ed25519, RSA), `EC PRIVATE KEY` or
    /// `RSA PRIVATE KEY`. P-256 signs ES256, Ed25519 EdDSA, RSA RS256.
    ///
    /// # Errors
    /// When there is not exactly one such key in the text, it is encrypted, of another kind, or RSA under 2048 bits.
    pub fn from_pem(pem: &str) -> Result<Self, ConfigError> {
        let (label, der) = unwrap_pem(pem)?;
        let ec = || match label {
            "EC PRIVATE KEY" => {
                EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).ok()
            }
            _ => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).ok(),
        };
        let rsa = || match label {
            "RSA PRIVATE KEY" => RsaKeyPair::from_der(&der).ok(),
            _ => RsaKeyPair::from_pkcs8(&der).ok(),
        };
        if let Some(pair) = ec() {
            return Ok(Self::new(SigningAlgorithm::Es256, Pair::Ec(pair)));
        }
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8(&der) {
            return Ok(Self::new(SigningAlgorithm::EdDsa, Pair::Ed(pair)));
        }
        match rsa() {
            Some(pair) if pair.public_modulus_len() >= 256 => {
                Ok(Self::new(SigningAlgorithm::Rs256, Pair::Rsa(pair)))
            }
            _ => Err(ConfigError::new(
                "the private key is not P-256, Ed25519 or RSA of at least 2048 bits: make one with \
                 `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`",
            )),
        }
    }

    fn new(algorithm: SigningAlgorithm, pair: Pair) -> Self {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        // RFC 7638 §3: the required members in alphabetical order, without spaces. serde_json sorts, or keeps this order.
        let mut jwk = match &pair {
            Pair::Ec(pair) => {
                let point = pair.public_key().as_ref().get(1..).unwrap_or_default();
                let (x, y) = point.split_at(point.len() / 2);
                json!({ "crv": "P-256", "kty": "EC", "x": encode(x), "y": encode(y) })
            }
            Pair::Ed(pair) => {
                json!({ "crv": "Ed25519", "kty": "OKP", "x": encode(pair.public_key().as_ref()) })
            }
            Pair::Rsa(pair) => {
                let key = pair.public_key();
                let n = key.modulus().big_endian_without_leading_zero();
                let e = key.exponent().big_endian_without_leading_zero();
                json!({ "e": encode(e), "kty": "RSA", "n": encode(n) })
            }
        };
        let id = encode(digest(&SHA256, jwk.to_string().as_bytes()).as_ref());
        jwk["kid"] = json!(id);
        jwk["alg"] = json!(algorithm.algorithm().name());
        jwk["use"] = json!("sig");
        Self(Arc::new(Inner { algorithm, pair, jwk, id }))
    }

    /// The key's name, `kid`: its thumbprint (RFC 7638).
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// What it signs with.
    #[must_use]
    pub fn algorithm(&self) -> SigningAlgorithm {
        self.0.algorithm
    }

    /// The public key, for a JWK set (RFC 7517). There is nothing private in it.
    #[must_use]
    pub fn public_jwk(&self) -> Value {
        self.0.jwk.clone()
    }

    /// The private key as a PEM file (PKCS#8), to be stored where nobody else can read it.
    ///
    /// # Errors
    /// When the cryptography library cannot write the key down.
    pub fn expose_pem(&self) -> Result<String, ConfigError> {
        let failed = |_| ConfigError::new("the private key cannot be written down");
        let der = match &self.0.pair {
            Pair::Ec(pair) => Zeroizing::new(pair.to_pkcs8v1().map_err(failed)?.as_ref().to_vec()),
            Pair::Ed(pair) => Zeroizing::new(pair.to_pkcs8v1().map_err(failed)?.as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let der: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
                Zeroizing::new(der.as_ref().to_vec())
            }
        };
        let text = Zeroizing::new(STANDARD.encode(der.as_slice()));
        let mut pem = String::with_capacity(text.len() + 100);
        pem.push_str("-----BEGIN PRIVATE KEY-----\n");
        for (n, c) in text.chars().enumerate() {
            if n > 0 && n % 64 == 0 {
                pem.push('\n');
            }
            pem.push(c);
        }
        pem.push_str("\n-----END PRIVATE KEY-----\n");
        Ok(pem)
    }

    /// A signed JWT of this type with exactly these claims, for servers that issue their own tokens: nothing is added and
    /// nothing is checked. `None` when the cryptography library fails.
    ///
    /// ```
    /// use mcp_auth_jwt::{SigningAlgorithm, SigningKey};
    /// use serde_json::Map;
    ///
    /// let key = SigningKey::generate(SigningAlgorithm::EdDsa);
    /// let token = key.jwt("at+jwt", Map::new()).unwrap();
    /// assert_eq!(token.split('.').nth(1), Some("e30")); // {}
    /// ```
    #[must_use]
    pub fn jwt(&self, typ: &str, claims: Map<String, Value>) -> Option<String> {
        let header = json!({ "alg": self.0.algorithm.algorithm().name(), "kid": self.0.id, "typ": typ });
        let mut token = URL_SAFE_NO_PAD.encode(header.to_string());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(Value::Object(claims).to_string(), &mut token);
        let signature = self.sign(token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Some(token)
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match &self.0.pair {
            Pair::Ec(pair) => Some(pair.sign(&random, message).ok()?.as_ref().to_vec()),
            Pair::Ed(pair) => Some(pair.try_sign(message).ok()?.as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).ok()?;
                Some(signature)
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({:?} {:?})", self.0.algorithm, self.0.id)
    }
}

fn unwrap_pem(pem: &str) -> Result<(&str, Zeroizing<Vec<u8>>), ConfigError> {
    let mut blocks = pem.split("-----BEGIN ").skip(1).filter_map(|block| {
        let (label, rest) = block.split_once("-----")?;
        let (body, _) = rest.split_once("-----END ")?;
        // `openssl ecparam` puts the curve in a block of its own in front.
        (label != "EC PARAMETERS").then_some((label, body))
    });
    let (Some((label, body)), None) = (blocks.next(), blocks.next()) else {
        return Err(ConfigError::new(
            "there is not exactly one private key in the PEM text: pass the contents of the file, not its name",
        ));
    };
    let fault = match label {
        "PRIVATE KEY" | "EC PRIVATE KEY" | "RSA PRIVATE KEY" => None,
        "ENCRYPTED PRIVATE KEY" => {
            Some("the private key is encrypted: decrypt it with `openssl pkey -in key.pem -out plain.pem`")
        }
        "PUBLIC KEY" | "RSA PUBLIC KEY" | "CERTIFICATE" => {
            Some("the PEM text holds a public key, and signing takes the private one")
        }
        _ => Some("the PEM text holds no private key: its first line says -----BEGIN PRIVATE KEY-----"),
    };
    // A block with headers is an encrypted one of the old style.
    let fault = fault.or(body.contains(':').then_some(
        "the private key is encrypted: decrypt it with `openssl pkey -in key.pem -out plain.pem`",
    ));
    if let Some(fault) = fault {
        return Err(ConfigError::new(fault));
    }
    let text: Zeroizing<String> = Zeroizing::new(body.split_ascii_whitespace().collect());
    match STANDARD.decode(text.as_bytes()) {
        Ok(der) => Ok((label, Zeroizing::new(der))),
        Err(_) => Err(ConfigError::new("the private key is not base64: the file is damaged")),
    }
}
