//! Which addresses are not the public internet.
//!
//! The tables are the IANA special-purpose registries for [IPv4] and [IPv6] (RFC 6890 and its successors), the
//! multicast blocks, everything IPv6 outside the block from which public addresses are given out, and the addresses at
//! which clouds hand credentials to whoever asks from inside. Nothing here does I/O.
//!
//! One thing cannot be seen from an address: a network's own NAT64 prefix (RFC 6052 lets operators take any). Whoever
//! runs behind one refuses it with `OutboundClientBuilder::refuse_addresses`.
//!
//! [IPv4]: https://www.iana.org/assignments/iana-ipv4-special-registry
//! [IPv6]: https://www.iana.org/assignments/iana-ipv6-special-registry

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is not an ordinary host on the public internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SpecialUse {
    /// Hands out credentials or configuration to virtual machines: `169.254.169.254` and its like in every cloud.
    CloudMetadata,
    /// `0.0.0.0/8` and `::`. Many systems connect `0.0.0.0` to themselves.
    ThisNetwork,
    /// `127.0.0.0/8` and `::1`.
    Loopback,
    /// RFC 1918: `10/8`, `172.16/12`, `192.168/16`.
    Private,
    /// RFC 6598: `100.64/10`, between a carrier's NAT and its customers.
    SharedAddress,
    /// `169.254/16` and `fe80::/10`.
    LinkLocal,
    /// RFC 4193: `fc00::/7`.
    UniqueLocal,
    /// `fec0::/10`, deprecated by RFC 3879 and still routed in places.
    SiteLocal,
    /// Reserved for examples, such as `192.0.2.0/24` and `2001:db8::/32`.
    Documentation,
    /// `198.18/15` and `2001:2::/48`.
    Benchmarking,
    /// `192.0.0.0/24` and `2001::/23`: what the IETF keeps for protocols.
    ProtocolAssignment,
    /// AS112 sinks, AMT and the retired 6to4 relays: anycast services, never a host with a name.
    AnycastService,
    /// `224/4` and `ff00::/8`.
    Multicast,
    /// `255.255.255.255`.
    Broadcast,
    /// Not given out to anyone, such as `240/4` and all of IPv6 outside `2000::/3`.
    Reserved,
    /// `100::/64` and `100:0:0:1::/64`.
    DiscardOnly,
    /// `5f00::/16`, RFC 9602.
    SegmentRouting,
    /// `64:ff9b:1::/48`, RFC 8215: a NAT64 of the local network, whose far side cannot be known.
    LocalNat64,
    /// `::/96`, the deprecated IPv4-compatible form.
    V4Compatible,
    /// `2002::/16`, a tunnel to any IPv4 address.
    SixToFour,
    /// `2001::/32`, a tunnel to any IPv4 address.
    Teredo,
    /// RFC 5214: an interface identifier that names an IPv4 address, under any prefix.
    Isatap,
}

impl fmt::Display for SpecialUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CloudMetadata => "a cloud metadata address",
            Self::ThisNetwork => "an unspecified address",
            Self::Loopback => "a loopback address",
            Self::Private => "a private address",
            Self::SharedAddress => "a carrier's shared address",
            Self::LinkLocal => "a link-local address",
            Self::UniqueLocal => "a unique local address",
            Self::SiteLocal => "a site-local address",
            Self::Documentation => "a documentation address",
            Self::Benchmarking => "a benchmarking address",
            Self::ProtocolAssignment => "an address kept for IETF protocols",
            Self::AnycastService => "an infrastructure anycast address",
            Self::Multicast => "a multicast address",
            Self::Broadcast => "the broadcast address",
            Self::Reserved => "a reserved address",
            Self::DiscardOnly => "a discard-only address",
            Self::SegmentRouting => "a segment-routing address",
            Self::LocalNat64 => "a local NAT64 address",
            Self::V4Compatible => "an IPv4-compatible address",
            Self::SixToFour => "a 6to4 address",
            Self::Teredo => "a Teredo address",
            Self::Isatap => "an ISATAP address",
        })
    }
}

/// True when `address` is an ordinary public host: [`special_use`] knows nothing against it.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    special_use(address).is_none()
}

/// What `address` is set aside for; `None` for an ordinary public address.
///
/// IPv4 inside IPv6 is judged by the IPv4 address where both reach the same host (mapped, and the well-known NAT64
/// prefix, over which IPv6-only networks see all of IPv4). Where it is the end of a tunnel (6to4, Teredo, ISATAP) the
/// address is special whatever it carries: nobody serves metadata or keys from one, and the tunnel's exit may be near.
///
/// ```
/// use mcp_outbound::{SpecialUse, is_public, special_use};
///
/// assert!(is_public("8.8.8.8".parse()?));
/// assert_eq!(special_use("10.1.2.3".parse()?), Some(SpecialUse::Private));
/// // An IPv4 address wrapped in an IPv6 one is judged by what is inside.
/// assert_eq!(special_use("::ffff:127.0.0.1".parse()?), Some(SpecialUse::Loopback));
/// assert_eq!(special_use("64:ff9b::a9fe:a9fe".parse()?), Some(SpecialUse::CloudMetadata));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[must_use]
pub fn special_use(address: IpAddr) -> Option<SpecialUse> {
    match address {
        IpAddr::V4(v4) => special_use_v4(v4),
        IpAddr::V6(v6) => special_use_v6(v6),
    }
}

fn special_use_v4(address: Ipv4Addr) -> Option<SpecialUse> {
    let bits = address.to_bits();
    V4.iter()
        .find(|(network, prefix, _)| {
            let network = Ipv4Addr::from_octets(*network).to_bits();
            (bits ^ network).leading_zeros() >= *prefix
        })
        .map(|(_, _, what)| *what)
}

fn special_use_v6(address: Ipv6Addr) -> Option<SpecialUse> {
    if let Some(v4) = address.to_ipv4_mapped().or_else(|| well_known_nat64(address)) {
        return special_use_v4(v4);
    }
    let bits = address.to_bits();
    if let Some((_, _, what)) = V6.iter().find(|(network, prefix, _)| {
        (bits ^ Ipv6Addr::from_segments(*network).to_bits()).leading_zeros() >= *prefix
    }) {
        return Some(*what);
    }
    let segments = address.segments();
    // The two bits left out are universal/local and individual/group, which an ISATAP host sets as it likes.
    if segments[4] & 0xfcff == 0 && segments[5] == 0x5efe {
        return Some(SpecialUse::Isatap);
    }
    // All public addresses so far come from 2000::/3; anything else that appears is unknown, hence not public.
    (segments[0] & 0xe000 != 0x2000).then_some(SpecialUse::Reserved)
}

/// The IPv4 address behind `64:ff9b::/96` (RFC 6052 §2.1).
fn well_known_nat64(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [0x0064, 0xff9b, 0, 0, 0, 0, ..] = address.segments() else {
        return None;
    };
    let [.., a, b, c, d] = address.octets();
    Some(Ipv4Addr::new(a, b, c, d))
}

/// First match wins: exact metadata addresses before the blocks they lie in.
const V4: &[([u8; 4], u32, SpecialUse)] = &[
    // Credentials: AWS, Azure, Google, DigitalOcean, Oracle, OpenStack; ECS and EKS tasks; Tencent; Alibaba; Oracle; Azure.
    ([169, 254, 169, 254], 32, SpecialUse::CloudMetadata),
    ([169, 254, 170, 2], 32, SpecialUse::CloudMetadata),
    ([169, 254, 170, 23], 32, SpecialUse::CloudMetadata),
    ([169, 254, 0, 23], 32, SpecialUse::CloudMetadata),
    ([100, 100, 100, 200], 32, SpecialUse::CloudMetadata),
    ([192, 0, 0, 192], 32, SpecialUse::CloudMetadata),
    ([168, 63, 129, 16], 32, SpecialUse::CloudMetadata),
    ([255, 255, 255, 255], 32, SpecialUse::Broadcast),
    ([0, 0, 0, 0], 8, SpecialUse::ThisNetwork),
    ([10, 0, 0, 0], 8, SpecialUse::Private),
    ([100, 64, 0, 0], 10, SpecialUse::SharedAddress),
    ([127, 0, 0, 0], 8, SpecialUse::Loopback),
    ([169, 254, 0, 0], 16, SpecialUse::LinkLocal),
    ([172, 16, 0, 0], 12, SpecialUse::Private),
    ([192, 0, 0, 0], 24, SpecialUse::ProtocolAssignment),
    ([192, 0, 2, 0], 24, SpecialUse::Documentation),
    ([192, 31, 196, 0], 24, SpecialUse::AnycastService),
    ([192, 52, 193, 0], 24, SpecialUse::AnycastService),
    ([192, 88, 99, 0], 24, SpecialUse::AnycastService),
    ([192, 168, 0, 0], 16, SpecialUse::Private),
    ([192, 175, 48, 0], 24, SpecialUse::AnycastService),
    ([198, 18, 0, 0], 15, SpecialUse::Benchmarking),
    ([198, 51, 100, 0], 24, SpecialUse::Documentation),
    ([203, 0, 113, 0], 24, SpecialUse::Documentation),
    ([224, 0, 0, 0], 4, SpecialUse::Multicast),
    ([240, 0, 0, 0], 4, SpecialUse::Reserved),
];

/// First match wins. Mapped and well-known NAT64 addresses never get here.
const V6: &[([u16; 8], u32, SpecialUse)] = &[
    // Credentials: EC2, EKS tasks, Google Compute Engine.
    ([0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254], 128, SpecialUse::CloudMetadata),
    ([0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0023], 128, SpecialUse::CloudMetadata),
    ([0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254], 128, SpecialUse::CloudMetadata),
    ([0, 0, 0, 0, 0, 0, 0, 0], 128, SpecialUse::ThisNetwork),
    ([0, 0, 0, 0, 0, 0, 0, 1], 128, SpecialUse::Loopback),
    ([0, 0, 0, 0, 0, 0, 0, 0], 96, SpecialUse::V4Compatible),
    ([0x0064, 0xff9b, 1, 0, 0, 0, 0, 0], 48, SpecialUse::LocalNat64),
    ([0x0100, 0, 0, 0, 0, 0, 0, 0], 64, SpecialUse::DiscardOnly),
    ([0x0100, 0, 0, 1, 0, 0, 0, 0], 64, SpecialUse::DiscardOnly),
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 32, SpecialUse::Teredo),
    ([0x2001, 2, 0, 0, 0, 0, 0, 0], 48, SpecialUse::Benchmarking),
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, SpecialUse::ProtocolAssignment),
    ([0x2001, 0x0db8, 0, 0, 0, 0, 0, 0], 32, SpecialUse::Documentation),
    ([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, SpecialUse::SixToFour),
    ([0x2620, 0x004f, 0x8000, 0, 0, 0, 0, 0], 48, SpecialUse::AnycastService),
    // The 6bone, handed back by RFC 3701.
    ([0x3ffe, 0, 0, 0, 0, 0, 0, 0], 16, SpecialUse::Reserved),
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, SpecialUse::Documentation),
    ([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16, SpecialUse::SegmentRouting),
    ([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, SpecialUse::UniqueLocal),
    ([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, SpecialUse::LinkLocal),
    ([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, SpecialUse::SiteLocal),
    ([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, SpecialUse::Multicast),
];
