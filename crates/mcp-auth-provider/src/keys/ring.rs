//! Which key signs, which are published and what has to change, decided from the record and the time alone: nodes that read
//! the same record agree without talking to each other.
//!
//! ```text
//! made ── published ──▶ signs ──────────▶ its successor signs ── published ──▶ gone
//!      at least LEAD         the interval                     until its last token ended
//! ```

use std::time::Duration;

use mcp_core::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::as_text;

/// How long a key is published before it signs: many times as long as the key set may be kept by others.
pub(super) const LEAD: Duration = Duration::from_secs(3600);
/// For nodes that learn late and clocks that differ.
const SLACK: Duration = Duration::from_secs(600);
/// More keys than this mean that somebody rotates in a loop; the record must not outgrow the store.
const MOST_KEYS: usize = 8;
/// As many that were taken back are remembered.
const MOST_RETIRED: usize = 64;

/// All keys of a server, in the order in which they sign.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Ring {
    keys: Vec<RingKey>,
    retired: Vec<RetiredKey>,
}

/// A key, private part and all: the vault seals it.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct RingKey {
    pub(super) id: String,
    pub(super) algorithm: String,
    pub(super) pem: String,
    #[serde(with = "as_text::millis")]
    pub(super) made_at: Timestamp,
    #[serde(with = "as_text::millis")]
    pub(super) signs_from: Timestamp,
    /// The longest life of a token it may have signed, in milliseconds.
    longest: u64,
}

impl Drop for RingKey {
    fn drop(&mut self) {
        self.pem.zeroize();
    }
}

/// A key that was taken back: what it signed is refused, as long as any of that could live.
#[derive(Clone, Serialize, Deserialize)]
struct RetiredKey {
    id: String,
    #[serde(with = "as_text::millis")]
    until: Timestamp,
}

/// A key that was made and is in no ring yet.
pub(super) struct Fresh {
    pub(super) id: String,
    pub(super) algorithm: String,
    pub(super) pem: Zeroizing<String>,
}

/// How a server wants its keys.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) algorithm: String,
    pub(super) every: Duration,
    /// The longest life of a token.
    pub(super) longest: Duration,
}

/// What a key is there for at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Next,
    Signs,
    Verifies,
}

impl Ring {
    /// The keys that verifiers must know at this moment, with what they are there for and until when, if that is certain.
    pub(super) fn published(
        &self,
        now: Timestamp,
    ) -> impl Iterator<Item = (&RingKey, Use, Option<Timestamp>)> {
        let signer = self.signer_index(now);
        self.keys.iter().enumerate().filter_map(move |(index, key)| {
            let end = self.end_of(index);
            let used = match index.cmp(&signer) {
                std::cmp::Ordering::Less => Use::Verifies,
                std::cmp::Ordering::Equal => Use::Signs,
                std::cmp::Ordering::Greater => Use::Next,
            };
            let over = used == Use::Verifies && end.is_some_and(|end| end <= now);
            (!over).then_some((key, used, end))
        })
    }

    /// The key that signs at this moment.
    pub(super) fn signer(&self, now: Timestamp) -> Option<&RingKey> {
        self.keys.get(self.signer_index(now))
    }

    /// Whether a key was taken back.
    pub(super) fn is_retired(&self, id: &str) -> bool {
        self.retired.iter().any(|key| key.id == id)
    }

    pub(super) fn keys(&self) -> &[RingKey] {
        &self.keys
    }

    /// Whether the next step of [`maintain`](Self::maintain) takes a new key.
    pub(super) fn wants_key(&self, policy: &Policy, now: Timestamp) -> bool {
        let Some(last) = self.keys.last() else { return true };
        let waiting = last.signs_from > now;
        let old = now + LEAD >= last.signs_from + policy.every;
        !waiting && (old || last.algorithm != policy.algorithm) && self.keys.len() < MOST_KEYS
    }

    /// Does what is due. Whether anything changed.
    pub(super) fn maintain(&mut self, policy: &Policy, now: Timestamp, fresh: Option<Fresh>) -> bool {
        let mut changed = false;
        // A node whose clock was far ahead may have put a key far into the future, where it would block all that follow.
        let latest = now + LEAD + SLACK;
        for key in self.keys.iter_mut().skip(1).filter(|key| key.signs_from > latest) {
            key.signs_from = now + LEAD;
            changed = true;
        }
        let signer = self.signer_index(now);
        let longest = millis(policy.longest);
        for key in self.keys.iter_mut().skip(signer).filter(|key| key.longest < longest) {
            key.longest = longest;
            changed = true;
        }
        if let Some(fresh) = fresh.filter(|_| self.wants_key(policy, now)) {
            let signs_from = match self.keys.last() {
                None => now,
                Some(last) if last.algorithm == policy.algorithm => {
                    (last.signs_from + policy.every).max(now + LEAD)
                }
                Some(_) => now + LEAD,
            };
            self.add(fresh, policy, now, signs_from);
            changed = true;
        }
        let before = (self.keys.len(), self.retired.len());
        let kept: Vec<String> = self.published(now).map(|(key, ..)| key.id.clone()).collect();
        self.keys.retain(|key| kept.contains(&key.id));
        self.retired.retain(|key| key.until > now);
        changed || before != (self.keys.len(), self.retired.len())
    }

    /// Puts the next key in before its time. Its id; that of the one that waits already, if there is one. `None` if there
    /// are too many keys.
    pub(super) fn rotate(&mut self, policy: &Policy, now: Timestamp, fresh: Fresh) -> Option<String> {
        if let Some(waiting) = self.keys.last().filter(|last| last.signs_from > now) {
            return Some(waiting.id.clone());
        }
        if self.keys.len() >= MOST_KEYS {
            return None;
        }
        let id = fresh.id.clone();
        let signs_from = if self.keys.is_empty() { now } else { now + LEAD };
        self.add(fresh, policy, now, signs_from);
        Some(id)
    }

    /// Takes a key back. If it was the one that signs, the next takes its place at once, or else this fresh one. Whether
    /// there was such a key.
    pub(super) fn retire(&mut self, policy: &Policy, now: Timestamp, id: &str, fresh: Fresh) -> bool {
        let signer = self.signer_index(now);
        let Some(index) = self.keys.iter().position(|key| key.id == id) else { return false };
        let key = self.keys.remove(index);
        let longest = Duration::from_millis(key.longest).max(policy.longest);
        self.retired.push(RetiredKey { id: id.to_owned(), until: now + longest + SLACK });
        let surplus = self.retired.len().saturating_sub(MOST_RETIRED);
        self.retired.drain(..surplus);
        if index == signer {
            // An older one must not sign again: it may have left the key sets of others.
            match self.keys.get_mut(index) {
                Some(next) => next.signs_from = now,
                None => self.add(fresh, policy, now, now),
            }
        }
        true
    }

    fn add(&mut self, fresh: Fresh, policy: &Policy, now: Timestamp, signs_from: Timestamp) {
        self.keys.push(RingKey {
            id: fresh.id,
            algorithm: fresh.algorithm,
            pem: fresh.pem.to_string(),
            made_at: now,
            signs_from,
            longest: millis(policy.longest),
        });
    }

    /// The last whose time has come; the first where the clock was set back.
    fn signer_index(&self, now: Timestamp) -> usize {
        self.keys.iter().rposition(|key| key.signs_from <= now).unwrap_or(0)
    }

    /// When the last token of a key has ended, if its successor is known.
    fn end_of(&self, index: usize) -> Option<Timestamp> {
        let key = self.keys.get(index)?;
        let successor = self.keys.get(index + 1)?;
        Some(successor.signs_from + Duration::from_millis(key.longest) + SLACK)
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const DAY: Duration = Duration::from_secs(24 * 3600);
    const START: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn policy() -> Policy {
        Policy { algorithm: "ES256".to_owned(), every: 30 * DAY, longest: HOUR }
    }

    fn fresh(id: &str) -> Fresh {
        Fresh { id: id.to_owned(), algorithm: "ES256".to_owned(), pem: Zeroizing::default() }
    }

    fn ids(ring: &Ring, now: Timestamp) -> Vec<(&str, Use)> {
        ring.published(now).map(|(key, used, _)| (key.id.as_str(), used)).collect()
    }

    fn begun() -> Ring {
        let mut ring = Ring::default();
        assert!(ring.wants_key(&policy(), START));
        assert!(ring.maintain(&policy(), START, Some(fresh("a"))));
        assert_eq!(ids(&ring, START), [("a", Use::Signs)]);
        ring
    }

    // covers: KR01
    #[test]
    fn the_next_key_is_published_before_it_signs_and_the_old_one_until_its_tokens_ended() {
        let mut ring = begun();
        let due = START + 30 * DAY - LEAD;
        assert!(!ring.wants_key(&policy(), due - Duration::from_millis(1)));
        assert!(ring.wants_key(&policy(), due));
        assert!(ring.maintain(&policy(), due, Some(fresh("b"))));
        assert_eq!(ids(&ring, due), [("a", Use::Signs), ("b", Use::Next)]);
        assert!(!ring.wants_key(&policy(), due), "one waits already");

        let change = START + 30 * DAY;
        assert_eq!(ring.signer(change - Duration::from_millis(1)).unwrap().id, "a");
        assert_eq!(ring.signer(change).unwrap().id, "b");
        let end = change + HOUR + SLACK;
        assert_eq!(ids(&ring, end - Duration::from_millis(1)), [("a", Use::Verifies), ("b", Use::Signs)]);
        assert_eq!(ids(&ring, end), [("b", Use::Signs)]);
        assert!(ring.maintain(&policy(), end, None));
        assert_eq!(ring.keys().len(), 1);
        assert!(!ring.maintain(&policy(), end, None), "nothing is due twice");
    }

    #[test]
    fn a_server_that_slept_publishes_before_it_signs_all_the_same() {
        let mut ring = begun();
        let woke = START + 300 * DAY;
        assert!(ring.maintain(&policy(), woke, Some(fresh("b"))));
        assert_eq!(ring.signer(woke).unwrap().id, "a");
        assert_eq!(ring.signer(woke + LEAD).unwrap().id, "b");
    }

    #[test]
    fn longer_tokens_keep_the_key_longer_and_shorter_ones_do_not_shorten_it() {
        let mut ring = begun();
        assert!(ring.maintain(&Policy { longest: DAY, ..policy() }, START + HOUR, None));
        assert!(!ring.maintain(&policy(), START + 2 * HOUR, None));
        assert_eq!(ring.rotate(&policy(), START + 3 * HOUR, fresh("b")).as_deref(), Some("b"));
        let end = START + 4 * HOUR + DAY + SLACK;
        assert_eq!(ids(&ring, end - Duration::from_millis(1)).len(), 2);
        assert_eq!(ids(&ring, end), [("b", Use::Signs)]);
    }

    #[test]
    fn another_algorithm_comes_with_overlap() {
        let mut ring = begun();
        let ed = Policy { algorithm: "EdDSA".to_owned(), ..policy() };
        assert!(ring.wants_key(&ed, START + HOUR));
        let key = Fresh { algorithm: "EdDSA".to_owned(), ..fresh("b") };
        assert!(ring.maintain(&ed, START + HOUR, Some(key)));
        assert_eq!(ids(&ring, START + HOUR), [("a", Use::Signs), ("b", Use::Next)]);
        assert_eq!(ring.signer(START + HOUR + LEAD).unwrap().id, "b");
    }

    // covers: KR02
    #[test]
    fn a_key_that_is_taken_back_neither_signs_nor_is_published_and_no_older_one_signs_again() {
        let mut ring = begun();
        ring.rotate(&policy(), START, fresh("b"));
        let now = START + LEAD;
        assert_eq!(ids(&ring, now), [("a", Use::Verifies), ("b", Use::Signs)]);
        assert!(ring.retire(&policy(), now, "b", fresh("c")));
        assert_eq!(ids(&ring, now), [("a", Use::Verifies), ("c", Use::Signs)]);
        assert!(ring.is_retired("b") && !ring.is_retired("a"));
        assert!(!ring.retire(&policy(), now, "b", fresh("d")), "it is gone");

        // With one that waits, that one signs: others have it already.
        let mut ring = begun();
        ring.rotate(&policy(), START, fresh("b"));
        assert!(ring.retire(&policy(), START, "a", fresh("c")));
        assert_eq!(ids(&ring, START), [("b", Use::Signs)]);
        // Also where an older one is there still.
        let mut older = begun();
        older.rotate(&policy(), START, fresh("b"));
        older.rotate(&policy(), now, fresh("c"));
        assert!(older.retire(&policy(), now, "b", fresh("d")));
        assert_eq!(ids(&older, now), [("a", Use::Verifies), ("c", Use::Signs)]);
        // It is forgotten when nothing it signed can live.
        ring.maintain(&policy(), START + HOUR + SLACK, None);
        assert!(!ring.is_retired("a"));
    }

    #[test]
    fn a_clock_that_was_wrong_for_a_moment_blocks_nothing() {
        let mut ring = begun();
        let wrong = START + 20_000 * DAY;
        assert!(ring.maintain(&policy(), wrong, Some(fresh("b"))));
        // The clock is right again: the key of the future comes soon, and the first signs meanwhile.
        assert_eq!(ring.signer(START + HOUR).unwrap().id, "a");
        assert!(ring.maintain(&policy(), START + HOUR, None));
        assert_eq!(ring.signer(START + HOUR + LEAD).unwrap().id, "b");
        // Set back before the first key: something signs.
        assert_eq!(ring.signer(START - DAY).unwrap().id, "a");
    }

    #[test]
    fn rotating_in_a_loop_makes_one_key() {
        let mut ring = begun();
        assert_eq!(ring.rotate(&policy(), START, fresh("b")).as_deref(), Some("b"));
        assert_eq!(ring.rotate(&policy(), START, fresh("c")).as_deref(), Some("b"));
        let long = Policy { longest: DAY, ..policy() };
        let mut now = START;
        for n in 0..100 {
            now = now + LEAD;
            ring.maintain(&long, now, None);
            ring.rotate(&long, now, fresh(&n.to_string()));
            assert!(ring.keys().len() <= MOST_KEYS);
        }
    }

    proptest! {
        // Whatever happens: a token's key is published as long as the token lives, unless it was taken back.
        #[test]
        fn no_live_token_loses_its_key(steps in proptest::collection::vec((0u64..4000, 0u8..4), 1..200)) {
            let policy = Policy { every: DAY, ..policy() };
            let mut ring = Ring::default();
            let (mut now, mut made) = (START, 0u32);
            let mut tokens: Vec<(String, Timestamp)> = Vec::new();
            let mut newest = 0u32;
            for (minutes, what) in steps {
                now = now + Duration::from_secs(minutes * 60);
                made += 1;
                let key = fresh(&made.to_string());
                let wants = ring.wants_key(&policy, now);
                ring.maintain(&policy, now, wants.then_some(key));
                made += 1;
                match what {
                    0 => drop(ring.rotate(&policy, now, fresh(&made.to_string()))),
                    1 if made % 7 == 0 => {
                        let id = ring.signer(now).unwrap().id.clone();
                        ring.retire(&policy, now, &id, fresh(&made.to_string()));
                        prop_assert!(ring.is_retired(&id));
                    }
                    _ => {}
                }
                let signer = ring.signer(now).unwrap().id.clone();
                prop_assert!(!ring.is_retired(&signer));
                let number: u32 = signer.parse().unwrap();
                prop_assert!(number >= newest, "no older key signs again");
                newest = number;
                tokens.push((signer, now + policy.longest));
                let published: Vec<String> =
                    ring.published(now).map(|(key, ..)| key.id.clone()).collect();
                for (key, end) in &tokens {
                    prop_assert!(*end <= now || published.contains(key) || ring.is_retired(key));
                }
            }
        }
    }
}
