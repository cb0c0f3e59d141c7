//! Signing keys of a token authority: made when asked for, published as JWK and PEM.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair,
};
use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use serde_json::{Value, json};

/// How a token is signed (RFC 7518 §3.1, RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// RSA PKCS#1 v1.5 with SHA-256.
    Rs256,
    /// RSA-PSS with SHA-256.
    Ps256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
    /// HMAC with SHA-256 and the authority's shared secret. Never published.
    Hs256,
}

impl Algorithm {
    /// The name in a token's header.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
            Self::Hs256 => "HS256",
        }
    }
}

pub(super) struct SigningKey {
    pub(super) algorithm: Algorithm,
    pub(super) kid: String,
    pair: Pair,
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Secret(Box<aws_lc_rs::hmac::Key>),
}

impl SigningKey {
    /// A fresh key. An HMAC key is made of `secret`, any other of randomness.
    pub(super) fn generate(algorithm: Algorithm, kid: String, secret: &str) -> Self {
        const NO_KEY: &str = "the system's random generator failed";
        #[expect(clippy::expect_used, reason = "without randomness no test can go on")]
        let pair = match algorithm {
            Algorithm::Rs256 | Algorithm::Ps256 => {
                Pair::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).expect(NO_KEY)))
            }
            Algorithm::Es256 => {
                Pair::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect(NO_KEY))
            }
            Algorithm::Es384 => {
                Pair::Ec(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).expect(NO_KEY))
            }
            Algorithm::EdDsa => Pair::Ed(Ed25519KeyPair::generate().expect(NO_KEY)),
            Algorithm::Hs256 => Pair::Secret(Box::new(aws_lc_rs::hmac::Key::new(
                aws_lc_rs::hmac::HMAC_SHA256,
                secret.as_bytes(),
            ))),
        };
        Self { algorithm, kid, pair }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        const FAILED: &str = "a key that was just made signs";
        let random = SystemRandom::new();
        #[expect(clippy::expect_used, reason = "the key was made by ourselves")]
        match &self.pair {
            Pair::Rsa(pair) => {
                let padding =
                    if self.algorithm == Algorithm::Ps256 { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, message, &mut signature).expect(FAILED);
                signature
            }
            Pair::Ec(pair) => pair.sign(&random, message).expect(FAILED).as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Secret(key) => aws_lc_rs::hmac::sign(key, message).as_ref().to_vec(),
        }
    }

    /// The public key as a JWK (RFC 7517), or nothing for a shared secret.
    pub(super) fn jwk(&self) -> Option<Value> {
        let mut jwk = match &self.pair {
            Pair::Rsa(pair) => {
                let (n, e) = rsa_components(pair.public_key().as_ref());
                json!({ "kty": "RSA", "n": base64(n), "e": base64(e) })
            }
            Pair::Ec(pair) => {
                // The uncompressed point: a 4, then both coordinates.
                let point = pair.public_key().as_ref().get(1..).unwrap_or_default();
                let (x, y) = point.split_at(point.len() / 2);
                let crv = if self.algorithm == Algorithm::Es384 { "P-384" } else { "P-256" };
                json!({ "kty": "EC", "crv": crv, "x": base64(x), "y": base64(y) })
            }
            Pair::Ed(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": base64(pair.public_key().as_ref()) })
            }
            Pair::Secret(_) => return None,
        };
        jwk["kid"] = json!(self.kid);
        jwk["alg"] = json!(self.algorithm.name());
        jwk["use"] = json!("sig");
        Some(jwk)
    }

    /// The public key as a PEM file (`BEGIN PUBLIC KEY`), or nothing for a shared secret.
    pub(super) fn pem(&self) -> Option<String> {
        let der = match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_der(),
            Pair::Ec(pair) => pair.public_key().as_der(),
            Pair::Ed(pair) => pair.public_key().as_der(),
            Pair::Secret(_) => return None,
        };
        let der = der.ok()?;
        let text = Base64::encode_string(der.as_ref());
        let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
        for line in text.as_bytes().chunks(64) {
            pem.push_str(&String::from_utf8_lossy(line));
            pem.push('\n');
        }
        pem.push_str("-----END PUBLIC KEY-----\n");
        Some(pem)
    }
}

pub(super) fn base64(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

/// Modulus and exponent of an `RSAPublicKey` (RFC 8017 A.1.1): a sequence of two integers.
fn rsa_components(der: &[u8]) -> (&[u8], &[u8]) {
    fn element(der: &[u8]) -> (&[u8], &[u8]) {
        let first = der.get(1).copied().unwrap_or(0);
        let (header, length) = if first < 0x80 {
            (2, usize::from(first))
        } else {
            let count = usize::from(first & 0x7f);
            let digits = der.get(2..2 + count).unwrap_or_default();
            (2 + count, digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)))
        };
        let content = der.get(header..header + length).unwrap_or_default();
        (content, der.get(header + length..).unwrap_or_default())
    }
    fn unsigned(integer: &[u8]) -> &[u8] {
        integer.strip_prefix(&[0]).unwrap_or(integer)
    }
    let (sequence, _) = element(der);
    let (n, rest) = element(sequence);
    let (e, _) = element(rest);
    (unsigned(n), unsigned(e))
}
