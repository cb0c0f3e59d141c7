//! Which hosts may keep idle connections. No I/O.
//!
//! The pool bounds its idle connections per host, while the number of hosts is up to strangers who send in URLs. So
//! only a fixed number of hosts take part at a time; requests to any other say `Connection: close`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

pub(super) struct KeepAlive {
    places: usize,
    ttl: Duration,
    hosts: Mutex<HashMap<String, Instant>>,
}

impl KeepAlive {
    /// A host gives its place up when it was not asked for `ttl`, by when its idle connections are closed.
    pub(super) fn new(places: usize, ttl: Duration) -> Self {
        Self { places, ttl, hosts: Mutex::default() }
    }

    /// Whether the connection of a request made now may stay open after it.
    pub(super) fn admits(&self, authority: &str, now: Instant) -> bool {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.retain(|_, asked| now.saturating_duration_since(*asked) < self.ttl);
        if let Some(asked) = hosts.get_mut(authority) {
            *asked = now;
            return true;
        }
        let free = hosts.len() < self.places;
        if free {
            hosts.insert(authority.to_owned(), now);
        }
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_few_and_come_free() {
        let table = KeepAlive::new(2, Duration::from_secs(10));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(table.admits("a", at(0)));
        assert!(table.admits("b", at(1)));
        assert!(!table.admits("c", at(2)));
        assert!(table.admits("a", at(9)));
        assert!(!table.admits("c", at(10)), "a was asked since, b is not ten seconds old");
        assert!(table.admits("c", at(11)), "b's place is free");
        assert!(!table.admits("b", at(12)));
    }
}
