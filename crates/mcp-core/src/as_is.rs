//! A hasher for keys that are keyed hashes already.

use std::hash::{BuildHasher, Hasher};

/// Takes a key's 64 bits as its hash. Only for keys whose own hash is made with a secret of this process: of any other, a
/// peer could choose which fall together.
#[derive(Clone, Debug, Default)]
pub(crate) struct AsIs(u64);

impl BuildHasher for AsIs {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        Self(0)
    }
}

impl Hasher for AsIs {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
