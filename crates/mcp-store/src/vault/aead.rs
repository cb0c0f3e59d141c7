//! AES-256-GCM with random nonces.

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{self, HKDF_SHA256, Salt};
use mcp_core::{SecretKey, random_bytes};
use zeroize::Zeroizing;

/// A key, expanded once. Good for 2^32 messages (NIST SP 800-38D §8.3).
#[derive(Clone)]
pub(super) struct AeadKey(Arc<LessSafeKey>);

impl AeadKey {
    #[expect(
        clippy::expect_used,
        reason = "a constant length that suits the algorithm; no peer has a part in it"
    )]
    pub(super) fn new(key: &[u8; 32]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, key).expect("AES-256 takes 32 bytes");
        Self(Arc::new(LessSafeKey::new(key)))
    }

    /// A key of its own for this purpose.
    #[expect(
        clippy::expect_used,
        reason = "a constant length that suits the algorithm; no peer has a part in it"
    )]
    pub(super) fn derive(secret: &SecretKey, purpose: &[u8]) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        Salt::new(HKDF_SHA256, b"mcp-store v1")
            .extract(secret.expose())
            .expand(&[purpose], ThirtyTwo)
            .and_then(|bytes| bytes.fill(&mut *key))
            .expect("HKDF gives up to 255 blocks");
        Self::new(&key)
    }

    /// The header as it is, then nonce, ciphertext and tag.
    #[expect(clippy::expect_used, reason = "AES-GCM fails only over 64 GiB, which no caller gives it")]
    pub(super) fn seal(&self, header: &[u8], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE_LEN] = random_bytes();
        let mut sealed = Vec::with_capacity(header.len() + plaintext.len() + OVERHEAD);
        sealed.extend_from_slice(header);
        sealed.extend_from_slice(&nonce);
        let start = sealed.len();
        sealed.extend_from_slice(plaintext);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce, Aad::from(aad), &mut sealed[start..])
            .expect("short enough");
        sealed.extend_from_slice(tag.as_ref());
        sealed
    }

    /// Opens what follows the header; `None` if it was sealed under another key or is not as it was.
    pub(super) fn open(&self, sealed: &[u8], aad: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut plaintext = Zeroizing::new(rest.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self.0.open_in_place(nonce, Aad::from(aad), &mut plaintext).ok()?.len();
        plaintext.truncate(length);
        Some(plaintext)
    }
}

struct ThirtyTwo;

impl hkdf::KeyType for ThirtyTwo {
    fn len(&self) -> usize {
        32
    }
}

/// What sealing adds to a plaintext, beside the header: nonce and tag.
pub(super) const OVERHEAD: usize = NONCE_LEN + 16;
