//! Tokens verified before: bounded, and forgotten at the latest when they end or their issuer's keys change.
//!
//! The key is the token's SHA-256 (so that no token lies in memory for longer than its request) together with the
//! resource it was judged for: what is good at one resource says nothing of another.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use mcp_core::Timestamp;
use quick_cache::Equivalent;
use quick_cache::sync::Cache;

use crate::rules::VerifiedToken;

pub(crate) struct VerifiedTokens {
    tokens: Option<Cache<Key, Known>>,
    at_most: Duration,
}

/// A token verified before.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) token: std::sync::Arc<VerifiedToken>,
    /// Which issuer, by place, and which edition of its keys.
    pub(crate) issuer: usize,
    pub(crate) edition: u64,
    until: Timestamp,
}

#[derive(PartialEq, Eq)]
struct Key {
    digest: [u8; 32],
    resource: Box<str>,
}

struct Wanted<'a> {
    digest: &'a [u8; 32],
    resource: &'a str,
}

// A digest needs little hashing, and a token is seldom good at two resources.
impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Wanted { digest: &self.digest, resource: &self.resource }.hash(state);
    }
}

impl Hash for Wanted<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [a, b, c, d, e, f, g, h, ..] = *self.digest;
        state.write_u64(u64::from_ne_bytes([a, b, c, d, e, f, g, h]));
    }
}

impl Equivalent<Key> for Wanted<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self.digest == key.digest && *self.resource == *key.resource
    }
}

impl VerifiedTokens {
    /// Room for so many tokens, each for so long. No room: nothing is remembered.
    pub(crate) fn new(capacity: usize, at_most: Duration) -> Self {
        let tokens = (capacity > 0 && !at_most.is_zero()).then(|| Cache::new(capacity));
        Self { tokens, at_most }
    }

    /// The token, if it was verified for this resource and has not ended. The caller compares the edition of keys.
    pub(crate) fn get(&self, digest: &[u8; 32], resource: &str, now: Timestamp) -> Option<Known> {
        self.tokens.as_ref()?.get(&Wanted { digest, resource }).filter(|known| now < known.until)
    }

    pub(crate) fn remember(
        &self,
        digest: &[u8; 32],
        resource: &str,
        now: Timestamp,
        (issuer, edition): (usize, u64),
        token: VerifiedToken,
    ) -> std::sync::Arc<VerifiedToken> {
        let token = std::sync::Arc::new(token);
        if let Some(tokens) = &self.tokens {
            let key = Key { digest: *digest, resource: resource.into() };
            let known = Known {
                issuer,
                edition,
                until: token.expires.min(now + self.at_most),
                token: std::sync::Arc::clone(&token),
            };
            tokens.insert(key, known);
        }
        token
    }
}
