//! The cookies of these pages: random, for this host alone, unreadable by scripts.
//!
//! | name | what | until |
//! |---|---|---|
//! | `mcp-browser` | which browser this is: transactions are bound to it | the browser is closed |
//! | `mcp-tx-…` | that this browser signed in for this transaction | the transaction's end |
//! | `mcp-session` | that this browser stays signed in | the session's end |
//!
//! On https each name begins with `__Host-`, which no other host can set (RFC 6265bis §4.1.3.2). On plain http (loopback only) it ends
//! with the port instead: ports share their cookies, and servers on them should not take each other's.

use std::collections::BTreeSet;
use std::time::Duration;

use cookie::{Cookie, SameSite};
use http::HeaderMap;
use http::header::COOKIE;
use mcp_core::PublicUrl;

/// What a cookie is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum CookieName<'a> {
    Browser,
    /// By the partition of the transaction.
    Transaction(&'a str),
    Session,
}

impl<'a> CookieName<'a> {
    pub(super) fn full(self, site: &PublicUrl) -> String {
        let name = match self {
            Self::Browser => "mcp-browser".to_owned(),
            // Enough to keep the transactions of one browser apart; a mix-up would only be a cookie that does not fit.
            Self::Transaction(partition) => format!("mcp-tx-{}", partition.get(..10).unwrap_or(partition)),
            Self::Session => "mcp-session".to_owned(),
        };
        if site.is_https() { format!("__Host-{name}") } else { format!("{name}-{}", site.port()) }
    }

    /// The cookie of a transaction that has this full name.
    fn of_transaction(full: &'a str, site: &PublicUrl) -> Option<Self> {
        let part = full.trim_start_matches("__Host-").strip_prefix("mcp-tx-")?;
        let part = part.get(..10).filter(|part| part.bytes().all(is_base64url))?;
        Some(Self::Transaction(part)).filter(|name| name.full(site) == full)
    }
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// The cookies of all transactions that a browser has part in.
pub(super) fn transactions<'h>(headers: &'h HeaderMap, site: &PublicUrl) -> BTreeSet<CookieName<'h>> {
    let named = pairs(headers).filter_map(|(name, _)| CookieName::of_transaction(name, site));
    named.take(MOST_TRANSACTIONS).collect()
}

/// All values a browser sent under this name: more than one if something else on the host set one too.
pub(super) fn read<'h>(headers: &'h HeaderMap, site: &PublicUrl, name: CookieName<'_>) -> Vec<&'h str> {
    let name = name.full(site);
    pairs(headers).filter(|(own, _)| *own == name).map(|(_, value)| value).take(MOST).collect()
}

fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='))
}

/// The header value that sets a cookie; without `max_age` until the browser is closed.
pub(super) fn set(site: &PublicUrl, name: CookieName<'_>, value: &str, max_age: Option<Duration>) -> String {
    let mut cookie = Cookie::new(name.full(site), value.to_owned());
    cookie.set_path("/");
    cookie.set_http_only(true);
    // Lax and not Strict: the browser comes from the client's page and from the identity provider's.
    cookie.set_same_site(SameSite::Lax);
    cookie.set_secure(site.is_https());
    let mut text = cookie.to_string();
    if let Some(age) = max_age {
        text.push_str(&format!("; Max-Age={}", age.as_secs()));
    }
    text
}

/// The header value that takes a cookie away.
pub(super) fn remove(site: &PublicUrl, name: CookieName<'_>) -> String {
    set(site, name, "", Some(Duration::ZERO))
}

/// How many values of one name are looked at.
const MOST: usize = 8;

/// How many transactions are looked at: as many cookies as browsers keep for a host, and more.
const MOST_TRANSACTIONS: usize = 300;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn site(url: &str) -> PublicUrl {
        url.parse().unwrap()
    }

    // covers: LG16, PX18
    #[test]
    fn they_are_for_this_host_alone() {
        let https = site("https://mcp.test/base");
        assert_eq!(
            set(&https, CookieName::Session, "v", Some(Duration::from_secs(60))),
            "__Host-mcp-session=v; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=60"
        );
        let local = site("http://127.0.0.1:8000");
        assert_eq!(
            set(&local, CookieName::Browser, "v", None),
            "mcp-browser-8000=v; HttpOnly; SameSite=Lax; Path=/"
        );
        assert!(remove(&https, CookieName::Session).ends_with("; Max-Age=0"));
        let name = CookieName::Transaction("abcdefghijklmnop");
        assert!(set(&https, name, "v", None).starts_with("__Host-mcp-tx-abcdefghij=v;"));
    }

    #[test]
    fn every_value_of_a_name_is_seen_and_no_other() {
        let site = site("https://mcp.test");
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "a=1; __Host-mcp-session=one;mcp-session=x".parse().unwrap());
        headers.append(COOKIE, "__Host-mcp-session=two; __host-mcp-session=three; =; ;".parse().unwrap());
        assert_eq!(read(&headers, &site, CookieName::Session), ["one", "two"]);
        assert!(read(&headers, &site, CookieName::Browser).is_empty());
    }

    #[test]
    fn the_cookies_of_transactions_are_found_and_no_others() {
        let found = |url: &str, line: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, line.parse().unwrap());
            let site = site(url);
            let named = transactions(&headers, &site);
            named.into_iter().map(|name| name.full(&site)).collect::<Vec<_>>()
        };
        let names = "__Host-mcp-tx-abcdefghij=1; mcp-tx-abcdefghij=2; __Host-mcp-tx-short=3; __Host-mcp-tx-0123456-_9=4; \
                     __Host-mcp-tx-abcdefghij=5; __Host-mcp-tx-abcdefghijk=6; __Host-mcp-tx-abc,efghij=7; \
                     mcp-tx-abcdefghij-8000=8; mcp-tx-abcdefghij-8001=9; __Host-mcp-session=10";
        assert_eq!(
            found("https://mcp.test", names),
            ["__Host-mcp-tx-0123456-_9", "__Host-mcp-tx-abcdefghij"]
        );
        assert_eq!(found("http://127.0.0.1:8000", names), ["mcp-tx-abcdefghij-8000"]);
    }

    proptest! {
        #[test]
        fn what_a_transaction_sets_is_found_again(partition in "[A-Za-z0-9_-]{22}", port in 1_u16..) {
            for url in ["https://mcp.test".to_owned(), format!("http://127.0.0.1:{port}")] {
                let name = CookieName::Transaction(&partition).full(&site(&url));
                let mut headers = HeaderMap::new();
                headers.insert(COOKIE, format!("a=b; {name}=secret").parse().unwrap());
                let found: Vec<_> = transactions(&headers, &site(&url)).into_iter().collect();
                prop_assert_eq!(found.len(), 1);
                prop_assert_eq!(found[0].full(&site(&url)), name);
            }
        }

        #[test]
        fn no_header_makes_it_panic(line in "[ -~]{0,200}") {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, line.parse().unwrap());
            let _ = read(&headers, &site("https://mcp.test"), CookieName::Session);
            let _ = transactions(&headers, &site("https://mcp.test"));
        }
    }
}
