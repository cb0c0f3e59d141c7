//! How a value is sealed.
//!
//! ```text
//! 01 │ key id, 4 │ nonce, 12 │ ciphertext │ tag, 16
//! ```
//!
//! Bound to it are its partition, its name, its end and the key id: whoever can write the database can neither move a value,
//! nor make it live longer, nor pass it off as another. Putting back an older value of the same name is beyond what sealing
//! can prevent.

use bytes::Bytes;
use mcp_core::Timestamp;
use zeroize::Zeroizing;

use super::aead;
use super::ring::{DataKey, KeyId};
use crate::{MAX_VALUE, Name, Partition};

/// Where a value lives and until when.
pub(super) struct Place<'a> {
    pub(super) partition: &'a Partition,
    pub(super) name: &'a Name,
    pub(super) expires_at: Option<Timestamp>,
}

impl Place<'_> {
    /// Lengths stand before texts, so that no two places have the same form.
    fn aad(&self, id: KeyId) -> Vec<u8> {
        let mut aad = Vec::with_capacity(32 + self.partition.as_str().len() + self.name.as_str().len());
        aad.push(FORMAT);
        aad.extend_from_slice(&id);
        for text in [self.partition.as_str(), self.name.as_str()] {
            // Keys are at most 128 bytes.
            aad.extend_from_slice(&(text.len() as u64).to_be_bytes());
            aad.extend_from_slice(text.as_bytes());
        }
        if let Some(end) = self.expires_at {
            aad.extend_from_slice(&end.as_millis().to_be_bytes());
        }
        aad
    }
}

pub(super) fn seal(key: &DataKey, place: &Place<'_>, plaintext: &[u8]) -> Bytes {
    let [a, b, c, d] = key.id;
    key.aead.seal(&[FORMAT, a, b, c, d], &place.aad(key.id), plaintext).into()
}

/// Which key a value is sealed under; `None` if it is no sealed value.
pub(super) fn key_id(value: &[u8]) -> Option<KeyId> {
    value.strip_prefix(&[FORMAT])?.first_chunk().copied()
}

pub(super) fn open(key: &DataKey, place: &Place<'_>, value: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    key.aead.open(value.get(HEADER..)?, &place.aad(key.id))
}

const FORMAT: u8 = 1;
const HEADER: usize = 1 + size_of::<KeyId>();

/// The most bytes a value may have before it is sealed.
pub(super) const MAX_PLAINTEXT: usize = MAX_VALUE - HEADER - aead::OVERHEAD;
