//! The key ring: the keys that records are sealed under, and how it is kept in the store itself.
//!
//! ```text
//! stored   01 │ length of the wrapped key, 2 bytes │ wrapped key │ nonce, 12 │ ciphertext │ tag, 16
//! within   01 │ ring id, 16 │ version, 8 │ key for names, 32 │ resealed, 8 │ (key id, 4 │ from, 8 │ key, 32)…
//! ```
//!
//! The ring is sealed under a fresh key, which the root key wraps: so the root key may be one that never leaves its module.

use aws_lc_rs::hmac;
use bytes::Bytes;
use mcp_core::{SecretKey, Timestamp, random_bytes};
use zeroize::Zeroizing;

use super::aead::AeadKey;
use super::root_key::RootKey;
use crate::StoreError;

/// Names a data key in front of what is sealed under it.
pub(super) type KeyId = [u8; 4];

/// All keys of a store.
pub(super) struct Ring {
    /// Tells this ring from another that took its place.
    id: [u8; 16],
    /// One more with each change.
    version: u64,
    names: Zeroizing<[u8; 32]>,
    hmac: hmac::Key,
    /// When the last complete pass of sealing anew began.
    resealed: Timestamp,
    /// Never empty; in the order in which they come into use.
    keys: Vec<DataKey>,
}

pub(super) struct DataKey {
    pub(super) id: KeyId,
    /// From when on it is used for new records.
    pub(super) from: Timestamp,
    key: Zeroizing<[u8; 32]>,
    pub(super) aead: AeadKey,
}

impl Ring {
    /// A ring with one key, in use at once.
    pub(super) fn new() -> Self {
        let names = Zeroizing::new(random_bytes());
        let key = DataKey::new(random_bytes(), Timestamp::default(), Zeroizing::new(random_bytes()));
        Self {
            id: random_bytes(),
            version: 1,
            hmac: hmac::Key::new(hmac::HMAC_SHA256, &*names),
            names,
            resealed: Timestamp::default(),
            keys: vec![key],
        }
    }

    /// The key for new records.
    pub(super) fn current(&self, now: Timestamp) -> &DataKey {
        self.keys.iter().rev().find(|key| key.from <= now).unwrap_or(&self.keys[0])
    }

    pub(super) fn find(&self, id: KeyId) -> Option<&DataKey> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// The key under which names are hashed. The same for the whole life of the ring.
    pub(super) fn hmac(&self) -> &hmac::Key {
        &self.hmac
    }

    /// The form it is stored in.
    pub(super) async fn seal(&self, root: &RootKey) -> Result<Bytes, StoreError> {
        let outer = SecretKey::random();
        let wrapped = root.wrapper().wrap(&outer).await?;
        let length = u16::try_from(wrapped.len()).ok().filter(|length| *length <= MAX_WRAPPED);
        let length = length.ok_or(StoreError::invalid("a wrapped key is larger than 16 KiB"))?;
        let header = [&[FORMAT][..], &length.to_be_bytes(), &wrapped].concat();
        Ok(AeadKey::derive(&outer, RING).seal(&header, &header, &self.write()).into())
    }

    /// Reads the form it is stored in.
    pub(super) async fn open(stored: &[u8], root: &RootKey) -> Result<Self, StoreError> {
        let damaged = || StoreError::corrupt("the key ring is damaged or of a later version");
        let rest = stored.strip_prefix(&[FORMAT]).ok_or_else(damaged)?;
        let (length, rest) = rest.split_first_chunk().ok_or_else(damaged)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (wrapped, sealed) = rest.split_at_checked(length).ok_or_else(damaged)?;
        let outer = root.wrapper().unwrap(wrapped).await?;
        let header = &stored[..stored.len() - sealed.len()];
        let bytes = AeadKey::derive(&outer, RING).open(sealed, header).ok_or_else(damaged)?;
        Self::read(&bytes).ok_or_else(damaged)
    }

    fn write(&self) -> Zeroizing<Vec<u8>> {
        // Of the final size at once: growing would leave copies of the keys behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(HEAD + self.keys.len() * KEY));
        bytes.push(FORMAT);
        bytes.extend_from_slice(&self.id);
        bytes.extend_from_slice(&self.version.to_be_bytes());
        bytes.extend_from_slice(&*self.names);
        bytes.extend_from_slice(&self.resealed.as_millis().to_be_bytes());
        for key in &self.keys {
            bytes.extend_from_slice(&key.id);
            bytes.extend_from_slice(&key.from.as_millis().to_be_bytes());
            bytes.extend_from_slice(&*key.key);
        }
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&[FORMAT])?;
        let (id, rest) = rest.split_first_chunk()?;
        let (version, rest) = rest.split_first_chunk()?;
        let (names, rest) = rest.split_first_chunk::<32>()?;
        let (resealed, rest) = rest.split_first_chunk()?;
        let (keys, rest) = rest.as_chunks::<KEY>();
        if keys.is_empty() || !rest.is_empty() {
            return None;
        }
        Some(Self {
            id: *id,
            version: u64::from_be_bytes(*version),
            names: Zeroizing::new(*names),
            hmac: hmac::Key::new(hmac::HMAC_SHA256, names),
            resealed: Timestamp::from_millis(u64::from_be_bytes(*resealed)),
            keys: keys.iter().map(DataKey::read).collect::<Option<_>>()?,
        })
    }
}

impl DataKey {
    fn new(id: KeyId, from: Timestamp, key: Zeroizing<[u8; 32]>) -> Self {
        Self { id, from, aead: AeadKey::new(&key), key }
    }

    fn read(bytes: &[u8; KEY]) -> Option<Self> {
        let (id, rest) = bytes.split_first_chunk()?;
        let (from, rest) = rest.split_first_chunk()?;
        let key = Zeroizing::new(rest.try_into().ok()?);
        Some(Self::new(*id, Timestamp::from_millis(u64::from_be_bytes(*from)), key))
    }
}

const FORMAT: u8 = 1;
const RING: &[u8] = b"key ring";
const MAX_WRAPPED: u16 = 16 * 1024;
/// Of the form within: what comes before the keys, and one key.
const HEAD: usize = 1 + 16 + 8 + 32 + 8;
const KEY: usize = 4 + 8 + 32;
