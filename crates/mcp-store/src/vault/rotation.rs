//! New keys, and old ones that go.

use std::time::Duration;

use mcp_core::Timestamp;

use super::Vault;
use super::keys::RING_AGE;
use super::ring::{Ring, SETTLED};
use crate::StoreError;

impl Vault {
    /// How long after [`rotate`](Self::rotate) the new key is used: every server has read the ring again by then, and so
    /// nobody meets a key that it does not know.
    pub const ROTATION_DELAY: Duration = RING_AGE.saturating_mul(2);

    /// How long after a new key came into use records under the old one may still be written, by servers that are slow or
    /// whose clocks are late.
    pub const SETTLING_TIME: Duration = SETTLED;

    /// Adds a key. After [`ROTATION_DELAY`](Self::ROTATION_DELAY) every server seals new records under it; what is sealed
    /// already stays readable. While a new key is not yet in use, there is no need for another, and none is made: several
    /// servers may rotate at once. Says from when on the new key is used.
    ///
    /// One key is good for 2^32 records. A [`Sweeper`](super::Sweeper) rotates in time.
    ///
    /// # Errors
    /// When the store cannot be written or the root key cannot be used. Whether there is a new key after
    /// [`StoreError::is_unknown`] does not matter: rotate again.
    pub async fn rotate(&self) -> Result<Timestamp, StoreError> {
        let now = self.now();
        if self.ring().len() >= MANY_KEYS {
            return Err(StoreError::invalid("the ring has 1000 keys: seal anew what is under old ones"));
        }
        let ring = self.0.keys.change(|ring| {
            let pending = ring.newest() > now;
            (!pending).then(|| ring.with_new_key(now + Self::ROTATION_DELAY))
        });
        Ok(ring.await?.newest())
    }

    /// Drops the keys under which nothing can be sealed any more: a complete pass of [`reseal`](Self::reseal) began after
    /// the [`SETTLING_TIME`](Self::SETTLING_TIME) of their successor. Says how many. What was copied out of the store before,
    /// nobody can read from then on who has not a copy of the old ring as well.
    ///
    /// # Errors
    /// As [`rotate`](Self::rotate).
    pub async fn forget_unused_keys(&self) -> Result<usize, StoreError> {
        let before = self.ring().len();
        let ring = self.0.keys.change(Ring::without_unused).await?;
        Ok(before.saturating_sub(ring.len()))
    }
}

/// A ring of so many keys is still well within what one record holds.
const MANY_KEYS: usize = 1000;
