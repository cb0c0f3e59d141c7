//! A block of addresses (RFC 4632, RFC 4291 §2.3).

use std::net::IpAddr;

use crate::ConfigError;

/// A block of addresses. IPv4-mapped IPv6 addresses are IPv4 addresses here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cidr {
    first: IpAddr,
    prefix: u32,
}

impl Cidr {
    /// Reads `10.0.0.0/8`, `2001:db8::/32` or a single address.
    pub(super) fn parse(text: &str) -> Result<Self, ConfigError> {
        let wrong =
            || ConfigError::new(format!("{text:?} is no block of addresses: write 10.0.0.0/8 or 10.1.2.3"));
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let first: IpAddr = address.parse().map_err(|_| wrong())?;
        if first != first.to_canonical() {
            return Err(ConfigError::new(format!(
                "{text:?} is an IPv4 address in IPv6 clothes: write {}",
                first.to_canonical()
            )));
        }
        let width = if first.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            // `u32::from_str` takes a plus sign; a prefix has digits only.
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map_err(|_| wrong())?
            }
            Some(_) => return Err(wrong()),
            None => width,
        };
        if prefix > width {
            return Err(wrong());
        }
        if prefix == 0 {
            return Err(ConfigError::new(format!(
                "{text:?} trusts the whole world to say who it is: name the addresses of your own proxies"
            )));
        }
        let cidr = Self { first, prefix };
        if cidr.bits(first) != bits(first) {
            return Err(ConfigError::new(format!(
                "{text:?} has bits behind its prefix: is it a typing error, or do you mean the single address {first}?"
            )));
        }
        Ok(cidr)
    }

    pub(super) fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.first.is_ipv4() && self.bits(address) == bits(self.first)
    }

    /// The bits of an address that the prefix covers.
    fn bits(&self, address: IpAddr) -> u128 {
        let width = if address.is_ipv4() { 32 } else { 128 };
        let mask = u128::MAX.checked_shl(width - self.prefix).unwrap_or(0);
        bits(address) & mask
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(block: &str, address: &str) -> bool {
        Cidr::parse(block).unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn a_block_holds_what_its_prefix_covers() {
        assert!(contains("10.0.0.0/8", "10.255.255.255"));
        assert!(!contains("10.0.0.0/8", "11.0.0.0"));
        assert!(contains("192.0.2.7", "192.0.2.7"));
        assert!(!contains("192.0.2.7", "192.0.2.6"));
        assert!(contains("2001:db8::/33", "2001:db8:7fff::1"));
        assert!(!contains("2001:db8::/33", "2001:db8:8000::1"));
        assert!(contains("::1", "::1"));
        assert!(!contains("0.0.0.0/1", "::1"));
        assert!(!contains("::/1", "0.0.0.1"));
        assert!(contains("128.0.0.0/1", "255.0.0.1"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_advice() {
        for (text, advice) in [
            ("", "write 10.0.0.0/8"),
            ("10.0.0.0/33", "write 10.0.0.0/8"),
            ("10.0.0.0/+8", "write 10.0.0.0/8"),
            ("10.0.0.0/", "write 10.0.0.0/8"),
            ("proxy.example.com", "write 10.0.0.0/8"),
            ("0.0.0.0/0", "your own proxies"),
            ("::/0", "your own proxies"),
            ("10.0.0.1/8", "bits behind its prefix"),
            ("::ffff:10.0.0.0", "write 10.0.0.0"),
        ] {
            let error = Cidr::parse(text).unwrap_err().to_string();
            assert!(error.contains(advice), "{text}: {error}");
        }
    }
}
