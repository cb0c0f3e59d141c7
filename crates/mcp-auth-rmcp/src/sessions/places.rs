//! Which sessions there are, and how many more there may be.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mcp_core::{Identity, Principal};
use tokio_util::sync::CancellationToken;

use super::limits::SessionLimits;

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// This principal has as many as it may.
    TooManyOfYours,
    /// There are as many as there may be.
    TooMany,
}

/// The places of all sessions.
#[derive(Debug)]
pub(crate) struct Places {
    limits: SessionLimits,
    // A std mutex: held for a look-up, never across an await.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The oldest first.
    taken: BTreeMap<u64, Taken>,
    of_principal: HashMap<Principal, usize>,
    next: u64,
}

#[derive(Debug)]
struct Taken {
    /// Nobody for an anonymous caller.
    owner: Option<Principal>,
    gave_way: CancellationToken,
}

impl State {
    /// Takes out the oldest session that must give way to this caller's.
    ///
    /// Nobody bounds a single anonymous caller, so without this anybody could keep everybody out who signed in.
    fn make_room(&mut self, caller: &Identity) -> Option<Taken> {
        if caller.is_anonymous() {
            return None;
        }
        let number = *self.taken.iter().find(|(_, taken)| taken.owner.is_none())?.0;
        self.taken.remove(&number)
    }
}

impl Places {
    pub(crate) fn new(limits: SessionLimits) -> Self {
        Self { limits, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place for a session of this caller.
    pub(crate) fn take(self: &Arc<Self>, caller: &Identity) -> Result<Place, Refusal> {
        let owner = (!caller.is_anonymous()).then(|| caller.principal().clone());
        let gave_way = CancellationToken::new();
        let mut state = self.lock();
        let held = owner.as_ref().and_then(|owner| state.of_principal.get(owner)).copied().unwrap_or(0);
        if owner.is_some() && held >= self.limits.max_sessions_per_principal {
            return Err(Refusal::TooManyOfYours);
        }
        let other = if state.taken.len() >= self.limits.max_sessions {
            Some(state.make_room(caller).ok_or(Refusal::TooMany)?)
        } else {
            None
        };
        if let Some(owner) = &owner {
            state.of_principal.insert(owner.clone(), held + 1);
        }
        let number = state.next;
        state.next += 1;
        state.taken.insert(number, Taken { owner, gave_way: gave_way.clone() });
        drop(state);
        if let Some(other) = other {
            tracing::warn!("as many sessions as the limit allows: an anonymous one gave way");
            other.gave_way.cancel();
        }
        Ok(Place { places: self.clone(), number, gave_way })
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().taken.len()
    }

    fn give_back(&self, number: u64) {
        let mut state = self.lock();
        // Unless it gave way to another.
        if let Some(Taken { owner: Some(owner), .. }) = state.taken.remove(&number)
            && let Some(held) = state.of_principal.get_mut(&owner)
        {
            *held = held.saturating_sub(1);
            if *held == 0 {
                state.of_principal.remove(&owner);
            }
        }
        // A map never shrinks by itself.
        if state.of_principal.capacity() > 64 && state.of_principal.len() < state.of_principal.capacity() / 8
        {
            state.of_principal.shrink_to_fit();
        }
    }
}

/// The place of one session, given back when it is dropped, however the session came to its end.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    number: u64,
    gave_way: CancellationToken,
}

impl Place {
    /// Waits until another session needs the place.
    pub(crate) async fn gave_way(&self) {
        self.gave_way.cancelled().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.give_back(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(name: &str) -> Identity {
        Identity::new("https://idp.example.com", name).build()
    }

    fn places(all: usize, each: usize) -> Arc<Places> {
        Arc::new(Places::new(SessionLimits::default().sessions(all).sessions_per_principal(each)))
    }

    #[test]
    fn places_are_bounded_and_come_back() {
        let places = places(3, 2);
        let first = places.take(&caller("ada")).unwrap();
        let _second = places.take(&caller("ada")).unwrap();
        assert_eq!(places.take(&caller("ada")).unwrap_err(), Refusal::TooManyOfYours);
        let _other = places.take(&caller("bob")).unwrap();
        assert_eq!(places.take(&caller("eve")).unwrap_err(), Refusal::TooMany);
        assert_eq!(places.len(), 3);
        drop(first);
        assert_eq!(places.len(), 2);
        assert!(places.take(&caller("ada")).is_ok());
        assert_eq!(places.lock().of_principal.len(), 2);
    }

    #[tokio::test]
    async fn the_oldest_anonymous_session_gives_way_to_a_name_and_to_nobody_else() {
        let places = places(2, 2);
        let nobody = Identity::anonymous();
        let oldest = places.take(&nobody).unwrap();
        let other = places.take(&nobody).unwrap();
        assert_eq!(places.take(&nobody).unwrap_err(), Refusal::TooMany);
        let ada = places.take(&caller("ada")).unwrap();
        oldest.gave_way().await;
        assert!(!other.gave_way.is_cancelled());
        // What gave way has no place to give back.
        drop(oldest);
        assert_eq!(places.len(), 2);
        drop(ada);
        drop(other);
        assert_eq!(places.len(), 0);
        assert!(places.lock().of_principal.is_empty());
    }
}
