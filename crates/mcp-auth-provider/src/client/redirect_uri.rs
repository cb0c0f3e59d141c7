//! Where browsers may be sent back to: what can be registered, and what matches it.
//!
//! Everything is decided on the text as it came. Two URLs that a browser takes for one are two here (RFC 9700 §2.1), but for
//! the port of a loopback address, which a native client learns only when it listens (RFC 8252 §7.3).

use mcp_core::PublicUrl;
use url::{Host, Position, Url};

use super::{Client, ClientOrigin};

/// The most redirect URIs one client may have.
pub(crate) const MAX_COUNT: usize = 20;
/// The most bytes one of them may have.
const MAX_LENGTH: usize = 2048;

/// What is allowed beside https and loopback.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules<'a> {
    /// Our own URL: a client that gets its codes there would be us.
    pub(crate) site: &'a PublicUrl,
    /// `native` or `web`, if the client said.
    pub(crate) application_type: Option<&'a str>,
    /// Whether schemes like `com.example.app:` are (AUTH-97).
    pub(crate) private_use: bool,
    /// Whether pages of our own site are: only where the operator wrote them down.
    pub(crate) own_pages: bool,
}

/// Whether a redirect URI can be registered.
///
/// # Errors
/// Why not, in words for the client's maker.
pub(crate) fn check(uri: &str, rules: Rules<'_>) -> Result<(), &'static str> {
    if uri.is_empty() || uri.len() > MAX_LENGTH {
        return Err("a redirect URI is empty or longer than 2048 bytes");
    }
    // What RFC 3986 §2 lets stand in a URI, but for the star, which somebody may take for a wildcard.
    if !uri.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"*<>\\^`{|}".contains(&byte)) {
        return Err("a redirect URI has a character that none may have");
    }
    if uri.contains('#') {
        return Err("a redirect URI has a fragment");
    }
    let Some((scheme, rest)) = uri.split_once(':') else { return Err("a redirect URI is not absolute") };
    let Ok(url) = Url::parse(uri) else { return Err("a redirect URI cannot be read as a URL") };
    if sets_our_parameters(&url) {
        return Err("a redirect URI has a query parameter that the answer would repeat");
    }
    match scheme {
        "https" | "http" => {
            let loopback = check_web(&url, rest, scheme)?;
            if loopback && rules.application_type == Some("web") {
                return Err("a web client cannot have a redirect URI on the user's machine");
            }
        }
        _ => {
            check_private_use(scheme, rules.private_use)?;
            if rules.application_type == Some("web") {
                return Err("a web client cannot have a redirect URI of another scheme than https");
            }
        }
    }
    if !rules.own_pages && is_ours(&url, rules.site) {
        return Err("a redirect URI is on this authorization server itself");
    }
    Ok(())
}

/// Whether a redirect URI is one of those registered: the same text, or the same but for the port of a loopback address.
pub(crate) fn matches(registered: &[String], asked: &str) -> bool {
    registered.iter().any(|own| {
        own == asked
            || matches!(
                (Loopback::read(own), Loopback::read(asked)),
                (Some(own), Some(asked)) if own == asked
            )
    })
}

/// The redirect URI of an authorization request: the one it names, or the only one there is.
///
/// # Errors
/// Why there is none that the browser could be sent to; it must be told on a page of ours (AUTH-68).
pub(crate) fn choose(client: &Client, asked: Option<&str>, site: &PublicUrl) -> Result<String, &'static str> {
    let chosen = match (asked, client.redirect_uris.as_slice()) {
        (Some(asked), registered) if matches(registered, asked) => asked,
        (Some(_), _) => return Err("the redirect URI is not one that the client registered"),
        (None, [only]) => only,
        (None, []) => return Err("the client registered no redirect URI"),
        (None, _) => return Err("the client registered several redirect URIs, so the request must name one"),
    };
    // Any port of a loopback address matches, and one of them may be ours.
    let own_pages = client.origin == ClientOrigin::Operator;
    if !own_pages && !Url::parse(chosen).is_ok_and(|url| !is_ours(&url, site)) {
        return Err("the redirect URI is on this authorization server itself");
    }
    Ok(chosen.to_owned())
}

/// Whether a redirect URI leads to the user's own machine, where any program may listen (AUTH-86).
pub(crate) fn is_loopback(uri: &str) -> bool {
    Loopback::read(uri).is_some() || Url::parse(uri).is_ok_and(|url| is_this_machine(&url))
}

/// A loopback redirect URI without its port.
#[derive(PartialEq, Eq)]
struct Loopback<'a> {
    host: &'a str,
    path_and_query: &'a str,
}

impl<'a> Loopback<'a> {
    /// Reads exactly `http://`, one of three hosts, perhaps a port, and what follows.
    fn read(uri: &'a str) -> Option<Self> {
        let rest = uri.strip_prefix("http://")?;
        let host = ["127.0.0.1", "[::1]", "localhost"].into_iter().find(|host| rest.starts_with(host))?;
        let rest = rest.get(host.len()..)?;
        let path_and_query = match rest.strip_prefix(':') {
            Some(rest) => {
                let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
                let (port, rest) = rest.split_at_checked(digits)?;
                let port_is_plain = !port.starts_with('0') && port.parse::<u16>().is_ok();
                port_is_plain.then_some(rest)?
            }
            None => rest,
        };
        let ends_the_host = path_and_query.is_empty() || path_and_query.starts_with(['/', '?']);
        ends_the_host.then_some(Self { host, path_and_query })
    }
}

/// Checks an http(s) redirect URI, of which `rest` is what follows the colon. Says whether it is on the user's machine.
fn check_web(url: &Url, rest: &str, scheme: &str) -> Result<bool, &'static str> {
    let Some(rest) = rest.strip_prefix("//") else { return Err("a redirect URI has no host") };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.contains('@') || !url.username().is_empty() || url.password().is_some() {
        return Err("a redirect URI names a user");
    }
    // What a browser would resolve differently from how it is written: `127.1`, `0x7f.1`, `%6c`, dot segments.
    let host = match url.host() {
        Some(Host::Domain(name)) => name.to_owned(),
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => format!("[{address}]"),
        None => return Err("a redirect URI has no host"),
    };
    let written = match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        Some((_, port)) if !port.ends_with(']') => return Err("a redirect URI has a port that is none"),
        _ => authority,
    };
    if !written.eq_ignore_ascii_case(&host) {
        return Err("a redirect URI writes its host in a way that browsers read differently");
    }
    let read = &url[Position::BeforePath..];
    if read != path && !(path.is_empty() && read == "/") && read.strip_prefix('/') != Some(path) {
        return Err("a redirect URI has dot segments, or is written in a way that browsers read differently");
    }
    let this_machine = is_this_machine(url);
    let may_be_plain = matches!(written, "127.0.0.1" | "[::1]" | "localhost");
    if scheme == "http" && !may_be_plain {
        return Err("a redirect URI must be https, or http on localhost, 127.0.0.1 or [::1]");
    }
    Ok(this_machine)
}

/// Private-use schemes are the reverse of a domain (RFC 8252 §7.1). That keeps `javascript:` and its kin out, which have no dot.
fn check_private_use(scheme: &str, allowed: bool) -> Result<(), &'static str> {
    let well_formed = scheme.starts_with(|first: char| first.is_ascii_lowercase())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-+".contains(&byte));
    let is_reverse_domain = scheme.contains('.') && scheme.split('.').all(|label| !label.is_empty());
    if well_formed && is_reverse_domain && allowed {
        return Ok(());
    }
    Err("a redirect URI must be https, or http on localhost, 127.0.0.1 or [::1]")
}

/// Parameters of authorization responses may stand there only once (attack AZ36).
fn sets_our_parameters(url: &Url) -> bool {
    const OURS: [&str; 9] = [
        "access_token",
        "code",
        "error",
        "error_description",
        "error_uri",
        "id_token",
        "iss",
        "response",
        "state",
    ];
    url.query_pairs().any(|(name, _)| OURS.contains(&&*name))
}

/// Whether a URL is a page of our own site.
fn is_ours(url: &Url, site: &PublicUrl) -> bool {
    let same_host = url.host_str().is_some_and(|host| host.trim_end_matches('.') == site.host())
        || (site.is_loopback() && is_this_machine(url));
    let below = url.path().strip_prefix(site.path());
    same_host
        && url.port_or_known_default() == Some(site.port())
        && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => address.is_loopback() || address.is_unspecified(),
        Some(Host::Ipv6(address)) => {
            let mapped = address.to_ipv4_mapped();
            address.is_loopback() || address.is_unspecified() || mapped.is_some_and(|v4| v4.is_loopback())
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rules(site: &PublicUrl) -> Rules<'_> {
        Rules { site, application_type: None, private_use: false, own_pages: false }
    }

    fn site() -> PublicUrl {
        "https://mcp.test".parse().unwrap()
    }

    fn ok(uri: &str) -> bool {
        check(uri, rules(&site())).is_ok()
    }

    #[test]
    fn https_and_loopback_can_be_registered() {
        for good in [
            "https://c.test/cb",
            "https://c.test",
            "https://c.test?tenant=1",
            "https://c.test:8443/a/b.html?x=%20y&codes=1",
            "https://C.test/CB",
            "https://c.test:443/cb",
            "https://[2001:db8::1]/cb",
            "https://192.0.2.1/cb",
            "https://xn--bcher-kva.test/cb",
            "https://c.test/%63b",
            "https://localhost:3000/cb",
            "http://127.0.0.1/cb",
            "http://127.0.0.1",
            "http://127.0.0.1:3000/",
            "http://[::1]/cb",
            "http://localhost:80/cb?x=1",
            "https://mcp.test:8443/cb",
        ] {
            assert_eq!(check(good, rules(&site())), Ok(()), "{good}");
        }
    }

    // covers: DR02, AZ08, AZ14, AZ36, AUTH-97, AUTH-98, PX12
    #[test]
    fn what_leads_elsewhere_than_it_says_cannot() {
        let long = format!("https://c.test/{}", "a".repeat(8192));
        for bad in [
            "",
            "/cb",
            "cb",
            "//c.test/cb",
            "https:/c.test/cb",
            "https:c.test/cb",
            "https://",
            "https:///cb",
            "https://c.test/cb#f",
            "https://c.test/cb#",
            "https://*.c.test/cb",
            "https://c.test/*",
            "https://u@c.test/cb",
            "https://u:p@c.test/cb",
            "https://@c.test/cb",
            "https://c.test@evil.test/cb",
            "http://localhost:1@evil.test/",
            "http://c.test/cb",
            "http://127.0.0.2/cb",
            "http://127.1/cb",
            "http://0x7f.1/cb",
            "http://2130706433/cb",
            "http://0.0.0.0/cb",
            "http://127.0.0.1.evil.test/cb",
            "http://localhost.evil.test/cb",
            "http://[::ffff:127.0.0.1]/cb",
            "http://[0:0:0:0:0:0:0:1]/cb",
            "https://0x7f.1/cb",
            "https://c.test/./cb",
            "https://c.test/a/../cb",
            "https://c.test/a/%2e%2e/cb",
            "https://c.test/..",
            "https://c.test\\cb",
            "https:\\\\c.test\\cb",
            "https://c.test/c b",
            "https://c.test/cb\n",
            "https://c.test/\tcb",
            " https://c.test/cb",
            "https://b\u{fc}cher.test/cb",
            "https://c.test/\u{202e}cb",
            "https://%63.test/cb",
            "https://c.test:/cb",
            "https://c.test:99999/cb",
            "https://c.test/cb?code=x",
            "https://c.test/cb?x=1&state=",
            "https://c.test/cb?%63ode=1",
            "https://c.test/cb?iss=a",
            "https://c.test/cb?error=a",
            "HTTPS://c.test/cb",
            "Https://c.test/cb",
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "java\tscript:alert(1)",
            " javascript:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "blob:https://c.test/x",
            "file:///etc/passwd",
            "about:blank",
            "chrome://settings",
            "com.example.app:/cb",
            "myapp://cb",
            "urn:ietf:wg:oauth:2.0:oob",
            "https://mcp.test/callback",
            "https://mcp.test",
            "https://MCP.test:443/consent",
            "https://mcp.test./x",
            &long,
        ] {
            assert!(!ok(bad), "{bad}");
        }
    }

    // covers: DR03
    #[test]
    fn the_kind_of_application_narrows_it() {
        let site = site();
        let of = |kind| Rules { application_type: Some(kind), private_use: true, ..rules(&site) };
        for uri in
            ["http://127.0.0.1/cb", "http://localhost:1/cb", "https://localhost/cb", "com.example.app:/cb"]
        {
            assert!(check(uri, of("web")).is_err(), "{uri}");
            assert!(check(uri, of("native")).is_ok(), "{uri}");
        }
        for kind in ["web", "native"] {
            assert!(check("https://c.test/cb", of(kind)).is_ok());
            assert!(check("http://c.test/cb", of(kind)).is_err());
        }
    }

    #[test]
    fn private_schemes_are_reverse_domains_and_only_where_allowed() {
        let site = site();
        let open = Rules { private_use: true, ..rules(&site) };
        for good in ["com.example.app:/cb", "com.example.app://cb", "a.b-c+d:/cb?x=1"] {
            assert!(check(good, open).is_ok(), "{good}");
            assert!(!ok(good), "{good}");
        }
        for bad in [
            "myapp:/cb",
            "javascript:alert(1)",
            "data:x",
            "file:/x",
            "Com.example:/cb",
            ".com:/cb",
            "com.:/cb",
            "a..b:/cb",
            "1.b:/cb",
            "com.example.app:/cb#f",
            "com.example.app:/cb?code=1",
        ] {
            assert!(check(bad, open).is_err(), "{bad}");
        }
    }

    #[test]
    fn on_loopback_our_own_port_is_ours_by_any_name() {
        let site: PublicUrl = "http://127.0.0.1:8000/tools".parse().unwrap();
        for bad in
            ["http://127.0.0.1:8000/tools/consent", "http://localhost:8000/tools", "http://[::1]:8000/tools/"]
        {
            assert!(check(bad, rules(&site)).is_err(), "{bad}");
        }
        for good in
            ["http://127.0.0.1:8001/tools/x", "http://127.0.0.1:8000/toolsmith", "http://127.0.0.1/tools/cb"]
        {
            assert!(check(good, rules(&site)).is_ok(), "{good}");
        }
        let mut client = Client::for_tests("c", &["http://127.0.0.1/tools/cb"]);
        assert!(choose(&client, Some("http://127.0.0.1:9000/tools/cb"), &site).is_ok());
        assert!(choose(&client, Some("http://127.0.0.1:8000/tools/cb"), &site).is_err());
        client.origin = ClientOrigin::Operator;
        assert!(choose(&client, Some("http://127.0.0.1:8000/tools/cb"), &site).is_ok());
    }

    // covers: AZ04, AZ05, AUTH-95
    #[test]
    fn redirect_uris_are_compared_as_texts() {
        let registered = ["https://c.test/cb".to_owned()];
        assert!(matches(&registered, "https://c.test/cb"));
        for other in [
            "https://c.test/cb/",
            "https://c.test/cb?x=1",
            "https://c.test/cb#f",
            "https://c.test/cb#",
            "https://C.TEST/cb",
            "https://c.test:443/cb",
            "https://c.test/./cb",
            "https://c.test/%63b",
            "https://evil.test/cb",
            "https://c.test/cb ",
            "HTTPS://c.test/cb",
            "https://c.test/CB",
            "",
        ] {
            assert!(!matches(&registered, other), "{other}");
        }
    }

    // covers: AZ11, AZ12, AUTH-96, U-04
    #[test]
    fn a_loopback_address_matches_on_any_port_and_nothing_else_does() {
        let registered = ["http://127.0.0.1/cb".to_owned()];
        for good in [
            "http://127.0.0.1/cb",
            "http://127.0.0.1:49152/cb",
            "http://127.0.0.1:1/cb",
            "http://127.0.0.1:65535/cb",
        ] {
            assert!(matches(&registered, good), "{good}");
        }
        for bad in [
            "http://127.0.0.1:49152/other",
            "https://127.0.0.1:49152/cb",
            "http://127.0.0.2:1/cb",
            "http://[::1]:1/cb",
            "http://localhost:1/cb",
            "http://0.0.0.0:1/cb",
            "http://127.1:1/cb",
            "http://2130706433/cb",
            "http://0x7f.1/cb",
            "http://127.0.0.1.evil.test/cb",
            "http://127.0.0.1:1@evil.test/cb",
            "http://127.0.0.1:/cb",
            "http://127.0.0.1:0/cb",
            "http://127.0.0.1:080/cb",
            "http://127.0.0.1:65536/cb",
            "http://127.0.0.1:1\\@evil.test/cb",
            "http://127.0.0.1:+1/cb",
            "http://127.0.0.1:1/cb?x=1",
            "http://127.0.0.1:1/cb#f",
            "HTTP://127.0.0.1:1/cb",
            "http://127.0.0.1:1",
            "http:/127.0.0.1:1/cb",
        ] {
            assert!(!matches(&registered, bad), "{bad}");
        }
        for host in ["localhost", "[::1]"] {
            let registered = [format!("http://{host}:3000/cb?x=1")];
            assert!(matches(&registered, &format!("http://{host}:4000/cb?x=1")));
            assert!(matches(&registered, &format!("http://{host}/cb?x=1")));
            assert!(!matches(&registered, &format!("http://{host}:4000/cb")));
        }
        let https = ["https://127.0.0.1/cb".to_owned(), "https://localhost:1/cb".to_owned()];
        assert!(!matches(&https, "https://127.0.0.1:1/cb"));
        assert!(!matches(&https, "https://localhost:2/cb"));
    }

    // covers: AZ09
    #[test]
    fn a_request_that_names_none_gets_the_only_one() {
        let one = Client::for_tests("c", &["https://c.test/cb"]);
        let two = Client::for_tests("c", &["https://c.test/a", "https://c.test/b"]);
        let none = Client::for_tests("c", &[]);
        assert_eq!(choose(&one, None, &site()).as_deref(), Ok("https://c.test/cb"));
        assert_eq!(choose(&two, Some("https://c.test/b"), &site()).as_deref(), Ok("https://c.test/b"));
        assert!(choose(&two, None, &site()).is_err());
        assert!(choose(&none, None, &site()).is_err());
        assert!(choose(&one, Some("https://c.test/b"), &site()).is_err());
    }

    proptest! {
        /// What matches without being the same text differs in the port of a loopback host and nowhere else.
        #[test]
        fn a_match_goes_to_the_same_place(
            registered in "(http|https)://(127\\.0\\.0\\.1|localhost|\\[::1\\]|c\\.test)(:[0-9]{1,5})?(/[a-c]{0,2})?",
            asked in "(http|https)://(127\\.0\\.0\\.1|localhost|\\[::1\\]|c\\.test|127\\.0\\.0\\.1@e)(:[0-9]{0,5})?(/[a-c]{0,2})?(#|\\?|)",
        ) {
            if registered != asked && matches(std::slice::from_ref(&registered), &asked) {
                let (a, b) = (Url::parse(&registered).unwrap(), Url::parse(&asked).unwrap());
                prop_assert_eq!(a.scheme(), "http");
                prop_assert_eq!(a.host(), b.host());
                prop_assert_eq!(&a[Position::BeforePath..], &b[Position::BeforePath..]);
                prop_assert!(is_this_machine(&b));
            }
        }

        /// Whatever is registered goes by https or stays on the machine, and no browser reads it in another way.
        #[test]
        fn what_is_registered_is_what_it_looks_like(uri in "(https?|javascript|[a-z.]{1,6}):(//)?[a-z0-9.@:%\\[\\]\\\\/?#=&\\-]{0,24}") {
            if ok(&uri) {
                let url = Url::parse(&uri).unwrap();
                prop_assert!(url.scheme() == "https" || is_this_machine(&url), "{}", uri);
                prop_assert!(url.fragment().is_none() && url.username().is_empty());
                prop_assert!(uri.to_ascii_lowercase().contains(&url.host_str().unwrap().to_ascii_lowercase()));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}", other in "http://localhost.{0,20}") {
            let _ = (check(&text, rules(&site())), check(&other, rules(&site())));
            let _ = matches(&[text.clone(), other.clone()], &other);
            let _ = matches(&[other], &text);
        }
    }
}
