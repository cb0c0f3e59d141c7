//! Keys ready to verify: parsed once, each under the algorithms it is allowed.
//!
//! jsonwebtoken parses the key anew for every token, which is a quarter of the cost of RS256; and it asks a process-wide
//! provider that panics when two back-ends are compiled in. So signatures are checked with AWS-LC directly.

use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{self as sig, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents};

use super::{Material, RawKey};
use crate::Algorithm;

/// What tells two keys apart: a hash of the key and its name.
pub(crate) type Fingerprint = [u8; 32];

/// The keys of one issuer, filtered by its allow-list.
pub(crate) struct KeySet {
    keys: Vec<VerifyingKey>,
}

struct VerifyingKey {
    id: Option<Box<str>>,
    fingerprint: Fingerprint,
    verifiers: Vec<(Algorithm, Verifier)>,
}

enum Verifier {
    Public(ParsedPublicKey),
    Shared(Box<hmac::Key>),
}

/// What a set of keys says of a signature.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Made by the key with this fingerprint.
    Good(Fingerprint),
    /// The key it names is here and did not make it.
    Bad,
    /// No key here made it, and none here has the name it gives.
    Unknown,
}

impl KeySet {
    /// Makes the keys ready; those that fit none of the algorithms are left out.
    pub(crate) fn new<'a>(keys: impl IntoIterator<Item = &'a RawKey>, allowed: &[Algorithm]) -> Self {
        let keys = keys.into_iter().filter_map(|key| VerifyingKey::new(key, allowed)).collect();
        Self { keys }
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Checks a signature with the key the token names, or, when it names none or one that only nameless keys could be,
    /// with those that fit; never with more than [`MAX_TRIES`].
    pub(crate) fn verify(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
        message: &[u8],
        signature: &[u8],
    ) -> Verdict {
        let mut tries = MAX_TRIES;
        let mut named = false;
        let mut check = |key: &VerifyingKey| {
            let verifier = key.verifier(algorithm)?;
            tries = tries.checked_sub(1)?;
            verifier.verify(message, signature).then_some(key.fingerprint)
        };
        if let Some(id) = id {
            for key in self.keys.iter().filter(|key| key.id.as_deref() == Some(id)) {
                named = true;
                if let Some(fingerprint) = check(key) {
                    return Verdict::Good(fingerprint);
                }
            }
            if named {
                return Verdict::Bad;
            }
        }
        for key in self.keys.iter().filter(|key| id.is_none() || key.id.is_none()) {
            if let Some(fingerprint) = check(key) {
                return Verdict::Good(fingerprint);
            }
        }
        Verdict::Unknown
    }

    /// Whether the key is still among them.
    pub(crate) fn has(&self, fingerprint: &Fingerprint) -> bool {
        self.keys.iter().any(|key| key.fingerprint == *fingerprint)
    }

    /// Names for people: the `kid`, or the beginning of the fingerprint.
    #[cfg(feature = "fetch")]
    pub(crate) fn names_without(&self, other: Option<&Self>) -> Vec<String> {
        self.keys
            .iter()
            .filter(|key| other.is_none_or(|other| !other.has(&key.fingerprint)))
            .map(|key| match &key.id {
                Some(id) => id.chars().take(64).collect(),
                None => key.fingerprint.iter().take(4).map(|byte| format!("{byte:02x}")).collect(),
            })
            .collect()
    }
}

impl VerifyingKey {
    fn new(key: &RawKey, allowed: &[Algorithm]) -> Option<Self> {
        let verifiers: Vec<_> = allowed
            .iter()
            .filter(|algorithm| key.declared.is_none_or(|declared| declared == **algorithm))
            .filter_map(|algorithm| Some((*algorithm, Verifier::new(&key.material, *algorithm)?)))
            .collect();
        (!verifiers.is_empty()).then(|| Self { id: key.id.clone(), fingerprint: fingerprint(key), verifiers })
    }

    fn verifier(&self, algorithm: Algorithm) -> Option<&Verifier> {
        self.verifiers.iter().find_map(|(own, verifier)| (*own == algorithm).then_some(verifier))
    }
}

impl Verifier {
    fn new(material: &Material, algorithm: Algorithm) -> Option<Self> {
        use Algorithm as A;
        if !material.fits(algorithm) {
            return None;
        }
        let parsed = match material {
            Material::Secret(secret) => {
                let (hash, least) = match algorithm {
                    A::HS256 => (hmac::HMAC_SHA256, 32),
                    A::HS384 => (hmac::HMAC_SHA384, 48),
                    _ => (hmac::HMAC_SHA512, 64),
                };
                // RFC 7518 §3.2: a key as long as the hash, at least.
                let secret = secret.expose();
                return (secret.len() >= least).then(|| Self::Shared(Box::new(hmac::Key::new(hash, secret))));
            }
            Material::RsaDer(der) => ParsedPublicKey::new(rsa(algorithm)?, der),
            Material::Rsa { n, e } => RsaPublicKeyComponents { n, e }.to_parsed_public_key(rsa(algorithm)?),
            Material::Ec { point, .. } => match algorithm {
                A::ES256 => ParsedPublicKey::new(&sig::ECDSA_P256_SHA256_FIXED, point),
                A::ES384 => ParsedPublicKey::new(&sig::ECDSA_P384_SHA384_FIXED, point),
                _ => ParsedPublicKey::new(&sig::ECDSA_P521_SHA512_FIXED, point),
            },
            Material::Ed25519(x) => ParsedPublicKey::new(&sig::ED25519, x),
        };
        parsed.ok().map(Self::Public)
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Public(key) => key.verify_sig(message, signature).is_ok(),
            // Compares in constant time.
            Self::Shared(key) => hmac::verify(key, message, signature).is_ok(),
        }
    }
}

fn rsa(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        Algorithm::RS256 => &sig::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::RS384 => &sig::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::RS512 => &sig::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::PS256 => &sig::RSA_PSS_2048_8192_SHA256,
        Algorithm::PS384 => &sig::RSA_PSS_2048_8192_SHA384,
        Algorithm::PS512 => &sig::RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

fn fingerprint(key: &RawKey) -> Fingerprint {
    let mut hash = Context::new(&SHA256);
    let id = key.id.as_deref().unwrap_or_default();
    hash.update(&id.len().to_be_bytes());
    hash.update(id.as_bytes());
    match &key.material {
        Material::Secret(secret) => hash.update(secret.expose()),
        Material::Rsa { n, e } => {
            hash.update(&n.len().to_be_bytes());
            hash.update(n);
            hash.update(e);
        }
        Material::RsaDer(bytes) | Material::Ec { point: bytes, .. } | Material::Ed25519(bytes) => {
            hash.update(bytes);
        }
    }
    let mut out = [0; 32];
    out.copy_from_slice(hash.finish().as_ref());
    out
}

/// How many keys are tried on one token at most.
const MAX_TRIES: usize = 8;
