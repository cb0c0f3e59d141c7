//! Which URLs can be a client's identifier (draft-ietf-oauth-client-id-metadata-document §3), decided on the text as it came.

use url::{Host, Url};

/// The most bytes it may have.
const MAX_LENGTH: usize = 2048;

/// Whether an identifier wants to be such a URL. Identifiers of ours never look like one.
pub(crate) fn looks_like_one(id: &str) -> bool {
    id.starts_with("https:") || id.starts_with("http:")
}

/// Reads such a URL. It has to be written as a URL parser would write it: then nobody reads it as another, and none of its
/// dot segments, odd hosts and default ports are anything but what they look like.
///
/// # Errors
/// Why it is none, in words for the client's maker. Nothing is fetched then (attack CI01).
pub(crate) fn read(id: &str, loopback: bool) -> Result<Url, &'static str> {
    if id.len() > MAX_LENGTH {
        return Err("the client_id is too long");
    }
    if !id.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte)) {
        return Err("the client_id has a character that no URL may have");
    }
    if id.contains('#') {
        return Err("the client_id has a fragment");
    }
    let Ok(url) = Url::parse(id) else { return Err("the client_id cannot be read as a URL") };
    if !url.username().is_empty() || url.password().is_some() || authority(id).contains('@') {
        return Err("the client_id names a user");
    }
    let machine = match url.host() {
        Some(Host::Domain(name)) => {
            let machine = name == "localhost";
            if !machine && (!name.contains('.') || name.ends_with('.') || name.ends_with(".localhost")) {
                return Err("the client_id is on a host that is not public");
            }
            machine
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return Err("the client_id has no host"),
    };
    let opened = loopback && machine;
    if machine && !opened {
        return Err("the client_id is on a host that is not public");
    }
    if url.scheme() != "https" && !(opened && url.scheme() == "http") {
        return Err("the client_id is not https");
    }
    // The MCP profile: there must be a path, and the root is none.
    if url.path() == "/" {
        return Err("the client_id has no path");
    }
    if url.as_str() != id {
        return Err("the client_id is not written in its normal form");
    }
    Ok(url)
}

fn authority(id: &str) -> &str {
    let rest = id.split_once("//").map_or("", |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // covers: AUTH-77, CI01
    #[test]
    fn only_what_is_written_plainly_is_one() {
        for good in [
            "https://c.test/x.json",
            "https://c.test/a/b/",
            "https://c.test:8443/x",
            "https://c.test/x?v=1",
            "https://c.test/%C3%BC",
            "https://c.test//x",
            "https://192.0.2.1/x",
            "https://c.test/..x/x..",
        ] {
            assert!(read(good, false).is_ok(), "{good}: {:?}", read(good, false));
        }
        for bad in [
            "http://c.test/x.json",
            "https://c.test",
            "https://c.test/",
            "https://c.test?x",
            "https://c.test/x#f",
            "https://c.test/x#",
            "https://user:pw@c.test/x",
            "https://@c.test/x",
            "https://c.test/a/../b",
            "https://c.test/a/./b",
            "https://c.test/a/%2e%2e/b",
            "https://c.test/a/.%2E/b",
            "https://c.test/%2e",
            "https://c.test/a/..",
            "https://c.test/a b",
            "https://c.test/a\\b",
            "https:\\\\c.test\\x",
            "https://c.test/a\n",
            "https://c.test/\u{0}",
            " https://c.test/x",
            "https://c.test/x ",
            "HTTPS://c.test/x",
            "https://C.test/x",
            "https://c.test:443/x",
            "https://c.test:/x",
            "https:/c.test/x",
            "https:c.test/x",
            "https:///x",
            "https://c.test./x",
            "https://intranet/x",
            "https://localhost/x",
            "https://a.localhost/x",
            "https://127.0.0.1/x",
            "https://127.1/x",
            "https://0x7f.1/x",
            "https://2130706433/x",
            "https://[::1]/x",
            "https://b\u{fc}cher.test/x",
            "ftp://c.test/x",
            "",
            "javascript:alert(1)",
        ] {
            assert!(read(bad, false).is_err(), "{bad}");
        }
    }

    #[test]
    fn this_machine_only_where_it_was_opened() {
        for url in ["http://127.0.0.1:9000/x", "https://localhost:9000/x", "http://[::1]:1/x"] {
            assert!(read(url, false).is_err() && read(url, true).is_ok(), "{url}");
        }
        for url in ["http://c.test/x", "http://10.0.0.1/x", "http://127.0.0.1:9000/"] {
            assert!(read(url, true).is_err(), "{url}");
        }
    }

    proptest! {
        #[test]
        fn what_is_one_reads_as_itself(id in "https?:/{0,3}[a-zA-Z0-9.@:%\\[\\]\\\\]{0,12}[a-z0-9./%?#\\\\ \\t]{0,16}") {
            if let Ok(url) = read(&id, false) {
                prop_assert_eq!(url.as_str(), id.as_str());
                prop_assert_eq!(url.scheme(), "https");
                prop_assert!(url.fragment().is_none() && url.username().is_empty() && url.path() != "/");
                let mut segments = url.path().split('/');
                prop_assert!(!segments.any(|segment| segment == "." || segment == ".."));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}") {
            let _ = (read(&text, false), read(&text, true));
        }
    }
}
