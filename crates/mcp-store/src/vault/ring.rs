//! The key ring: the keys that records are sealed under, and how it is kept in the store itself.
//!
//! ```text
//! stored   01 │ length of the wrapped key, 2 bytes │ wrapped key │ nonce, 12 │ ciphertext │ tag, 16
//! within   01 │ ring id, 16 │ version, 8 │ key for names, 32 │ resealed, 8 │ (key id, 4 │ from, 8 │ key, 32)…
//! ```
//!
//! The ring is sealed under a fresh key, which the root key wraps: so the root key may be one that never leaves its module.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

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

#[derive(Clone)]
pub(super) struct DataKey {
    pub(super) id: KeyId,
    /// From when on it is used for new records.
    pub(super) from: Timestamp,
    key: Zeroizing<[u8; 32]>,
    pub(super) aead: AeadKey,
    /// How many records this server has sealed under it since it started.
    used: Arc<AtomicU64>,
}

impl Ring {
    /// A ring with one key, in use at once.
    pub(super) fn new(now: Timestamp) -> Self {
        let names = Zeroizing::new(random_bytes());
        let key = DataKey::new(random_bytes(), now, Zeroizing::new(random_bytes()));
        Self {
            id: random_bytes(),
            version: 1,
            hmac: hmac::Key::new(hmac::HMAC_SHA256, &*names),
            names,
            resealed: Timestamp::default(),
            keys: vec![key],
        }
    }

    /// The key for new records; the first one also before its time, where a clock is late.
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

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// From when on the newest key is used.
    pub(super) fn newest(&self) -> Timestamp {
        self.keys.last().map_or_else(Timestamp::default, |key| key.from)
    }

    /// Whether another key has come into use after the first one.
    pub(super) fn has_superseded(&self, now: Timestamp) -> bool {
        self.keys.get(1).is_some_and(|key| key.from <= now)
    }

    /// Whether a pass of sealing anew that begins now would let keys be forgotten that cannot be yet.
    pub(super) fn wants_reseal(&self, now: Timestamp) -> bool {
        let settled = |began| self.keys.iter().skip(1).take_while(|key| key.from + SETTLED <= began).count();
        settled(now) > settled(self.resealed)
    }

    /// Whether this is the other at an earlier time.
    pub(super) fn is_older_than(&self, other: &Self) -> bool {
        self.continues(other) && self.version < other.version
    }

    /// Whether this is the other, at any time.
    pub(super) fn continues(&self, other: &Self) -> bool {
        self.id == other.id
    }

    /// With one more key. It comes into use after all others, whatever the clock says.
    pub(super) fn with_new_key(&self, from: Timestamp) -> Self {
        let from = from.max(self.newest() + Duration::from_millis(1));
        let mut id = random_bytes();
        while self.find(id).is_some() {
            id = random_bytes();
        }
        let mut ring = self.next();
        ring.keys.push(DataKey::new(id, from, Zeroizing::new(random_bytes())));
        ring
    }

    /// Where a pass of sealing anew that began then is complete; `None` if one that began later is.
    pub(super) fn with_resealed(&self, began: Timestamp) -> Option<Self> {
        (began > self.resealed).then(|| Self { resealed: began, ..self.next() })
    }

    /// Without the keys that nothing can be sealed under any more; `None` if there is none.
    pub(super) fn without_unused(&self) -> Option<Self> {
        let unused = self.keys.iter().skip(1).take_while(|key| key.from + SETTLED <= self.resealed).count();
        (unused > 0).then(|| Self { keys: self.keys[unused..].to_vec(), ..self.next() })
    }

    /// With all keys of an earlier time of this ring, some of which may have been forgotten since: records that are under
    /// them have come back with it.
    pub(super) fn with_keys_of(&self, earlier: &Self) -> Self {
        let mut ring = self.next();
        ring.keys.extend(earlier.keys.iter().filter(|key| self.find(key.id).is_none()).cloned());
        ring.keys.sort_by_key(|key| key.from);
        ring.resealed = ring.resealed.min(earlier.resealed);
        ring
    }

    /// The same keys, one change later: to be sealed anew.
    pub(super) fn next(&self) -> Self {
        Self {
            id: self.id,
            version: self.version.saturating_add(1),
            names: self.names.clone(),
            hmac: self.hmac.clone(),
            resealed: self.resealed,
            keys: self.keys.clone(),
        }
    }

    /// Counts the use of keys on from what was known before.
    pub(super) fn go_on_counting(&mut self, before: &Self) {
        for key in &mut self.keys {
            if let Some(known) = before.find(key.id) {
                key.used = known.used.clone();
            }
        }
    }

    /// The form it is stored in.
    pub(super) async fn seal(&self, root: &RootKey) -> Result<Bytes, StoreError> {
        let outer = SecretKey::random();
        let wrapped = root.wrap(&outer).await?;
        let length = u16::try_from(wrapped.len()).ok().filter(|length| *length <= MAX_WRAPPED);
        let length = length.ok_or(StoreError::invalid("a wrapped key is larger than 16 KiB"))?;
        let header = [&[FORMAT][..], &length.to_be_bytes(), &wrapped].concat();
        Ok(AeadKey::derive(&outer, RING).seal(&header, &header, &self.write()).into())
    }

    /// Reads the form it is stored in, and says whether that was made under a root key of before.
    pub(super) async fn open(stored: &[u8], root: &RootKey) -> Result<(Self, bool), StoreError> {
        let damaged = || StoreError::corrupt("the key ring is damaged or of a later version");
        let rest = stored.strip_prefix(&[FORMAT]).ok_or_else(damaged)?;
        let (length, rest) = rest.split_first_chunk().ok_or_else(damaged)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (wrapped, sealed) = rest.split_at_checked(length).ok_or_else(damaged)?;
        let (outer, stale) = root.unwrap(wrapped).await?;
        let header = &stored[..stored.len() - sealed.len()];
        let bytes = AeadKey::derive(&outer, RING).open(sealed, header).ok_or_else(damaged)?;
        Ok((Self::read(&bytes).ok_or_else(damaged)?, stale))
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
        Self { id, from, aead: AeadKey::new(&key), key, used: Arc::default() }
    }

    /// Counts records that are sealed, and says how many there are with these.
    pub(super) fn count(&self, records: u64) -> u64 {
        self.used.fetch_add(records, Ordering::Relaxed).saturating_add(records)
    }

    fn read(bytes: &[u8; KEY]) -> Option<Self> {
        let (id, rest) = bytes.split_first_chunk()?;
        let (from, rest) = rest.split_first_chunk()?;
        let key = Zeroizing::new(rest.try_into().ok()?);
        Some(Self::new(*id, Timestamp::from_millis(u64::from_be_bytes(*from)), key))
    }
}

/// How long after a key came into use the one before may still be written with.
pub(super) const SETTLED: Duration = Duration::from_secs(3600);

const FORMAT: u8 = 1;
const RING: &[u8] = b"key ring";
const MAX_WRAPPED: u16 = 16 * 1024;
/// Of the form within: what comes before the keys, and one key.
const HEAD: usize = 1 + 16 + 8 + 32 + 8;
const KEY: usize = 4 + 8 + 32;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(delays in prop::collection::vec(0..u64::MAX / 4, 0..5), resealed in 1..u64::MAX) {
            let mut ring = Ring::new(Timestamp::from_millis(7));
            for delay in delays {
                ring = ring.with_new_key(Timestamp::from_millis(delay));
            }
            let ring = ring.with_resealed(Timestamp::from_millis(resealed)).unwrap();
            let read = Ring::read(&ring.write()).unwrap();
            prop_assert_eq!(read.write(), ring.write());
            prop_assert!(read.keys.is_sorted_by(|a, b| a.from < b.from));
            prop_assert!(read.continues(&ring) && !read.is_older_than(&ring));
        }

        #[test]
        fn other_bytes_are_no_ring(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let read = [Ring::read(&bytes), Ring::read(&[&[FORMAT], &bytes[..]].concat())];
            let whole = |length: usize| length > HEAD && (length - HEAD).is_multiple_of(KEY);
            prop_assert_eq!(read[1].is_some(), whole(bytes.len() + 1));
            prop_assert!(read[0].is_none() || bytes[0] == FORMAT);
        }

        #[test]
        fn a_key_is_there_as_long_as_it_is_needed(
            steps in prop::collection::vec((1_u64..200_000_000, any::<bool>()), 0..12),
            now in 0_u64..2_000_000_000,
        ) {
            let (mut ring, mut at) = (Ring::new(Timestamp::default()), Timestamp::default());
            for (delay, rotates) in steps {
                at = at + Duration::from_millis(delay);
                let before = ring.keys.iter().map(|key| (key.id, key.from)).collect::<Vec<_>>();
                if rotates {
                    ring = ring.with_new_key(at);
                } else if let Some(fresh) = ring.with_resealed(at).and_then(|ring| ring.without_unused()) {
                    ring = fresh;
                    // Gone are only keys whose successor had settled when the pass began.
                    for (position, (id, _)) in before.iter().enumerate() {
                        let settled = before.get(position + 1).is_some_and(|(_, from)| *from + SETTLED <= at);
                        prop_assert_eq!(ring.find(*id).is_none(), settled);
                    }
                }
            }
            let now = Timestamp::from_millis(now);
            let current = ring.current(now).from;
            prop_assert!(ring.keys.iter().all(|key| key.from <= current || key.from > now));
        }
    }
}
