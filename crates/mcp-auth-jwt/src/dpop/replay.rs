//! The memory of proofs, so that none is good twice. Bounded in number and time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use aws_lc_rs::digest::{Context, SHA256};
use mcp_core::Timestamp;

/// Proofs that are still new enough to be presented again.
pub(super) struct Replay {
    capacity: usize,
    seen: HashSet<Id>,
    per_key: HashMap<Id, usize>,
    /// In the order they are forgotten: until when, the proof, its key.
    ends: BinaryHeap<Reverse<(Timestamp, Id, Id)>>,
}

/// Half a SHA-256: nobody finds two texts with the same, and the peer's texts take no room.
type Id = [u8; 16];

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    First,
    Again,
    /// This key has used up its share.
    TooMany,
    /// There is no room at all.
    Full,
}

impl Replay {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, seen: HashSet::new(), per_key: HashMap::new(), ends: BinaryHeap::new() }
    }

    /// Notes a proof of a key, to be remembered until it is too old anyway.
    ///
    /// Nothing is forgotten early to make room: what would be forgotten could be replayed.
    pub(super) fn see(&mut self, key: &str, proof: &str, until: Timestamp, now: Timestamp) -> Seen {
        self.forget(now);
        let key = id(key.as_bytes(), b"");
        let proof = id(&key, proof.as_bytes());
        if self.seen.contains(&proof) {
            return Seen::Again;
        }
        if self.seen.len() >= self.capacity {
            return Seen::Full;
        }
        let used = self.per_key.entry(key).or_default();
        if *used >= self.capacity / 4 {
            return Seen::TooMany;
        }
        *used += 1;
        self.seen.insert(proof);
        self.ends.push(Reverse((until, proof, key)));
        Seen::First
    }

    fn forget(&mut self, now: Timestamp) {
        // A proof is accepted up to its end and on it, so it is remembered a moment longer.
        while self.ends.peek().is_some_and(|Reverse((until, _, _))| *until < now) {
            let Some(Reverse((_, proof, key))) = self.ends.pop() else { return };
            self.seen.remove(&proof);
            if let Some(used) = self.per_key.get_mut(&key) {
                *used -= 1;
                if *used == 0 {
                    self.per_key.remove(&key);
                }
            }
        }
    }
}

fn id(key: &[u8], proof: &[u8]) -> Id {
    let mut hash = Context::new(&SHA256);
    hash.update(&key.len().to_be_bytes());
    hash.update(key);
    hash.update(proof);
    let mut id = [0; 16];
    id.copy_from_slice(hash.finish().as_ref().get(..16).unwrap_or(&[0; 16]));
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_proof_is_good_once_for_as_long_as_it_lives() {
        let start = Timestamp::from_secs(1000);
        let end = start + Duration::from_secs(60);
        let mut replay = Replay::new(1000);
        assert_eq!(replay.see("k", "1", end, start), Seen::First);
        assert_eq!(replay.see("k", "1", end, end), Seen::Again);
        assert_eq!(replay.see("k", "2", end, start), Seen::First);
        assert_eq!(replay.see("other", "1", end, start), Seen::First);
        assert_eq!(replay.see("k1", "", end, start), Seen::First);
    }

    #[test]
    fn memory_is_bounded_and_comes_back() {
        let start = Timestamp::from_secs(1000);
        let end = start + Duration::from_secs(60);
        let mut replay = Replay::new(40);
        for n in 0..1000 {
            let expected = if n < 10 { Seen::First } else { Seen::TooMany };
            assert_eq!(replay.see("greedy", &n.to_string(), end, start), expected);
        }
        for n in 0..30 {
            assert_eq!(replay.see(&n.to_string(), "1", end, start), Seen::First);
        }
        assert_eq!(replay.see("late", "1", end, start), Seen::Full);
        let later = end + Duration::from_millis(1);
        assert_eq!(replay.see("late", "1", later, later), Seen::First);
        assert_eq!((replay.seen.len(), replay.per_key.len(), replay.ends.len()), (1, 1, 1));
    }
}
