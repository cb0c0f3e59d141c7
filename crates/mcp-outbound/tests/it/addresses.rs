//! The classifier against a table of addresses, first and last of each block and their neighbours.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mcp_outbound::SpecialUse::{self, *};
use mcp_outbound::{is_public, special_use};
use proptest::prelude::*;

const TABLE: &[(&str, Option<SpecialUse>)] = &[
    // IPv4, in order of address.
    ("0.0.0.0", Some(ThisNetwork)),
    ("0.0.0.1", Some(ThisNetwork)),
    ("0.255.255.255", Some(ThisNetwork)),
    ("1.0.0.0", None),
    ("1.1.1.1", None),
    ("8.8.8.8", None),
    ("9.255.255.255", None),
    ("10.0.0.0", Some(Private)),
    ("10.0.0.1", Some(Private)),
    ("10.255.255.255", Some(Private)),
    ("11.0.0.0", None),
    ("93.184.216.34", None),
    ("100.63.255.255", None),
    ("100.64.0.0", Some(SharedAddress)),
    ("100.100.100.199", Some(SharedAddress)),
    ("100.100.100.200", Some(CloudMetadata)),
    ("100.127.255.255", Some(SharedAddress)),
    ("100.128.0.0", None),
    ("126.255.255.255", None),
    ("127.0.0.0", Some(Loopback)),
    ("127.0.0.1", Some(Loopback)),
    ("127.1.2.3", Some(Loopback)),
    ("127.255.255.255", Some(Loopback)),
    ("128.0.0.0", None),
    ("168.63.129.15", None),
    ("168.63.129.16", Some(CloudMetadata)),
    ("168.63.129.17", None),
    ("169.253.255.255", None),
    ("169.254.0.0", Some(LinkLocal)),
    ("169.254.0.23", Some(CloudMetadata)),
    ("169.254.169.253", Some(LinkLocal)),
    ("169.254.169.254", Some(CloudMetadata)),
    ("169.254.170.2", Some(CloudMetadata)),
    ("169.254.170.23", Some(CloudMetadata)),
    ("169.254.255.255", Some(LinkLocal)),
    ("169.255.0.0", None),
    ("172.15.255.255", None),
    ("172.16.0.0", Some(Private)),
    ("172.17.0.1", Some(Private)),
    ("172.31.255.255", Some(Private)),
    ("172.32.0.0", None),
    ("191.255.255.255", None),
    ("192.0.0.0", Some(ProtocolAssignment)),
    ("192.0.0.9", Some(ProtocolAssignment)),
    ("192.0.0.10", Some(ProtocolAssignment)),
    ("192.0.0.170", Some(ProtocolAssignment)),
    ("192.0.0.192", Some(CloudMetadata)),
    ("192.0.0.255", Some(ProtocolAssignment)),
    ("192.0.1.0", None),
    ("192.0.1.255", None),
    ("192.0.2.0", Some(Documentation)),
    ("192.0.2.255", Some(Documentation)),
    ("192.0.3.0", None),
    ("192.31.195.255", None),
    ("192.31.196.0", Some(AnycastService)),
    ("192.31.196.255", Some(AnycastService)),
    ("192.31.197.0", None),
    ("192.52.192.255", None),
    ("192.52.193.0", Some(AnycastService)),
    ("192.52.193.255", Some(AnycastService)),
    ("192.52.194.0", None),
    ("192.88.98.255", None),
    ("192.88.99.0", Some(AnycastService)),
    ("192.88.99.255", Some(AnycastService)),
    ("192.88.100.0", None),
    ("192.167.255.255", None),
    ("192.168.0.0", Some(Private)),
    ("192.168.1.1", Some(Private)),
    ("192.168.255.255", Some(Private)),
    ("192.169.0.0", None),
    ("192.175.47.255", None),
    ("192.175.48.0", Some(AnycastService)),
    ("192.175.48.255", Some(AnycastService)),
    ("192.175.49.0", None),
    ("198.17.255.255", None),
    ("198.18.0.0", Some(Benchmarking)),
    ("198.19.255.255", Some(Benchmarking)),
    ("198.20.0.0", None),
    ("198.51.99.255", None),
    ("198.51.100.0", Some(Documentation)),
    ("198.51.100.255", Some(Documentation)),
    ("198.51.101.0", None),
    ("203.0.112.255", None),
    ("203.0.113.0", Some(Documentation)),
    ("203.0.113.255", Some(Documentation)),
    ("203.0.114.0", None),
    ("223.255.255.255", None),
    ("224.0.0.0", Some(Multicast)),
    ("233.252.0.1", Some(Multicast)),
    ("239.255.255.255", Some(Multicast)),
    ("240.0.0.0", Some(Reserved)),
    ("255.255.255.254", Some(Reserved)),
    ("255.255.255.255", Some(Broadcast)),
    // IPv6, in order of address.
    ("::", Some(ThisNetwork)),
    ("::1", Some(Loopback)),
    ("::2", Some(V4Compatible)),
    ("::7f00:1", Some(V4Compatible)),
    ("::808:808", Some(V4Compatible)),
    ("::ffff:ffff", Some(V4Compatible)),
    ("::1:0:0", Some(Reserved)),
    ("::fffe:ffff:ffff", Some(Reserved)),
    ("::ffff:0.0.0.0", Some(ThisNetwork)),
    ("::ffff:10.0.0.1", Some(Private)),
    ("::ffff:127.0.0.1", Some(Loopback)),
    ("::ffff:169.254.169.254", Some(CloudMetadata)),
    ("::ffff:192.168.0.1", Some(Private)),
    ("::ffff:8.8.8.8", None),
    ("::ffff:0:7f00:1", Some(Reserved)),
    ("64:ff9a::1", Some(Reserved)),
    ("64:ff9b::", Some(ThisNetwork)),
    ("64:ff9b::a00:1", Some(Private)),
    ("64:ff9b::7f00:1", Some(Loopback)),
    ("64:ff9b::a9fe:a9fe", Some(CloudMetadata)),
    ("64:ff9b::808:808", None),
    ("64:ff9b::1:808:808", Some(Reserved)),
    ("64:ff9b:1::", Some(LocalNat64)),
    ("64:ff9b:1::808:808", Some(LocalNat64)),
    ("64:ff9b:1:ffff:ffff:ffff:ffff:ffff", Some(LocalNat64)),
    ("64:ff9b:2::1", Some(Reserved)),
    ("100::", Some(DiscardOnly)),
    ("100::ffff:ffff:ffff:ffff", Some(DiscardOnly)),
    ("100:0:0:1::1", Some(DiscardOnly)),
    ("100:0:0:2::1", Some(Reserved)),
    ("1fff:ffff::1", Some(Reserved)),
    ("2000::1", None),
    ("2001::", Some(Teredo)),
    ("2001:0:4136:e378:8000:63bf:3fff:fdd2", Some(Teredo)),
    ("2001:0:ffff:ffff:ffff:ffff:ffff:ffff", Some(Teredo)),
    ("2001:1::1", Some(ProtocolAssignment)),
    ("2001:2::", Some(Benchmarking)),
    ("2001:2:0:ffff::1", Some(Benchmarking)),
    ("2001:2:1::", Some(ProtocolAssignment)),
    ("2001:3::1", Some(ProtocolAssignment)),
    ("2001:4:112::1", Some(ProtocolAssignment)),
    ("2001:10::1", Some(ProtocolAssignment)),
    ("2001:20::1", Some(ProtocolAssignment)),
    ("2001:30::1", Some(ProtocolAssignment)),
    ("2001:1ff:ffff::1", Some(ProtocolAssignment)),
    ("2001:200::1", None),
    ("2001:4860:4860::8888", None),
    ("2001:db7:ffff::1", None),
    ("2001:db8::", Some(Documentation)),
    ("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", Some(Documentation)),
    ("2001:db9::1", None),
    ("2002::", Some(SixToFour)),
    ("2002:a00:1::", Some(SixToFour)),
    ("2002:7f00:1::1", Some(SixToFour)),
    ("2002:808:808::1", Some(SixToFour)),
    ("2003::1", None),
    ("2606:4700:4700::1111", None),
    ("2620:4f:7fff::1", None),
    ("2620:4f:8000::1", Some(AnycastService)),
    ("2620:4f:8001::1", None),
    ("2a00:1450:4001:81b::200e", None),
    ("2a00:1:2:3:0:5efe:a00:1", Some(Isatap)),
    ("2a00:1:2:3:200:5efe:808:808", Some(Isatap)),
    ("2a00:1:2:3:300:5efe:a00:1", Some(Isatap)),
    ("2a00:1:2:3:400:5efe:a00:1", None),
    ("2a00:1:2:3:0:5eff:a00:1", None),
    ("3ffd:ffff::1", None),
    ("3ffe::1", Some(Reserved)),
    ("3fff::", Some(Documentation)),
    ("3fff:fff:ffff::1", Some(Documentation)),
    ("3fff:1000::1", None),
    ("4000::1", Some(Reserved)),
    ("5eff::1", Some(Reserved)),
    ("5f00::1", Some(SegmentRouting)),
    ("5f01::1", Some(Reserved)),
    ("fbff:ffff::1", Some(Reserved)),
    ("fc00::", Some(UniqueLocal)),
    ("fd00:ec2::23", Some(CloudMetadata)),
    ("fd00:ec2::253", Some(UniqueLocal)),
    ("fd00:ec2::254", Some(CloudMetadata)),
    ("fd20:ce::254", Some(CloudMetadata)),
    ("fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Some(UniqueLocal)),
    ("fe00::1", Some(Reserved)),
    ("fe7f:ffff::1", Some(Reserved)),
    ("fe80::", Some(LinkLocal)),
    ("fe80::5efe:a00:1", Some(LinkLocal)),
    ("febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Some(LinkLocal)),
    ("fec0::1", Some(SiteLocal)),
    ("feff:ffff::1", Some(SiteLocal)),
    ("ff00::", Some(Multicast)),
    ("ff02::1", Some(Multicast)),
    ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Some(Multicast)),
];

// covers: AUTH-83, SEC-03
#[test]
fn every_block_begins_and_ends_where_the_registries_say() {
    for (text, expected) in TABLE {
        let address: IpAddr = text.parse().unwrap();
        assert_eq!(special_use(address), *expected, "{text}");
        assert_eq!(is_public(address), expected.is_none(), "{text}");
    }
}

/// An independent opinion for the common blocks, by the standard library.
fn plainly_local(address: Ipv4Addr) -> bool {
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        || address.is_unspecified()
}

fn behind(prefix: [u16; 6], address: Ipv4Addr) -> IpAddr {
    let [a, b, c, d] = address.octets();
    let mut segments = [0; 8];
    segments[..6].copy_from_slice(&prefix);
    segments[6] = u16::from_be_bytes([a, b]);
    segments[7] = u16::from_be_bytes([c, d]);
    Ipv6Addr::from_segments(segments).into()
}

/// Mostly addresses near the edges of blocks, which uniform ones would hardly ever hit.
fn v4() -> impl Strategy<Value = Ipv4Addr> {
    let edges: Vec<u32> =
        TABLE.iter().filter_map(|(text, _)| text.parse::<Ipv4Addr>().ok()).map(Ipv4Addr::to_bits).collect();
    prop_oneof![
        any::<u32>().prop_map(Ipv4Addr::from_bits),
        (proptest::sample::select(edges), -2i32..=2)
            .prop_map(|(edge, step)| Ipv4Addr::from_bits(edge.wrapping_add_signed(step))),
    ]
}

proptest! {
    // covers: AUTH-83
    #[test]
    fn wrapping_an_ipv4_address_changes_nothing(address in v4()) {
        let plain = special_use(address.into());
        prop_assert!(!plainly_local(address) || plain.is_some());
        prop_assert_eq!(special_use(address.to_ipv6_mapped().into()), plain);
        prop_assert_eq!(special_use(behind([0x64, 0xff9b, 0, 0, 0, 0], address)), plain);
    }

    // covers: AUTH-83
    #[test]
    fn a_tunnel_to_an_ipv4_address_is_never_public(address in v4(), rest in any::<[u16; 5]>(), group in any::<bool>()) {
        let [a, b, c, d] = address.octets();
        let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        let [s3, s4, s5, s6, s7] = rest;
        let six_to_four = Ipv6Addr::new(0x2002, high, low, s3, s4, s5, s6, s7);
        prop_assert_eq!(special_use(six_to_four.into()), Some(SixToFour));
        let teredo = Ipv6Addr::new(0x2001, 0, s3, s4, s5, s6, !high, !low);
        prop_assert_eq!(special_use(teredo.into()), Some(Teredo));
        let isatap = behind([0x2000 | (s3 & 0x1fff), s4, s5, s6, if group { 0x200 } else { 0 }, 0x5efe], address);
        prop_assert!(!is_public(isatap), "{}", isatap);
        prop_assert!(!is_public(behind([0; 6], address)));
        prop_assert_eq!(special_use(behind([0x64, 0xff9b, 1, s3, s4, s5], address)), Some(LocalNat64));
    }

    // covers: AUTH-83
    #[test]
    fn only_the_public_block_of_ipv6_is_public(segments in any::<[u16; 8]>()) {
        let address = Ipv6Addr::from_segments(segments);
        let wraps_v4 = address.to_ipv4_mapped().is_some() || segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0];
        prop_assert!(!is_public(address.into()) || segments[0] >> 13 == 1 || wraps_v4);
    }
}
