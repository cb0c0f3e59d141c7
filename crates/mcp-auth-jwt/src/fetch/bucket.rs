//! How often strangers may make us fetch.

use std::time::Duration;

use mcp_core::Timestamp;

/// A token bucket: a few at once, then one per interval.
#[derive(Debug)]
pub(crate) struct Bucket {
    most: u32,
    every: Duration,
    left: u32,
    /// When the count was last brought up to date: always a whole number of intervals after it was full.
    counted_at: Timestamp,
}

impl Bucket {
    pub(crate) fn new(most: u32, every: Duration) -> Self {
        Self { most, every, left: most, counted_at: Timestamp::default() }
    }

    /// Takes one, or says how long until there is one.
    pub(crate) fn take(&mut self, now: Timestamp) -> Result<(), Duration> {
        let step = self.every.as_millis().max(1);
        let due = now.since(self.counted_at).as_millis() / step;
        let refilled = u128::from(self.left) + due;
        if refilled >= u128::from(self.most) {
            self.left = self.most;
            self.counted_at = now;
        } else {
            let due = u32::try_from(due).unwrap_or(u32::MAX);
            self.left += due;
            self.counted_at = self.counted_at + self.every * due;
        }
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err((self.counted_at + self.every).since(now)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_three_at_once_and_then_one_per_interval() {
        let start = Timestamp::from_secs(1_000_000);
        let mut bucket = Bucket::new(3, Duration::from_secs(30));
        let mut taken = 0;
        for second in 0..300 {
            for _ in 0..100 {
                taken += u32::from(bucket.take(start + Duration::from_secs(second)).is_ok());
            }
        }
        assert_eq!(taken, 3 + 9);
        let later = start + Duration::from_secs(309);
        assert_eq!(bucket.take(start + Duration::from_secs(300)), Ok(()));
        assert_eq!(bucket.take(later), Err(Duration::from_secs(21)));
        // A clock that goes back gives nothing away.
        assert!(bucket.take(start).is_err());
        // After a long rest it is full, not fuller.
        let rested = start + Duration::from_secs(100_000);
        assert_eq!((0..9).filter(|_| bucket.take(rested).is_ok()).count(), 3);
    }
}
