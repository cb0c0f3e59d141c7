//! How many sign-ins one address may begin, in a browser or for one. In memory: it keeps load away, and guards no secret.

use std::net::IpAddr;
use std::time::Duration;

use mcp_core::Timestamp;
use mcp_core::limits::{Limits, Rate};

/// Counts what each address begins: 300 at once, and as many again in ten minutes.
#[derive(Clone, Debug)]
pub(crate) struct BrowserLimits(Limits);

impl Default for BrowserLimits {
    fn default() -> Self {
        let rate = Rate::new(300, Duration::from_secs(600));
        Self(Limits::new().requests_per_principal(rate))
    }
}

impl BrowserLimits {
    /// Counts one more.
    ///
    /// # Errors
    /// How long to wait, when there were too many.
    pub(crate) fn begin(&self, now: Timestamp, address: Option<IpAddr>) -> Result<(), Duration> {
        match address {
            Some(address) => self.0.admit(now, &key(address)),
            None => Ok(()),
        }
    }

    /// Counts what somebody begins who did not prove who it is: apart from what browsers do from the same address.
    ///
    /// # Errors
    /// How long to wait, when there were too many.
    pub(crate) fn begin_unproven(&self, now: Timestamp, address: Option<IpAddr>) -> Result<(), Duration> {
        match address {
            Some(address) => self.0.admit(now, &format!("client {}", key(address))),
            None => Ok(()),
        }
    }
}

/// An address as one customer has it: IPv4 whole, of IPv6 the first 64 bits.
pub(crate) fn key(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("{:x}", address.to_bits() >> 64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_three_hundred_at_once() {
        let limits = BrowserLimits::default();
        let now = Timestamp::from_secs(1_800_000_000);
        let address = Some("2001:db8::1".parse().unwrap());
        let neighbour = Some("2001:db8::2".parse().unwrap());
        for _ in 0..150 {
            assert!(limits.begin(now, address).is_ok() && limits.begin(now, neighbour).is_ok());
        }
        assert!(limits.begin(now, address).is_err());
        assert!(limits.begin(now, Some("2001:db8:0:1::1".parse().unwrap())).is_ok());
        assert!(limits.begin(now + Duration::from_secs(2), address).is_ok());
        assert!(limits.begin(now, None).is_ok());
    }
}
