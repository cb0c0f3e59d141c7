//! The hops that proxies write into headers, nearest first.
//!
//! The lists are read from the right, where the nearest proxy has written: what a client put before that cannot change
//! how the proxy's own words are understood, not even by an unbalanced quote.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::{HeaderMap, HeaderName};

/// The hops of `X-Forwarded-For`; `None` for one that is no address.
pub(super) fn x_forwarded_for(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    elements(headers, X_FORWARDED_FOR, false).map(|element| host(trim(element)))
}

/// The hops of `Forwarded` (RFC 7239 §4): the `for` of each element; `None` for one that is hidden, unknown or garbage.
pub(super) fn forwarded(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    elements(headers, http::header::FORWARDED, true).map(forwarded_for)
}

/// The hops of both headers, whoever wrote them.
pub(crate) fn all_hops(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    x_forwarded_for(headers).chain(forwarded(headers))
}

/// Comma-separated elements of all lines of a header, last one first.
fn elements(headers: &HeaderMap, name: HeaderName, quotes: bool) -> impl Iterator<Item = &[u8]> {
    headers
        .get_all(name)
        .into_iter()
        .rev()
        .flat_map(move |line| FromRight { rest: Some(line.as_bytes()), quotes })
}

struct FromRight<'a> {
    rest: Option<&'a [u8]>,
    quotes: bool,
}

impl<'a> Iterator for FromRight<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        let mut quoted = false;
        let comma = rest.iter().rposition(|byte| {
            quoted ^= self.quotes && *byte == b'"';
            *byte == b',' && !quoted
        });
        match comma {
            Some(at) => {
                self.rest = Some(&rest[..at]);
                Some(&rest[at + 1..])
            }
            None => self.rest.take(),
        }
    }
}

fn forwarded_for(element: &[u8]) -> Option<IpAddr> {
    let mut found = None;
    // The address forms know neither `;` nor escapes, so a quoted `;` breaks the element into garbage, as it should.
    for pair in element.split(|byte| *byte == b';') {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let (name, value) = (trim(&pair[..at]), trim(&pair[at + 1..]));
        if name.eq_ignore_ascii_case(b"for") {
            let value = match value {
                [b'"', inner @ .., b'"'] => inner,
                // Colons and brackets must be quoted (RFC 7239 §6).
                token if token.contains(&b':') => return None,
                token => token,
            };
            // Said twice, nothing is said.
            if found.replace(host(value)?).is_some() {
                return None;
            }
        }
    }
    found
}

/// An address with or without a port; IPv6 with or without brackets.
fn host(bytes: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(bytes).ok()?;
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return Some(socket.ip().to_canonical());
    }
    let bracketed: Ipv6Addr = text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()?;
    Some(IpAddr::V6(bracketed).to_canonical())
}

fn trim(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii()
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn hops(name: &'static str, lines: &[&str]) -> Vec<Option<String>> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        let text = |hop: Option<IpAddr>| hop.map(|address| address.to_string());
        match name {
            "forwarded" => forwarded(&headers).map(text).collect(),
            _ => x_forwarded_for(&headers).map(text).collect(),
        }
    }

    fn some(address: &str) -> Option<String> {
        Some(address.to_owned())
    }

    #[test]
    fn hops_come_nearest_first_over_all_lines() {
        assert_eq!(
            hops("x-forwarded-for", &["192.0.2.1, 192.0.2.2:80", "[2001:db8::1]:443 ,\t2001:db8::2,[::3]"]),
            ["::3", "2001:db8::2", "2001:db8::1", "192.0.2.2", "192.0.2.1"].map(some)
        );
        assert_eq!(hops("x-forwarded-for", &["::ffff:192.0.2.1"]), [some("192.0.2.1")]);
        assert_eq!(hops("x-forwarded-for", &["", "unknown,,192.0.2.1 192.0.2.2"]), [None, None, None, None]);
    }

    #[test]
    fn forwarded_is_read_by_the_book() {
        assert_eq!(
            hops(
                "forwarded",
                &[r#"For="[2001:db8:cafe::17]:4711""#, "for=192.0.2.43;proto=https, FOR = 198.51.100.17"]
            ),
            ["198.51.100.17", "192.0.2.43", "2001:db8:cafe::17"].map(some)
        );
        for garbage in [
            "for=unknown",
            "for=_hidden",
            "proto=https",
            "192.0.2.1",
            "for=192.0.2.1;for=192.0.2.2",
            "for=[2001:db8::1]",
            "for=192.0.2.1:80",
            r#"for="192.0.2.1"#,
            r#"for=192.0.2.1";by=x"#,
            r#"for="192.0.2.\1""#,
            "for=",
            "",
        ] {
            assert_eq!(hops("forwarded", &[garbage]), [None], "{garbage}");
        }
    }

    #[test]
    fn a_comma_in_quotes_separates_nothing() {
        assert_eq!(
            hops("forwarded", &[r#"for=192.0.2.1, for=192.0.2.2;by="a, b";proto="c,d""#]),
            ["192.0.2.2", "192.0.2.1"].map(some)
        );
    }

    #[test]
    fn a_quote_left_open_by_the_client_does_not_swallow_the_proxys_words() {
        for client in [r#"for="6.6.6.6"#, r#"for=6.6.6.6;x=""#, r#"""#, r#"for="a, for=6.6.6.6"#] {
            let line = format!(r#"{client}, for="[2001:db8::1]:1234""#);
            assert_eq!(hops("forwarded", &[&line])[0], some("2001:db8::1"), "{line}");
        }
    }
}
