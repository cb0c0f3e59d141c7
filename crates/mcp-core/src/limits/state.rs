//! What the limits remember.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};

use super::gcra::Gcra;
use super::table::Table;
use crate::Timestamp;

/// Failures of one address, and the lane in which it may still try while it is over its budget.
#[derive(Debug, Default)]
pub(super) struct AddressRecord {
    pub(super) failures: Gcra,
    pub(super) lane: Gcra,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) addresses: Table<AddressRecord>,
    pub(super) credentials: Table<Gcra>,
    /// Credentials that succeeded: only holders of good ones can add to it.
    pub(super) good: Table<()>,
    pub(super) principals: Table<Gcra>,
    /// Until when some bucket is over its budget, in milliseconds; zero for "none is". The only thing that the ordinary
    /// request looks at.
    alert_until: AtomicU64,
}

impl State {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            addresses: Table::new(capacity),
            credentials: Table::new(capacity),
            good: Table::new(capacity.saturating_mul(4)),
            principals: Table::new(capacity),
            alert_until: AtomicU64::new(0),
        }
    }

    pub(super) fn raise_alert(&self, until: Timestamp) {
        self.alert_until.fetch_max(until.as_millis(), Ordering::Relaxed);
    }

    pub(super) fn is_alert(&self) -> bool {
        self.alert_until.load(Ordering::Relaxed) != 0
    }

    /// Whether some bucket is over its budget; forgets an alert that is past.
    pub(super) fn is_alert_at(&self, now: Timestamp) -> bool {
        let until = self.alert_until.load(Ordering::Relaxed);
        if until > now.as_millis() {
            return true;
        }
        if until != 0 {
            // If somebody raised it meanwhile, the exchange fails and the alert stays.
            let _ = self.alert_until.compare_exchange(until, 0, Ordering::Relaxed, Ordering::Relaxed);
        }
        false
    }
}

/// What counts as one address: an IPv4 address, or the /64 that an IPv6 host has to itself.
pub(super) fn block(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        v4 @ IpAddr::V4(_) => v4,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}
