//! The text form: base64url of version, key id, nonce, ciphertext and tag.

use base64ct::{Base64UrlUnpadded, Encoding};
use zeroize::Zeroizing;

pub(super) type KeyId = [u8; 4];

pub(super) struct Sealed {
    pub(super) id: KeyId,
    pub(super) nonce: [u8; 12],
    /// Ciphertext and tag; the plaintext, once opened in place.
    pub(super) bytes: Zeroizing<Vec<u8>>,
}

impl Sealed {
    pub(super) fn write(id: KeyId, nonce: &[u8], bytes: &[u8]) -> String {
        Base64UrlUnpadded::encode_string(&[&[VERSION], &id[..], nonce, bytes].concat())
    }

    /// Reads the text a client sent. There is one text for each value: unused bits must be zero.
    pub(super) fn read(text: &str) -> Option<Self> {
        let bytes = Base64UrlUnpadded::decode_vec(text).ok()?;
        let rest = bytes.strip_prefix(&[VERSION])?;
        let (id, rest) = rest.split_first_chunk()?;
        let (nonce, rest) = rest.split_first_chunk()?;
        Some(Self { id: *id, nonce: *nonce, bytes: Zeroizing::new(rest.to_vec()) })
    }
}

pub(super) const VERSION: u8 = 1;
