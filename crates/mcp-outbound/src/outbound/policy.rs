//! Which addresses and names this client may reach. No I/O.

use std::error::Error as StdError;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::cidr::Cidr;
use crate::{SpecialUse, special_use};

/// Public addresses, plus what the operator opened, minus what the operator closed.
#[derive(Debug, Clone, Default)]
pub(crate) struct AddressPolicy {
    pub(crate) loopback: bool,
    pub(crate) allowed: Vec<Cidr>,
    pub(crate) refused: Vec<Cidr>,
}

/// An address the policy does not let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    Special(IpAddr, SpecialUse),
    ByOperator(IpAddr),
    LoopbackName,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Special(address, what) => write!(f, "{address} is {what}"),
            Self::ByOperator(address) => write!(f, "{address} is in a refused block"),
            Self::LoopbackName => f.write_str("the name means this machine"),
        }
    }
}

impl StdError for Refusal {}

impl AddressPolicy {
    pub(crate) fn judge(&self, address: IpAddr) -> Result<(), Refusal> {
        // A mapped address is the IPv4 address to the kernel, so the operator's IPv4 blocks speak about it.
        let canonical = address.to_canonical();
        let within =
            |blocks: &[Cidr]| blocks.iter().any(|block| block.contains(address) || block.contains(canonical));
        if within(&self.refused) {
            return Err(Refusal::ByOperator(address));
        }
        match special_use(address) {
            None => Ok(()),
            // Never by way of a wide block: what answers there gives the machine's own credentials away.
            Some(what @ SpecialUse::CloudMetadata) => Err(Refusal::Special(address, what)),
            // `64:ff9b::7f00:1` is the loopback of some gateway, not of this machine.
            Some(SpecialUse::Loopback) if self.loopback && canonical.is_loopback() => Ok(()),
            Some(_) if within(&self.allowed) => Ok(()),
            Some(what) => Err(Refusal::Special(address, what)),
        }
    }

    /// One bad address condemns all: which of them would be connected to is not for the name's owner to choose.
    pub(crate) fn judge_all(&self, addresses: &[IpAddr]) -> Result<(), Refusal> {
        addresses.iter().try_for_each(|address| self.judge(*address))
    }

    /// RFC 6761 §6.3: `localhost` is never looked up. `None` when `host` is another name.
    pub(crate) fn localhost(&self, host: &str) -> Option<Result<Vec<IpAddr>, Refusal>> {
        is_localhost(host).then(|| {
            if self.loopback {
                Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()])
            } else {
                Err(Refusal::LoopbackName)
            }
        })
    }
}

pub(crate) fn is_localhost(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let last_label = host.rsplit('.').next().unwrap_or(host);
    last_label.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(texts: &[&str]) -> Vec<Cidr> {
        texts.iter().map(|text| Cidr::parse(text).unwrap()).collect()
    }

    fn check(policy: &AddressPolicy, address: &str, passes: bool) {
        let verdict = policy.judge(address.parse().unwrap());
        assert_eq!(verdict.is_ok(), passes, "{address}: {verdict:?}");
    }

    // covers: PX25
    #[test]
    fn an_opened_block_opens_nothing_else() {
        let policy = AddressPolicy { allowed: blocks(&["10.20.0.0/16", "fd00::/8"]), ..Default::default() };
        check(&policy, "10.20.1.2", true);
        check(&policy, "::ffff:10.20.1.2", true);
        check(&policy, "fd12::1", true);
        check(&policy, "8.8.8.8", true);
        check(&policy, "10.21.1.2", false);
        check(&policy, "127.0.0.1", false);
        check(&policy, "2002:0a14:0102::1", false);
    }

    #[test]
    fn metadata_addresses_stay_shut_inside_an_opened_block() {
        let policy = AddressPolicy {
            loopback: true,
            allowed: blocks(&["169.254.0.0/16", "100.64.0.0/10", "fd00::/8"]),
            ..Default::default()
        };
        check(&policy, "169.254.1.1", true);
        check(&policy, "169.254.169.254", false);
        check(&policy, "::ffff:169.254.169.254", false);
        check(&policy, "100.100.100.200", false);
        check(&policy, "fd00:ec2::254", false);
    }

    #[test]
    fn loopback_opens_loopback_only() {
        let policy = AddressPolicy { loopback: true, ..Default::default() };
        for address in ["127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1"] {
            check(&policy, address, true);
        }
        for address in
            ["0.0.0.0", "::", "10.0.0.1", "169.254.169.254", "::7f00:1", "64:ff9b::7f00:1", "fe80::1"]
        {
            check(&policy, address, false);
        }
    }

    #[test]
    fn a_refused_block_wins() {
        let policy = AddressPolicy {
            allowed: blocks(&["10.0.0.0/8"]),
            refused: blocks(&["10.9.0.0/16", "93.184.0.0/16", "2a00:1:2::/96"]),
            ..Default::default()
        };
        check(&policy, "10.8.0.1", true);
        check(&policy, "10.9.0.1", false);
        check(&policy, "93.184.216.34", false);
        check(&policy, "::ffff:93.184.216.34", false);
        check(&policy, "2a00:1:2::a00:1", false);
    }

    #[test]
    fn localhost_in_every_spelling() {
        for name in ["localhost", "LocalHost", "localhost.", "a.localhost", "a.b.LOCALHOST."] {
            assert!(is_localhost(name), "{name}");
        }
        for name in ["localhost.example.com", "notlocalhost", "localhosts", "example.com", ""] {
            assert!(!is_localhost(name), "{name}");
        }
    }
}
