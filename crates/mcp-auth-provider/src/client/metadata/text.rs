//! Words and links of a client's own making, which people will see.

use url::{Host, Url};

use super::MetadataError;

/// The most characters a name may have.
const MAX_NAME: usize = 100;
/// The most bytes a link may have.
const MAX_LINK: usize = 2048;

/// A name as pages may show it: without what is invisible or turns the direction of writing, so that it looks like what it
/// is. `None` when nothing is left.
///
/// # Errors
/// When it is too long for a name.
pub(super) fn name(text: &str) -> Result<Option<String>, MetadataError> {
    let mut clean = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        let word: String = word.chars().filter(|c| !is_invisible(*c)).collect();
        if !word.is_empty() {
            if !clean.is_empty() {
                clean.push(' ');
            }
            clean.push_str(&word);
        }
    }
    if clean.chars().count() > MAX_NAME {
        return Err(MetadataError::invalid("client_name is longer than 100 characters"));
    }
    Ok((!clean.is_empty()).then_some(clean))
}

/// Characters that leave no trace on a page, or change how their neighbours look: bidirectional controls (UAX #9), joiners,
/// fillers, variation selectors, tags.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// A link to a page or picture. `None` for one by plain http, which nobody is to be sent to and development builds have.
///
/// # Errors
/// When it is no link at all, or one that does things in a browser (attack DR06).
pub(super) fn link(text: &str) -> Result<Option<String>, MetadataError> {
    let wrong = || MetadataError::invalid("a URL in the metadata is no https URL");
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte));
    if text.len() > MAX_LINK || !plain {
        return Err(wrong());
    }
    let url = Url::parse(text).map_err(|_| wrong())?;
    if !url.username().is_empty() || url.password().is_some() || !url.has_host() {
        return Err(wrong());
    }
    match url.scheme() {
        "https" => Ok(Some(text.to_owned())),
        "http" => Ok(None),
        _ => Err(wrong()),
    }
}

/// Whom a key set's URL is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// Of somebody who may want us to look around on our own network.
    Stranger,
    /// The same, in a test where that is what we do.
    StrangerOnLoopback,
    /// Of the operator, whose network it is.
    Operator,
}

/// Where a key set is: https, on a host that is not plainly an inner one. What its name resolves to is checked with each
/// connection.
///
/// # Errors
/// For anything else (attack DR05).
pub(super) fn key_set_url(text: &str, whose: Whose) -> Result<String, MetadataError> {
    let wrong = || MetadataError::invalid("jwks_uri is no https URL of a public host");
    let kept = link(text).map_err(|_| wrong())?;
    let url = Url::parse(text).map_err(|_| wrong())?;
    let (inner, machine) = match url.host() {
        Some(Host::Domain(name)) => {
            let machine = name == "localhost" || name.ends_with(".localhost");
            (machine || !name.contains('.'), machine)
        }
        Some(Host::Ipv4(address)) => (!mcp_outbound::is_public(address.into()), address.is_loopback()),
        Some(Host::Ipv6(address)) => (!mcp_outbound::is_public(address.into()), address.is_loopback()),
        None => return Err(wrong()),
    };
    if whose == Whose::StrangerOnLoopback && machine {
        return Ok(text.to_owned());
    }
    if (inner && whose != Whose::Operator) || url.fragment().is_some() {
        return Err(wrong());
    }
    kept.ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // covers: DR06
    #[test]
    fn names_lose_what_cannot_be_seen() {
        let clean = |text: &str| name(text).unwrap();
        assert_eq!(clean("  Claude\u{202e}edualC \n\t Code  ").as_deref(), Some("ClaudeedualC Code"));
        assert_eq!(clean("<script>alert(1)</script>").as_deref(), Some("<script>alert(1)</script>"));
        assert_eq!(clean("B\u{fc}cher \u{4e66}\u{7c4d}").as_deref(), Some("B\u{fc}cher \u{4e66}\u{7c4d}"));
        assert_eq!(clean("Pay\u{200b}Pal\u{0}\u{1b}[31m").as_deref(), Some("PayPal [31m"));
        assert_eq!(clean(" \u{200b}\u{2066}\u{e0041} "), None);
        assert!(name(&"a".repeat(101)).is_err());
        assert!(name(&"a".repeat(10_000)).is_err());
    }

    // covers: DR06
    #[test]
    fn links_are_https() {
        assert_eq!(link("https://c.test/logo.png").unwrap().as_deref(), Some("https://c.test/logo.png"));
        assert_eq!(link("http://localhost:5173").unwrap(), None);
        for bad in [
            "javascript:alert(1)",
            "data:image/png;base64,x",
            "file:///x",
            "/logo.png",
            "",
            "https://u:p@c.test/",
            "https://c.test/\" onerror=\"x",
            "https://c.test/\n",
        ] {
            assert!(link(bad).is_err(), "{bad}");
        }
    }

    // covers: DR05
    #[test]
    fn key_sets_are_on_public_hosts() {
        assert!(key_set_url("https://c.test/jwks.json", Whose::Stranger).is_ok());
        for bad in [
            "http://c.test/jwks",
            "https://127.0.0.1/jwks",
            "https://10.0.0.1/jwks",
            "https://169.254.169.254/latest",
            "https://[::1]/jwks",
            "https://[::ffff:10.0.0.1]/jwks",
            "https://0x7f.1/jwks",
            "https://localhost/jwks",
            "https://a.localhost/jwks",
            "https://intranet/jwks",
            "https://c.test/jwks#f",
            "ftp://c.test/jwks",
        ] {
            assert!(key_set_url(bad, Whose::Stranger).is_err(), "{bad}");
        }
        assert!(key_set_url("http://127.0.0.1:9000/jwks", Whose::StrangerOnLoopback).is_ok());
        assert!(key_set_url("http://10.0.0.1:9000/jwks", Whose::StrangerOnLoopback).is_err());
        assert!(key_set_url("https://10.0.0.1/jwks", Whose::Operator).is_ok());
        assert!(key_set_url("http://10.0.0.1/jwks", Whose::Operator).is_err());
    }

    proptest! {
        #[test]
        fn a_cleaned_name_stays_as_it_is(text in ".{0,100}") {
            if let Ok(Some(clean)) = name(&text) {
                prop_assert!(!clean.chars().any(|c| c.is_control() || is_invisible(c)));
                prop_assert_eq!(name(&clean).unwrap(), Some(clean));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}") {
            let _ = (link(&text), key_set_url(&text, Whose::Stranger));
        }
    }
}
