//! Nonces that nobody has to remember: the time they were made at, and a MAC over it (RFC 9449 §8.2, spec EXT-DP-04).

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mcp_core::{SecretKey, Timestamp};

pub(super) struct Nonces(hmac::Key);

impl Nonces {
    pub(super) fn new(key: &SecretKey) -> Self {
        // A key of its own: what else the secret is used for, its MACs are none of these.
        let master = hmac::Key::new(hmac::HMAC_SHA256, key.expose());
        let own = hmac::sign(&master, b"mcp-auth-jwt dpop nonce 1");
        Self(hmac::Key::new(hmac::HMAC_SHA256, own.as_ref()))
    }

    pub(super) fn make(&self, now: Timestamp) -> String {
        let time = now.as_millis().to_be_bytes();
        let tag = hmac::sign(&self.0, &time);
        URL_SAFE_NO_PAD.encode([time.as_slice(), tag.as_ref()].concat())
    }

    pub(super) fn is_good(&self, nonce: &str, now: Timestamp) -> bool {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(nonce) else {
            return false;
        };
        let Some((time, tag)) = bytes.split_first_chunk::<8>() else {
            return false;
        };
        let made_at = Timestamp::from_millis(u64::from_be_bytes(*time));
        // Another node's clock may be a little ahead.
        hmac::verify(&self.0, time, tag).is_ok()
            && now.since(made_at) <= LIFETIME
            && made_at.since(now) <= Duration::from_secs(30)
    }
}

const LIFETIME: Duration = Duration::from_secs(5 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonces_of_others_and_of_yesterday_are_no_good() {
        let now = Timestamp::from_secs(1_000_000);
        let key = SecretKey::new([7; 32]).unwrap();
        let nonces = Nonces::new(&key);
        let nonce = nonces.make(now);
        assert!(nonces.is_good(&nonce, now + LIFETIME));
        assert!(Nonces::new(&key).is_good(&nonce, now));
        assert!(!nonces.is_good(&nonce, now + LIFETIME + Duration::from_millis(1)));
        assert!(!nonces.is_good(&nonce, now - Duration::from_secs(31)));
        assert!(!Nonces::new(&SecretKey::random()).is_good(&nonce, now));
        for bad in ["", "abc", "!", &nonce[1..], &nonce[..20]] {
            assert!(!nonces.is_good(bad, now), "{bad}");
        }
    }
}
