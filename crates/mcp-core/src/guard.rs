//! Whom a request claims to be for, and which web page sent it: `Host` and `Origin`.
//!
//! A page of any site can make a browser send requests to a server on the same machine, under a name that the page's
//! owner lets point there (DNS rebinding). What the browser cannot be made to hide is the name it used and the page it
//! came from (spec TR-04, TR-05).

use std::collections::HashSet;

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderValue, Uri};
use url::{Host, Url};

use crate::{ConfigError, PublicUrl};

/// Which hosts and origins a site answers.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    hosts: Vec<String>,
    origins: HashSet<String>,
    any_origin: bool,
    loopback: bool,
    own_port: u16,
}

/// Why the guard refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Foreign {
    /// `Host` is missing, there twice, or contradicts the request line.
    MalformedHost,
    /// The host is not one of ours.
    Host,
    /// The page is not one we know.
    Origin,
}

impl Guard {
    pub(crate) fn new(site: &PublicUrl) -> Self {
        let mut hosts = vec![format!("{}:{}", site.host(), site.port())];
        if site.has_default_port() {
            hosts.push(site.host().to_owned());
        }
        Self {
            hosts,
            origins: HashSet::from([site.origin().to_owned()]),
            any_origin: false,
            loopback: site.is_loopback(),
            own_port: site.port(),
        }
    }

    pub(crate) fn allow_host(&mut self, host: &str) -> Result<(), ConfigError> {
        if host.is_empty() || host.contains(['/', '@', '*', ' ']) {
            return Err(ConfigError::new(format!("{host:?} is not a host: write it like mcp.internal:8000")));
        }
        self.hosts.push(host.to_ascii_lowercase());
        Ok(())
    }

    pub(crate) fn allow_origin(&mut self, origin: &str) -> Result<(), ConfigError> {
        match Url::parse(origin) {
            Ok(url)
                if matches!(url.scheme(), "http" | "https")
                    && url.origin().ascii_serialization() == origin.trim_end_matches('/') =>
            {
                self.origins.insert(url.origin().ascii_serialization());
                Ok(())
            }
            _ => Err(ConfigError::new(format!(
                "{origin:?} is not an origin: write it like https://app.example.com, without a path"
            ))),
        }
    }

    pub(crate) fn allow_any_origin(&mut self) {
        self.any_origin = true;
    }

    /// Is this request for us?
    pub(crate) fn check_host(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), Foreign> {
        let mut values = headers.get_all(HOST).iter();
        let said = match values.next() {
            Some(value) => Some(value.to_str().map_err(|_| Foreign::MalformedHost)?),
            None => None,
        };
        if values.next().is_some() {
            return Err(Foreign::MalformedHost);
        }
        // HTTP/2 and absolute-form requests name the host in the request line; it may not contradict the header.
        let host = match (said, uri.authority().map(http::uri::Authority::as_str)) {
            (Some(header), Some(line)) if !header.eq_ignore_ascii_case(line) => {
                return Err(Foreign::MalformedHost);
            }
            (Some(host), _) | (None, Some(host)) => host,
            (None, None) => return Err(Foreign::MalformedHost),
        };
        // Compared one by one: there are few, and none has to be hashed or lowered for it.
        if self.hosts.iter().any(|own| own == host || own.eq_ignore_ascii_case(host)) {
            return Ok(());
        }
        if self.loopback && is_loopback_authority(host) { Ok(()) } else { Err(Foreign::Host) }
    }

    /// May the page that sent this speak to an MCP endpoint? Requests of anything but a browser carry no origin.
    pub(crate) fn check_origin<'h>(
        &self,
        headers: &'h HeaderMap,
    ) -> Result<Option<&'h HeaderValue>, Foreign> {
        let mut values = headers.get_all(ORIGIN).iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        let origin = value.to_str().map_err(|_| Foreign::Origin)?;
        if values.next().is_some() {
            return Err(Foreign::Origin);
        }
        let known = self.origins.contains(origin)
            || (self.loopback && is_loopback_origin(origin))
            || (self.any_origin && origin != "null");
        if known { Ok(Some(value)) } else { Err(Foreign::Origin) }
    }

    /// Did one of our own pages send this form? (attacks LG15, CO08)
    pub(crate) fn check_form(&self, headers: &HeaderMap) -> Result<(), Foreign> {
        // Said by the browser itself. A page under `Referrer-Policy: no-referrer` posts with `Origin: null`, so this comes
        // first.
        if let Some(site) = headers.get("sec-fetch-site") {
            return if site == "same-origin" { Ok(()) } else { Err(Foreign::Origin) };
        }
        let mut values = headers.get_all(ORIGIN).iter();
        let origin = values.next().and_then(|value| value.to_str().ok()).ok_or(Foreign::Origin)?;
        let own = self.origins.contains(origin)
            || (self.loopback && is_loopback_origin(origin) && port_of(origin) == Some(self.own_port));
        if own && values.next().is_none() { Ok(()) } else { Err(Foreign::Origin) }
    }
}

fn is_loopback_authority(authority: &str) -> bool {
    Url::parse(&format!("http://{authority}/"))
        .ok()
        .filter(|url| url.username().is_empty() && url.password().is_none())
        .is_some_and(|url| is_loopback(&url))
}

fn is_loopback_origin(origin: &str) -> bool {
    Url::parse(origin).ok().is_some_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && is_loopback(&url)
            && url.origin().ascii_serialization() == origin
    })
}

fn port_of(origin: &str) -> Option<u16> {
    Url::parse(origin).ok()?.port_or_known_default()
}

/// By name or address, as a parser reads it and not by how it begins: `localhost.evil.test` is not this machine.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_host(site: &str, uri: &str, hosts: &[&str], expected: Result<(), Foreign>) {
        let guard = Guard::new(&site.parse().unwrap());
        let mut request = http::Request::get(uri);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        assert_eq!(guard.check_host(&parts.headers, &parts.uri), expected, "{site} {uri} {hosts:?}");
    }

    const PUBLIC: &str = "https://mcp.example.com";
    const LOCAL: &str = "http://127.0.0.1:8000";

    // covers: TR-05, FT09, SSE-03
    #[test]
    fn knows_its_own_hosts() {
        check_host(PUBLIC, "/mcp", &["mcp.example.com"], Ok(()));
        check_host(PUBLIC, "/mcp", &["MCP.example.com:443"], Ok(()));
        check_host(PUBLIC, "https://mcp.example.com/mcp", &[], Ok(()));
        check_host(PUBLIC, "https://mcp.example.com/mcp", &["mcp.example.com"], Ok(()));
        for evil in
            ["evil.test", "mcp.example.com.evil.test", "mcp.example.com:8443", "localhost", "127.0.0.1"]
        {
            check_host(PUBLIC, "/mcp", &[evil], Err(Foreign::Host));
        }
        check_host(PUBLIC, "/mcp", &[], Err(Foreign::MalformedHost));
        check_host(PUBLIC, "/mcp", &["mcp.example.com", "evil.test"], Err(Foreign::MalformedHost));
        check_host(PUBLIC, "http://evil.test/mcp", &["mcp.example.com"], Err(Foreign::MalformedHost));
    }

    // covers: SEC-06
    #[test]
    fn knows_this_machine_by_every_name_and_nothing_that_looks_like_it() {
        for own in ["127.0.0.1:8000", "localhost:8000", "[::1]:8000", "localhost", "LOCALHOST:9999"] {
            check_host(LOCAL, "/mcp", &[own], Ok(()));
        }
        for evil in [
            "evil.test:8000",
            "localhost.evil.test",
            "127.0.0.1.evil.test",
            "localhost@evil.test",
            "evil.test#localhost",
            "0.0.0.0:8000",
            "notlocalhost",
        ] {
            check_host(LOCAL, "/mcp", &[evil], Err(Foreign::Host));
        }
    }

    fn check_origin(site: &str, origin: &str, ok: bool) {
        let guard = Guard::new(&site.parse().unwrap());
        let mut headers = HeaderMap::new();
        headers.insert(ORIGIN, origin.parse().unwrap());
        assert_eq!(guard.check_origin(&headers).is_ok(), ok, "{site} {origin}");
    }

    // covers: TR-04
    #[test]
    fn knows_pages_by_their_whole_origin() {
        check_origin(PUBLIC, PUBLIC, true);
        check_origin(LOCAL, "http://localhost:6274", true);
        check_origin(LOCAL, "http://[::1]:6274", true);
        for (site, evil) in [
            (PUBLIC, "http://mcp.example.com"),
            (PUBLIC, "https://mcp.example.com.evil.test"),
            (PUBLIC, "http://localhost:6274"),
            (PUBLIC, "null"),
            (LOCAL, "null"),
            (LOCAL, "http://localhost.evil.test"),
            (LOCAL, "http://localhost:80@evil.test"),
            (LOCAL, "file://localhost"),
            (LOCAL, "http://localhost/path"),
        ] {
            check_origin(site, evil, false);
        }
    }

    #[test]
    fn takes_forms_from_its_own_pages_only() {
        let guard = Guard::new(&PUBLIC.parse().unwrap());
        let check = |headers: &[(&'static str, &str)], ok: bool| {
            let map: HeaderMap = headers
                .iter()
                .map(|(name, value)| (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap()))
                .collect();
            assert_eq!(guard.check_form(&map).is_ok(), ok, "{headers:?}");
        };
        check(&[("sec-fetch-site", "same-origin"), ("origin", "null")], true);
        check(&[("origin", PUBLIC)], true);
        check(&[], false);
        check(&[("origin", "null")], false);
        check(&[("sec-fetch-site", "cross-site"), ("origin", PUBLIC)], false);
        check(&[("sec-fetch-site", "same-site"), ("origin", PUBLIC)], false);
    }
}
