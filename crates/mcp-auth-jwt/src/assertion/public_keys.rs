//! The keys of whoever signs assertions.

use std::fmt;

use serde_json::Value;

use crate::Algorithm;
use crate::keys::{Jwk, KeySet, read_jwk};

/// The most keys of one set that are looked at.
const MAX_KEYS: usize = 20;

/// Public keys, ready to verify.
pub struct PublicKeys(KeySet);

impl PublicKeys {
    /// Reads a JWK set (RFC 7517 §5) of which every key must be usable: for sets that somebody registers and can correct.
    ///
    /// # Errors
    /// When it is no set or has no key, more than 20, a secret or private one, or one that cannot verify signatures.
    pub fn strict(set: &Value) -> Result<Self, &'static str> {
        let list = keys(set).ok_or("jwks is no JWK set")?;
        if list.is_empty() || list.len() > MAX_KEYS {
            return Err("jwks has no key, or more than 20");
        }
        let mut raw = Vec::with_capacity(list.len());
        for key in list {
            let key = read_jwk(key, Jwk::FromElsewhere)
                .map_err(|_| "jwks has a key that is not public or cannot verify signatures")?;
            raw.push(key);
        }
        let ready = KeySet::new(&raw, &Algorithm::ASYMMETRIC);
        if ready.len() == raw.len() { Ok(Self(ready)) } else { Err("jwks has a key that is none") }
    }

    /// Reads a JWK set and leaves out what is of no use in it: for sets from a URL, where each key stands for itself.
    /// `None` when it is no set.
    #[must_use]
    pub fn lenient(set: &Value) -> Option<Self> {
        let raw: Vec<_> = keys(set)?
            .iter()
            .take(MAX_KEYS)
            .filter_map(|key| read_jwk(key, Jwk::FromElsewhere).ok())
            .collect();
        Some(Self(KeySet::new(&raw, &Algorithm::ASYMMETRIC)))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn set(&self) -> &KeySet {
        &self.0
    }
}

impl fmt::Debug for PublicKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKeys({})", self.len())
    }
}

fn keys(set: &Value) -> Option<&Vec<Value>> {
    set.as_object()?.get("keys")?.as_array()
}
