//! Load limits: failed authentications per address and per credential, and requests per principal.
//!
//! Everything is in memory, bounded, and per process: these limits keep load and noise away. They are not what keeps a
//! secret of a few digits from being guessed; such guesses are counted in a store by whoever holds the secret.
//!
//! # What is counted
//!
//! - **Failures per address** (IPv4 /32, IPv6 /64; generous). Over its budget an address is *suspicious*. That never
//!   shuts out a caller whose credential is known to be good: many people share the egress address of a hosted client,
//!   and one of them failing must not be a 429 for all.
//! - **Failures per credential**, from one address (tight). A credential that failed this often is *known to be bad*: it
//!   is refused without being verified again. The address is part of the key, so that nobody who got hold of somebody's
//!   expired token can take the 401 away that its owner needs.
//! - **Requests per principal**, off unless asked for.
//!
//! Only answers about the credential count as failures: not a missing credential (that 401 is how every sign-in begins),
//! not a missing scope, and never a 503.
//!
//! # Who still gets through from a suspicious address
//!
//! 1. A credential that succeeded here lately. Every success is remembered (as a keyed hash, in bounded memory, which
//!    costs one lookup per request), not only those during an attack: what was seen before the first bad guess counts.
//!    Such a credential is *verified* as ever; being remembered proves nothing.
//! 2. So an expired token of a good client still gets the 401 that makes the client refresh, and its failure is not
//!    held against the address: a thousand clients behind one egress that wake up with yesterday's tokens are no attack.
//! 3. The fresh token after that was never seen. Whoever issues tokens itself says so with [`Limits::succeeded`] at the
//!    moment of issue, and the token is known. For tokens from elsewhere, as for good credentials that were forgotten
//!    (a restart, a full memory), there is a lane: one unknown credential per address is verified in each interval of
//!    the address's rate, five a second unless configured, however long the attack lasts. The others get 429 with
//!    `Retry-After`, not 401, so that no client throws a good token away.
//!
//! ```
//! use std::time::Duration;
//! use mcp_core::Timestamp;
//! use mcp_core::limits::{Limits, Rate, Verdict};
//!
//! let limits = Limits::new().failures_per_address(Rate::per_minute(3));
//! let now = Timestamp::from_secs(1_700_000_000);
//! let egress = "203.0.113.7".parse().ok();
//! let (mine, guess) = ([1; 32], |n| [n; 32]);
//!
//! limits.succeeded(&mine);
//! for n in 10..16 {
//!     limits.failed(now, egress, &guess(n));
//! }
//! assert_eq!(limits.check(now, egress, &mine), Verdict::Go);
//! assert_eq!(limits.check(now, egress, &guess(20)), Verdict::Go); // the lane
//! assert!(matches!(limits.check(now, egress, &guess(21)), Verdict::Suspicious(_)));
//! assert_eq!(limits.check(now, "203.0.113.8".parse().ok(), &guess(22)), Verdict::Go);
//! # Ok::<(), std::net::AddrParseError>(())
//! ```

mod cidr;
mod forwarded;
mod gcra;
mod proxies;
mod state;
mod table;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use forwarded::all_hops;
pub use gcra::Rate;
pub use proxies::TrustedProxies;

use crate::Timestamp;
use state::{State, block};

/// Whether a presented credential is worth verifying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Verify it.
    Go,
    /// This very credential failed too often from there: 429, come back after this time.
    KnownBad(Duration),
    /// Its address is over the budget and the credential is not known to be good: 429, come back after this time.
    Suspicious(Duration),
}

/// The limits and what they remember. Clones share the memory.
#[derive(Clone, Debug)]
pub struct Limits {
    per_address: Rate,
    per_credential: Rate,
    per_principal: Option<Rate>,
    state: Arc<State>,
}

impl Limits {
    /// 300 failures a minute per address, 10 a minute per credential, any number of requests per principal; 16,384
    /// addresses, credentials and principals are remembered.
    #[must_use]
    pub fn new() -> Self {
        Self {
            per_address: Rate::per_minute(300),
            per_credential: Rate::per_minute(10),
            per_principal: None,
            state: Arc::new(State::new(16_384)),
        }
    }

    /// How many authentications may fail from one address.
    #[must_use]
    pub fn failures_per_address(mut self, rate: Rate) -> Self {
        self.per_address = rate;
        self
    }

    /// How many times one credential may fail from one address.
    #[must_use]
    pub fn failures_per_credential(mut self, rate: Rate) -> Self {
        self.per_credential = rate;
        self
    }

    /// How many requests one principal (issuer, subject and client) may make.
    #[must_use]
    pub fn requests_per_principal(mut self, rate: Rate) -> Self {
        self.per_principal = Some(rate);
        self
    }

    /// How many addresses, credentials and principals are remembered; of good credentials four times as many. What was
    /// remembered before is forgotten. An entry takes about 100 bytes.
    #[must_use]
    pub fn capacity(mut self, entries: usize) -> Self {
        self.state = Arc::new(State::new(entries.max(1)));
        self
    }

    /// Whether anybody is over a budget. One atomic read; while it is false, [`check`](Self::check) answers `Go` to
    /// everything, and the digest of the credential need not be computed for it.
    #[must_use]
    pub fn is_alert(&self) -> bool {
        self.state.is_alert()
    }

    /// Whether a presented credential is worth verifying. `digest` is its SHA-256; no credential, no question.
    #[must_use]
    pub fn check(&self, now: Timestamp, address: Option<IpAddr>, digest: &[u8; 32]) -> Verdict {
        if !self.state.is_alert_at(now) {
            return Verdict::Go;
        }
        let address = address.map(block);
        if let Some(failures) = self.state.credentials.get((address, digest))
            && let Some(wait) = failures.wait(self.per_credential, now)
        {
            return Verdict::KnownBad(wait);
        }
        let Some(record) = address.and_then(|address| self.state.addresses.get(address)) else {
            return Verdict::Go;
        };
        if record.failures.wait(self.per_address, now).is_none() || self.is_known_good(digest) {
            return Verdict::Go;
        }
        match record.lane.take(self.per_address.burst(1), now) {
            Ok(()) => Verdict::Go,
            Err(wait) => Verdict::Suspicious(wait),
        }
    }

    /// A credential was verified and is no good.
    pub fn failed(&self, now: Timestamp, address: Option<IpAddr>, digest: &[u8; 32]) {
        let address = address.map(block);
        let mut free_at =
            self.state.credentials.get_or_new((address, digest)).charge(self.per_credential, now);
        // A credential that used to be good has expired or was revoked: no attack of its address.
        if let Some(address) = address
            && !self.is_known_good(digest)
        {
            let record = self.state.addresses.get_or_new(address);
            free_at = free_at.max(record.failures.charge(self.per_address, now));
        }
        if free_at > now {
            self.state.raise_alert(free_at);
        }
    }

    /// A credential was verified and is good, or was handed out just now.
    pub fn succeeded(&self, digest: &[u8; 32]) {
        self.state.good.get_or_new(digest);
    }

    /// Counts a request of a principal, where requests are limited.
    ///
    /// # Errors
    /// How long to wait, when the principal has used up its budget.
    pub fn admit(&self, now: Timestamp, principal: &str) -> Result<(), Duration> {
        match self.per_principal {
            Some(rate) => self.state.principals.get_or_new(principal).take(rate, now),
            None => Ok(()),
        }
    }

    /// Whether requests of principals are counted at all.
    pub(crate) fn counts_principals(&self) -> bool {
        self.per_principal.is_some()
    }

    fn is_known_good(&self, digest: &[u8; 32]) -> bool {
        self.state.good.get(digest).is_some()
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

    fn small() -> Limits {
        Limits::new().failures_per_address(Rate::per_minute(30)).failures_per_credential(Rate::per_minute(3))
    }

    fn digest(n: u64) -> [u8; 32] {
        crate::head::sha256(&n.to_be_bytes())
    }

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    /// Uses up the budget of an address, and its lane for this moment.
    fn besiege(limits: &Limits, now: Timestamp, address: Option<IpAddr>) {
        for n in 1_000_000..1_000_100 {
            limits.failed(now, address, &digest(n));
        }
        while limits.check(now, address, &digest(999_999)) == Verdict::Go {}
    }

    #[test]
    fn memory_is_bounded_whatever_peers_send() {
        let limits = small().capacity(64).requests_per_principal(Rate::per_second(1));
        for n in 0..20_000u64 {
            let from = IpAddr::from(u32::try_from(n).unwrap().to_be_bytes());
            limits.failed(NOW, Some(from), &digest(n));
            limits.succeeded(&digest(n));
            let _ = limits.admit(NOW, &format!("principal {n}"));
        }
        let state = &limits.state;
        for len in [state.addresses.len(), state.credentials.len(), state.principals.len()] {
            assert!(len <= 128, "{len}");
        }
        assert!(state.good.len() <= 512, "{}", state.good.len());
    }

    #[test]
    fn an_alert_ends_when_the_last_budget_has_room() {
        let limits = small();
        assert!(!limits.is_alert());
        limits.failed(NOW, address("192.0.2.1"), &digest(1));
        assert!(!limits.is_alert(), "one failure is nothing");
        besiege(&limits, NOW, address("192.0.2.1"));
        assert!(limits.is_alert());
        let later = NOW + Duration::from_secs(61);
        assert!(matches!(
            limits.check(NOW + Duration::from_millis(1), address("192.0.2.1"), &digest(2)),
            Verdict::Suspicious(_)
        ));
        assert_eq!(
            limits.check(later + Duration::from_secs(60), address("192.0.2.1"), &digest(2)),
            Verdict::Go
        );
        assert!(!limits.is_alert());
    }

    #[test]
    fn an_ipv6_host_is_its_whole_64_and_a_mapped_address_is_ipv4() {
        let limits = small();
        besiege(&limits, NOW, address("2001:db8:1:2::1"));
        let check = |from| limits.check(NOW, address(from), &digest(7));
        assert!(matches!(check("2001:db8:1:2:ffff::9"), Verdict::Suspicious(_)));
        assert_eq!(check("2001:db8:1:3::1"), Verdict::Go);
        besiege(&limits, NOW, address("192.0.2.1"));
        assert!(matches!(check("::ffff:192.0.2.1"), Verdict::Suspicious(_)));
        assert_eq!(check("192.0.2.2"), Verdict::Go);
    }
}
