//! Remembers which states were used, until they expire.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use super::error::{StateError, StateErrorKind};
use crate::{Principal, Timestamp};

/// Used states in bounded memory. When it is full nothing more is taken, because what it forgot could be replayed.
pub(super) struct ReplayGuard {
    capacity: usize,
    /// How much of it one principal may hold, so that one cannot shut out all.
    share: usize,
    // Held for a look-up and an insertion: never across an await.
    used: Mutex<Used>,
}

#[derive(Default)]
struct Used {
    /// By end first, so that what has expired is at the front. The nonce is unique among all states of a key.
    states: BTreeMap<(Timestamp, [u8; 12]), Principal>,
    held: HashMap<Principal, usize>,
}

impl ReplayGuard {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, share: (capacity / 64).max(1), used: Mutex::default() }
    }

    /// Marks a state as used, which works once.
    pub(super) fn claim(
        &self,
        now: Timestamp,
        expires_at: Timestamp,
        nonce: [u8; 12],
        principal: &Principal,
    ) -> Result<(), StateError> {
        // Nothing in here panics halfway through a change, so a poisoned lock still guards a sound value.
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.forget_expired(now);
        let state = (expires_at, nonce);
        if used.states.contains_key(&state) {
            return Err(StateError::of(StateErrorKind::Replayed));
        }
        let held = used.held.get(principal).copied().unwrap_or(0);
        if used.states.len() >= self.capacity || held >= self.share {
            return Err(StateError::of(StateErrorKind::Full));
        }
        used.states.insert(state, principal.clone());
        used.held.insert(principal.clone(), held + 1);
        Ok(())
    }
}

impl Used {
    fn forget_expired(&mut self, now: Timestamp) {
        while let Some(first) = self.states.first_entry()
            && first.key().0 <= now
        {
            let principal = first.remove();
            if let Some(held) = self.held.get_mut(&principal) {
                *held -= 1;
                if *held == 0 {
                    self.held.remove(&principal);
                }
            }
        }
    }
}

impl fmt::Debug for ReplayGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayGuard").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Identity;

    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

    fn nonce(n: u8) -> [u8; 12] {
        [n; 12]
    }

    fn kind(result: Result<(), StateError>) -> Option<StateErrorKind> {
        result.err().map(|error| error.kind())
    }

    #[test]
    fn a_full_guard_refuses_and_never_forgets() {
        let guard = ReplayGuard::new(3);
        let end = NOW + Duration::from_secs(60);
        for n in 0..3 {
            let caller = Identity::new("https://idp.example.com", n.to_string()).build();
            assert_eq!(kind(guard.claim(NOW, end, nonce(n), caller.principal())), None);
        }
        let ada = Identity::new("https://idp.example.com", "ada").build();
        let claim = |now, end, n| kind(guard.claim(now, end, nonce(n), ada.principal()));
        assert_eq!(claim(NOW, end, 0), Some(StateErrorKind::Replayed));
        assert_eq!(claim(NOW, end, 9), Some(StateErrorKind::Full));
        // Once they have expired there is room.
        assert_eq!(claim(end, end + Duration::from_secs(1), 9), None);
        assert_eq!(guard.used.lock().unwrap().held.len(), 1);
    }

    #[test]
    fn one_principal_cannot_fill_it() {
        let guard = ReplayGuard::new(64 * 3);
        let end = NOW + Duration::from_secs(60);
        let ada = Identity::new("https://idp.example.com", "ada").build();
        let bob = Identity::new("https://idp.example.com", "bob").build();
        for n in 0..3 {
            assert_eq!(kind(guard.claim(NOW, end, nonce(n), ada.principal())), None);
        }
        assert_eq!(kind(guard.claim(NOW, end, nonce(3), ada.principal())), Some(StateErrorKind::Full));
        assert_eq!(kind(guard.claim(NOW, end, nonce(3), bob.principal())), None);
    }
}
