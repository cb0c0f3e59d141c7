//! The generic cell rate algorithm (ITU-T I.371) in one atomic word: arithmetic only, the time comes in from outside.
//!
//! A bucket is one number, the *theoretical arrival time*: when everything taken from it so far would have drained at
//! the permitted rate. It is kept in microseconds, so that rates up to a million a second are exact.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::Timestamp;

/// So many in such a time. All of them may come at once; after that they come back one by one, evenly.
///
/// ```
/// use std::time::Duration;
/// use mcp_core::limits::Rate;
///
/// assert_eq!(Rate::per_minute(60), Rate::per_second(1).burst(60));
/// assert_ne!(Rate::new(60, Duration::from_secs(60)), Rate::per_second(1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Microseconds until one more comes back; at least one.
    interval: u64,
    burst: NonZeroU32,
}

impl Rate {
    /// `count` in each `span`. A count of zero is taken as one: a limit that nothing passes is not a rate.
    #[must_use]
    pub fn new(count: u32, span: Duration) -> Self {
        let burst = NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        let span = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        Self { interval: (span / u64::from(burst.get())).max(1), burst }
    }

    /// `count` a second.
    #[must_use]
    pub fn per_second(count: u32) -> Self {
        Self::new(count, Duration::from_secs(1))
    }

    /// `count` a minute.
    #[must_use]
    pub fn per_minute(count: u32) -> Self {
        Self::new(count, Duration::from_secs(60))
    }

    /// The same pace with another number that may come at once. Zero is taken as one.
    #[must_use]
    pub fn burst(mut self, count: u32) -> Self {
        self.burst = NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        self
    }

    /// How far ahead of the present the arrival time may be for one more to fit.
    fn tolerance(self) -> u64 {
        self.interval.saturating_mul(u64::from(self.burst.get() - 1))
    }

    /// The most debt a bucket remembers: twice its size. Whoever goes on failing while shut out stays out for at most
    /// one whole filling longer, and a stranger cannot shut anybody out for good.
    fn ceiling(self) -> u64 {
        self.interval.saturating_mul(2 * u64::from(self.burst.get()))
    }
}

/// One bucket.
#[derive(Debug, Default)]
pub(super) struct Gcra(AtomicU64);

impl Gcra {
    /// When the bucket has room again, in microseconds; at or before the present when it has some.
    fn room_at(&self, rate: Rate, now: u64) -> u64 {
        let ceiling = now.saturating_add(rate.ceiling());
        let mut arrival = self.0.load(Ordering::Relaxed);
        if arrival > ceiling {
            // A clock that was set back leaves arrival times far ahead, and no debt is larger than the ceiling. Written down,
            // so that it gets smaller as time passes.
            self.0.fetch_min(ceiling, Ordering::Relaxed);
            arrival = ceiling;
        }
        arrival.saturating_sub(rate.tolerance())
    }

    /// How long until one more fits; nothing if it does now.
    pub(super) fn wait(&self, rate: Rate, now: Timestamp) -> Option<Duration> {
        let now = micros(now);
        let wait = self.room_at(rate, now).saturating_sub(now);
        (wait > 0).then(|| Duration::from_micros(wait))
    }

    /// Counts one whether it fits or not. Returns when the bucket has room again.
    pub(super) fn charge(&self, rate: Rate, now: Timestamp) -> Timestamp {
        let now = micros(now);
        let ceiling = now.saturating_add(rate.ceiling());
        let charged = |arrival: u64| arrival.max(now).saturating_add(rate.interval).min(ceiling);
        let before =
            self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |arrival| Some(charged(arrival)));
        let arrival = match before {
            Ok(arrival) | Err(arrival) => charged(arrival),
        };
        // Rounded up: whoever waits until then finds room.
        Timestamp::from_millis(arrival.saturating_sub(rate.tolerance()).div_ceil(1000))
    }

    /// Counts one if it fits, and says how long to wait if not.
    pub(super) fn take(&self, rate: Rate, now: Timestamp) -> Result<(), Duration> {
        let now = micros(now);
        let ceiling = now.saturating_add(rate.ceiling());
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |arrival| {
                let arrival = arrival.min(ceiling);
                (arrival <= now.saturating_add(rate.tolerance()))
                    .then(|| arrival.max(now).saturating_add(rate.interval))
            })
            .map(drop)
            .map_err(|_| Duration::from_micros(self.room_at(rate, now).saturating_sub(now).max(1)))
    }
}

fn micros(at: Timestamp) -> u64 {
    at.as_millis().saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: Timestamp = Timestamp::from_secs(1_700_000_000);

    fn after(millis: u64) -> Timestamp {
        START + Duration::from_millis(millis)
    }

    #[test]
    fn as_many_as_the_burst_fit_at_once_and_then_one_by_one() {
        let rate = Rate::per_second(4);
        let bucket = Gcra::default();
        for _ in 0..4 {
            assert_eq!(bucket.take(rate, START), Ok(()));
        }
        assert_eq!(bucket.take(rate, START), Err(Duration::from_millis(250)));
        assert_eq!(bucket.take(rate, after(249)), Err(Duration::from_millis(1)));
        assert_eq!(bucket.take(rate, after(250)), Ok(()));
        assert!(bucket.take(rate, after(250)).is_err());
        for _ in 0..4 {
            assert_eq!(bucket.take(rate, after(10_000)), Ok(()));
        }
        assert!(bucket.take(rate, after(10_000)).is_err());
    }

    #[test]
    fn what_is_charged_beyond_the_burst_is_remembered_up_to_the_ceiling() {
        let rate = Rate::per_second(4);
        let bucket = Gcra::default();
        for _ in 0..3 {
            bucket.charge(rate, START);
        }
        assert_eq!(bucket.wait(rate, START), None);
        assert_eq!(bucket.charge(rate, START), after(250));
        assert_eq!(bucket.wait(rate, START), Some(Duration::from_millis(250)));
        let mut free_at = START;
        for _ in 0..1000 {
            free_at = bucket.charge(rate, START);
        }
        assert_eq!(free_at, after(1250));
        assert!(bucket.wait(rate, after(1249)).is_some());
        assert_eq!(bucket.wait(rate, after(1250)), None);
    }

    #[test]
    fn a_clock_that_was_set_back_shuts_nobody_out_for_long() {
        let rate = Rate::per_second(4);
        let bucket = Gcra::default();
        for _ in 0..8 {
            bucket.charge(rate, START);
        }
        let earlier = START - Duration::from_secs(86_400);
        let wait = bucket.take(rate, earlier).unwrap_err();
        assert!(wait <= Duration::from_secs(2));
        assert_eq!(bucket.wait(rate, earlier), Some(wait));
        // Whoever waits as long as told gets in.
        assert_eq!(bucket.take(rate, earlier + wait), Ok(()));
    }

    #[test]
    fn odd_rates_are_rates_all_the_same() {
        for rate in [
            Rate::new(0, Duration::ZERO),
            Rate::new(u32::MAX, Duration::MAX),
            Rate::new(u32::MAX, Duration::from_nanos(1)),
            Rate::new(1, Duration::MAX),
        ] {
            let bucket = Gcra::default();
            assert_eq!(bucket.take(rate, START), Ok(()));
            bucket.charge(rate, Timestamp::from_millis(u64::MAX));
            bucket.wait(rate, Timestamp::default());
        }
    }

    proptest! {
        /// Over any stretch of time no more pass than the burst and what comes back meanwhile.
        #[test]
        fn never_more_than_burst_and_refill(
            count in 1..50u32,
            span in 1..10_000u64,
            steps in prop::collection::vec(0..2_000u64, 1..300),
        ) {
            let rate = Rate::new(count, Duration::from_millis(span));
            let bucket = Gcra::default();
            let (mut now, mut passed) = (0, 0u64);
            for step in steps {
                now += step;
                if let Err(wait) = bucket.take(rate, after(now)) {
                    prop_assert!(wait <= Duration::from_micros(rate.interval));
                    // Whoever waits as long as told gets in.
                    let told = bucket.wait(rate, after(now));
                    prop_assert_eq!(told, Some(wait));
                } else {
                    passed += 1;
                }
            }
            prop_assert!(passed <= u64::from(count) + now * 1000 / rate.interval);
        }
    }
}
