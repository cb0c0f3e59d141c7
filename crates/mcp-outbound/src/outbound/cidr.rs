//! A block of addresses, as an operator writes it.

use std::net::IpAddr;

/// `10.20.0.0/16`, `fd12:3456::/32`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cidr {
    network: IpAddr,
    prefix: u32,
}

impl Cidr {
    /// Errors are a sentence that says what to write instead.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let unreadable =
            || format!("`{text}` is not a block of addresses: write `10.20.0.0/16` or `fd12:3456::/32`");
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let network: IpAddr = address.parse().map_err(|_| unreadable())?;
        let width = if network.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            // `parse` alone would also take "+8".
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok().filter(|prefix| *prefix <= width).ok_or_else(unreadable)?
            }
            Some(_) => return Err(unreadable()),
            None => width,
        };
        let block = Self { network: masked(network, prefix), prefix };
        if block.network != network {
            return Err(format!(
                "`{text}` has bits set after its prefix: write `{}/{prefix}`",
                block.network
            ));
        }
        Ok(block)
    }

    pub(crate) fn contains(self, address: IpAddr) -> bool {
        address.is_ipv4() == self.network.is_ipv4() && masked(address, self.prefix) == self.network
    }

    pub(crate) fn is_everything(self) -> bool {
        self.prefix == 0
    }
}

fn masked(address: IpAddr, prefix: u32) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(block: &str, address: &str, inside: bool) {
        let parsed = Cidr::parse(block).unwrap();
        assert_eq!(parsed.contains(address.parse().unwrap()), inside, "{address} in {block}");
    }

    #[test]
    fn blocks_end_where_they_end() {
        check("10.20.0.0/16", "10.20.0.0", true);
        check("10.20.0.0/16", "10.20.255.255", true);
        check("10.20.0.0/16", "10.21.0.0", false);
        check("10.20.0.0/16", "10.19.255.255", false);
        check("10.1.2.3", "10.1.2.3", true);
        check("10.1.2.3", "10.1.2.4", false);
        check("0.0.0.0/0", "255.255.255.255", true);
        check("fd12::/16", "fd12:ffff::1", true);
        check("fd12::/16", "fd13::", false);
        check("::/0", "ffff::", true);
        check("::/0", "10.0.0.1", false);
        check("fd12::1", "fd12::2", false);
    }

    #[test]
    fn mistakes_are_answered_with_what_to_write() {
        for (text, says) in [
            ("10.20.3.4/16", "write `10.20.0.0/16`"),
            ("10.0.0.0/33", "is not a block"),
            ("fd00::/129", "is not a block"),
            ("10.0.0.0/+8", "is not a block"),
            ("10.0.0.0/", "is not a block"),
            ("intranet", "is not a block"),
            ("", "is not a block"),
        ] {
            let sentence = Cidr::parse(text).unwrap_err();
            assert!(sentence.contains(says), "{text}: {sentence}");
        }
    }
}
