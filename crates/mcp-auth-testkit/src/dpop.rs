//! A client's key and the proofs it makes (RFC 9449), right ones and wrong ones.
//!
//! ```
//! use mcp_auth_testkit::DpopKey;
//! use mcp_core::{Clock, SystemClock};
//!
//! let key = DpopKey::generate();
//! let proof = key.proof("POST", "https://mcp.test/token", SystemClock.now()).mint();
//! assert_eq!(proof.split('.').count(), 3);
//! assert_eq!(key.thumbprint().len(), 43);
//! ```

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64ct::{Base64UrlUnpadded, Encoding};
use mcp_core::{Timestamp, random_id};
use serde_json::{Map, Value, json};

/// A P-256 key of a client. Clones are the same key.
#[derive(Clone)]
pub struct DpopKey(Arc<EcdsaKeyPair>);

impl DpopKey {
    /// A new key.
    ///
    /// # Panics
    /// When the system has no randomness to give.
    #[must_use]
    pub fn generate() -> Self {
        #[expect(clippy::expect_used, reason = "without randomness no test can go on")]
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("no randomness");
        Self(Arc::new(pair))
    }

    /// Its public half as a JWK.
    #[must_use]
    pub fn jwk(&self) -> Value {
        let point = self.0.public_key().as_ref().get(1..).unwrap_or_default();
        let (x, y) = point.split_at(point.len() / 2);
        json!({"kty": "EC", "crv": "P-256", "x": base64(x), "y": base64(y)})
    }

    /// Its thumbprint (RFC 7638): what tokens bound to it carry in `cnf.jkt`.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        let jwk = self.jwk();
        let members = format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, jwk["x"], jwk["y"]);
        base64(digest(&SHA256, members.as_bytes()).as_ref())
    }

    /// Begins a proof for a request with this method to this URL, made at this moment.
    pub fn proof(&self, method: &str, url: &str, now: Timestamp) -> ProofBuilder {
        let header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk()});
        let claims = json!({"jti": random_id(), "htm": method, "htu": url, "iat": now.as_secs()});
        ProofBuilder { key: self.clone(), header: members(header), claims: members(claims) }
    }
}

impl fmt::Debug for DpopKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DpopKey({})", self.thumbprint())
    }
}

/// A proof being made; see [`DpopKey::proof`].
#[derive(Clone, Debug)]
#[must_use = "a proof is made by `mint`"]
pub struct ProofBuilder {
    key: DpopKey,
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl ProofBuilder {
    /// The access token that comes with the request (`ath`).
    pub fn token(self, token: &str) -> Self {
        let hash = base64(digest(&SHA256, token.as_bytes()).as_ref());
        self.claim("ath", hash)
    }

    /// The nonce the server gave.
    pub fn nonce(self, nonce: &str) -> Self {
        self.claim("nonce", nonce)
    }

    /// Sets any claim to anything; [`Value::Null`] leaves it out.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        set(&mut self.claims, name, value.into());
        self
    }

    /// Sets any member of the header to anything; [`Value::Null`] leaves it out.
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        set(&mut self.header, name, value.into());
        self
    }

    /// The proof.
    #[must_use]
    pub fn mint(self) -> String {
        let [header, claims] =
            [self.header, self.claims].map(|part| base64(Value::Object(part).to_string().as_bytes()));
        let message = format!("{header}.{claims}");
        #[expect(clippy::expect_used, reason = "a key that was just made signs")]
        let signature =
            self.key.0.sign(&SystemRandom::new(), message.as_bytes()).expect("the key cannot sign");
        format!("{message}.{}", base64(signature.as_ref()))
    }
}

fn members(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn set(members: &mut Map<String, Value>, name: &str, value: Value) {
    if value.is_null() {
        members.remove(name);
    } else {
        members.insert(name.to_owned(), value);
    }
}

fn base64(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}
