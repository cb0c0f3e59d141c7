//! Load limits and trusted proxies, as a server sees them.

use std::net::IpAddr;
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use mcp_core::Timestamp;
use mcp_core::limits::{Limits, Rate, TrustedProxies, Verdict};
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

fn digest(n: u64) -> [u8; 32] {
    let mut digest = [0; 32];
    digest[..8].copy_from_slice(&n.to_be_bytes());
    digest
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn egress() -> Option<IpAddr> {
    Some(ip("160.79.104.10"))
}

/// Thirty failures a minute per address (one comes back every two seconds), three per credential.
fn limits() -> Limits {
    Limits::new().failures_per_address(Rate::per_minute(30)).failures_per_credential(Rate::per_minute(3))
}

/// A flood of guesses at one moment; the lane of that moment is used up too.
fn flood(limits: &Limits, now: Timestamp) {
    for n in 1_000..2_000 {
        let guess = digest(n);
        if limits.check(now, egress(), &guess) == Verdict::Go {
            limits.failed(now, egress(), &guess);
        }
    }
}

#[test]
fn failures_of_others_behind_an_address_do_not_refuse_a_good_credential() {
    let limits = limits();
    // Seen long before the first guess, and never again until the flood.
    limits.succeeded(&digest(1));
    flood(&limits, NOW);
    for second in 0..100 {
        let now = NOW + Duration::from_secs(second);
        flood(&limits, now);
        assert_eq!(limits.check(now, egress(), &digest(1)), Verdict::Go);
        assert!(matches!(limits.check(now, egress(), &digest(2)), Verdict::Suspicious(_)));
    }
}

#[test]
fn an_address_over_its_budget_gets_few_guesses_and_other_addresses_are_untouched() {
    let limits = limits();
    let mut verified = 0;
    for second in 0..60 {
        for n in 0..100 {
            let guess = digest(second * 100 + n);
            let now = NOW + Duration::from_secs(second);
            if limits.check(now, egress(), &guess) == Verdict::Go {
                verified += 1;
                limits.failed(now, egress(), &guess);
            }
            assert_eq!(limits.check(now, Some(ip("192.0.2.9")), &guess), Verdict::Go);
        }
    }
    // The budget, and what comes back and what the lane lets through in a minute, of 6,000.
    assert!((30..=90).contains(&verified), "{verified}");
}

#[test]
fn a_fresh_good_credential_gets_through_by_the_lane_or_by_being_announced() {
    let limits = limits();
    flood(&limits, NOW);
    assert!(matches!(limits.check(NOW, egress(), &digest(5)), Verdict::Suspicious(_)));
    let Verdict::Suspicious(wait) = limits.check(NOW, egress(), &digest(5)) else { panic!() };
    assert!(wait <= Duration::from_secs(2), "{wait:?}");
    assert_eq!(limits.check(NOW + wait, egress(), &digest(5)), Verdict::Go);
    // Whoever hands out a token says so.
    assert!(matches!(limits.check(NOW + wait, egress(), &digest(6)), Verdict::Suspicious(_)));
    limits.succeeded(&digest(6));
    assert_eq!(limits.check(NOW + wait, egress(), &digest(6)), Verdict::Go);
}

#[test]
fn an_expired_token_of_a_good_client_is_still_told_so() {
    let limits = limits();
    limits.succeeded(&digest(1));
    flood(&limits, NOW);
    // Verified, and therefore answered 401, as often as any credential may fail.
    for _ in 0..3 {
        assert_eq!(limits.check(NOW, egress(), &digest(1)), Verdict::Go);
        limits.failed(NOW, egress(), &digest(1));
    }
    assert!(matches!(limits.check(NOW, egress(), &digest(1)), Verdict::KnownBad(_)));
}

#[test]
fn a_morning_of_expired_tokens_is_no_attack() {
    let limits = limits();
    for n in 0..1_000 {
        limits.succeeded(&digest(n));
    }
    for n in 0..1_000 {
        assert_eq!(limits.check(NOW, egress(), &digest(n)), Verdict::Go);
        limits.failed(NOW, egress(), &digest(n));
    }
    // Twice, because the first could have come by the lane.
    assert_eq!(limits.check(NOW, egress(), &digest(5_000)), Verdict::Go);
    assert_eq!(limits.check(NOW, egress(), &digest(5_001)), Verdict::Go);
}

#[test]
fn a_credential_that_keeps_failing_is_not_verified_again_for_a_while() {
    let limits = limits();
    for _ in 0..3 {
        assert_eq!(limits.check(NOW, egress(), &digest(1)), Verdict::Go);
        limits.failed(NOW, egress(), &digest(1));
    }
    let Verdict::KnownBad(wait) = limits.check(NOW, egress(), &digest(1)) else { panic!() };
    assert_eq!(wait, Duration::from_secs(20));
    assert_eq!(limits.check(NOW, egress(), &digest(2)), Verdict::Go);
    assert_eq!(limits.check(NOW + wait, egress(), &digest(1)), Verdict::Go);
}

#[test]
fn replaying_a_stolen_expired_token_does_not_take_the_owners_401_away() {
    let limits = limits();
    for _ in 0..50 {
        limits.failed(NOW, Some(ip("203.0.113.66")), &digest(1));
    }
    assert!(matches!(limits.check(NOW, Some(ip("203.0.113.66")), &digest(1)), Verdict::KnownBad(_)));
    assert_eq!(limits.check(NOW, egress(), &digest(1)), Verdict::Go);
}

#[test]
fn without_an_address_credentials_are_still_counted() {
    let limits = limits();
    for _ in 0..3 {
        limits.failed(NOW, None, &digest(1));
    }
    assert!(matches!(limits.check(NOW, None, &digest(1)), Verdict::KnownBad(_)));
    for n in 10..1_000 {
        limits.failed(NOW, None, &digest(n));
    }
    assert_eq!(limits.check(NOW, None, &digest(2)), Verdict::Go);
}

#[test]
fn requests_are_limited_per_principal_where_asked_for() {
    let limits = Limits::new();
    for _ in 0..10_000 {
        assert_eq!(limits.admit(NOW, "ada"), Ok(()));
    }
    let limits = limits.requests_per_principal(Rate::per_second(5));
    for _ in 0..5 {
        assert_eq!(limits.admit(NOW, "ada"), Ok(()));
    }
    assert_eq!(limits.admit(NOW, "ada"), Err(Duration::from_millis(200)));
    assert_eq!(limits.admit(NOW, "bob"), Ok(()));
    assert_eq!(limits.admit(NOW + Duration::from_millis(200), "ada"), Ok(()));
}

fn forwarded_for(lines: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append("x-forwarded-for", HeaderValue::from_bytes(line.as_bytes()).unwrap());
    }
    headers
}

// covers: LG03
#[test]
fn only_the_rightmost_untrusted_hop_counts() {
    let proxies = TrustedProxies::new(["10.0.0.0/8", "fd00::/8"]).unwrap();
    for (peer, lines, client) in [
        // An untrusted peer's words are nothing.
        ("198.51.100.9", &["6.6.6.6"][..], "198.51.100.9"),
        ("10.0.0.1", &["192.0.2.1"], "192.0.2.1"),
        ("::ffff:10.0.0.1", &["192.0.2.1"], "192.0.2.1"),
        ("fd00::1", &["192.0.2.1"], "192.0.2.1"),
        // What the client wrote itself stands further left, in the same line or in one before.
        ("10.0.0.1", &["6.6.6.6, 192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", &["6.6.6.6", "192.0.2.1, 10.0.0.7"], "192.0.2.1"),
        // Pretending to be one of the proxies does not help: the first stranger from the right ends the walk.
        ("10.0.0.1", &["6.6.6.6, 10.0.0.9, 192.0.2.1"], "192.0.2.1"),
        // Garbage ends it too, at the last hop that was understood.
        ("10.0.0.1", &["6.6.6.6, unknown"], "10.0.0.1"),
        ("10.0.0.1", &["6.6.6.6, , 10.0.0.7"], "10.0.0.7"),
        ("10.0.0.1", &["6.6.6.6, \u{fc}, 10.0.0.7"], "10.0.0.7"),
        // A call from among the proxies.
        ("10.0.0.1", &["10.0.0.9, 10.0.0.7"], "10.0.0.9"),
        ("10.0.0.1", &[], "10.0.0.1"),
    ] {
        assert_eq!(proxies.client_address(ip(peer), &forwarded_for(lines)), ip(client), "{peer} {lines:?}");
    }
    let nobody = TrustedProxies::default();
    assert_eq!(nobody.client_address(ip("10.0.0.1"), &forwarded_for(&["6.6.6.6"])), ip("10.0.0.1"));
}

// covers: LG03
#[test]
fn one_header_is_read_and_never_the_other() {
    let mut headers = forwarded_for(&["192.0.2.1"]);
    headers.insert("forwarded", HeaderValue::from_static("for=192.0.2.2"));
    let x = TrustedProxies::new(["10.0.0.0/8"]).unwrap();
    assert_eq!(x.client_address(ip("10.0.0.1"), &headers), ip("192.0.2.1"));
    let by_the_book = x.forwarded();
    assert_eq!(by_the_book.client_address(ip("10.0.0.1"), &headers), ip("192.0.2.2"));
    headers.remove("forwarded");
    assert_eq!(by_the_book.client_address(ip("10.0.0.1"), &headers), ip("10.0.0.1"));
}

#[test]
fn the_whole_world_is_no_proxy() {
    assert!(TrustedProxies::new(["10.0.0.0/8", "0.0.0.0/0"]).is_err());
    assert!(TrustedProxies::new(["::/0"]).is_err());
    assert!(TrustedProxies::new(["10.0.0.0/8", " 192.0.2.1 "]).is_ok());
}

proptest! {
    /// Whatever a client writes, in either header, the address is the one its proxy saw.
    // covers: LG03
    #[test]
    fn nothing_a_client_writes_changes_its_address(
        spoof in prop::collection::vec("[ -~]{0,60}", 0..4),
        seen in any::<u32>().prop_map(|bits| IpAddr::from(bits.to_be_bytes())),
        same_line in any::<bool>(),
        by_the_book in any::<bool>(),
    ) {
        prop_assume!(!matches!(seen, IpAddr::V4(v4) if v4.octets()[0] == 10));
        let mut proxies = TrustedProxies::new(["10.0.0.0/8"]).unwrap();
        let (name, own) = match by_the_book {
            true => ("forwarded", format!("for=\"{seen}\";proto=https")),
            false => ("x-forwarded-for", seen.to_string()),
        };
        if by_the_book {
            proxies = proxies.forwarded();
        }
        let mut lines = spoof;
        match (same_line, lines.pop()) {
            (true, Some(last)) => lines.push(format!("{last}, {own}")),
            (false, Some(last)) => lines.extend([last, own]),
            (_, None) => lines.push(own),
        }
        let mut headers = HeaderMap::new();
        for line in &lines {
            headers.append(name, HeaderValue::from_str(line).unwrap());
        }
        prop_assert_eq!(proxies.client_address(ip("10.0.0.1"), &headers), seen);
        prop_assert_eq!(proxies.client_address(ip("198.51.100.1"), &headers), ip("198.51.100.1"));
    }

    /// No bytes make it fall over.
    #[test]
    fn any_bytes_are_survived(
        lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..4),
        by_the_book in any::<bool>(),
    ) {
        let mut proxies = TrustedProxies::new(["10.0.0.0/8"]).unwrap();
        if by_the_book {
            proxies = proxies.forwarded();
        }
        let mut headers = HeaderMap::new();
        for line in lines {
            if let Ok(line) = HeaderValue::from_bytes(&line) {
                headers.append(if by_the_book { "forwarded" } else { "x-forwarded-for" }, line);
            }
        }
        let _ = proxies.client_address(ip("10.0.0.1"), &headers);
    }
}
