//! The readings of a resource URI: what a server may take it for.
//!
//! One server compares the text; another parses it; a third decodes it and hands what is left to a file system, which has
//! ideas of its own. Each of these is a [step](super::steps), and the readings of a URI are all texts that steps lead to, in
//! whatever order. Where a difference never matters, it is no step and [`key`] levels it.

use super::steps::{rewritten, shortened};

/// The readings of a URI.
pub(super) struct Readings {
    /// As written first.
    pub(super) texts: Vec<String>,
    /// False when there are more. Nobody writes such a URI in earnest.
    pub(super) complete: bool,
}

impl Readings {
    /// Of a URI that a caller sends.
    pub(super) fn of(uri: &str) -> Self {
        Self::by(uri, |text, found| {
            rewritten(text, found);
            shortened(text, found);
        })
    }

    /// Of a URI that a rule is about. Nothing is left out of it: it may be what the rule is about.
    pub(super) fn of_rule(uri: &str) -> Self {
        Self::by(uri, rewritten)
    }

    fn by(uri: &str, steps: impl Fn(&str, &mut Vec<String>)) -> Self {
        let mut texts = vec![uri.to_owned()];
        let (mut next, mut room, mut found) = (0, ROOM, Vec::new());
        while let Some(text) = texts.get(next) {
            steps(text, &mut found);
            for reading in found.drain(..) {
                if texts.contains(&reading) {
                    continue;
                }
                match room.checked_sub(reading.len()) {
                    Some(left) if texts.len() < MOST => room = left,
                    _ => return Self { texts, complete: false },
                }
                texts.push(reading);
            }
            next += 1;
        }
        Self { texts, complete: true }
    }
}

/// A reading without what no rule shall depend on: letter case (many file systems know none), control characters (parsers
/// drop them), which way slashes lean and how many there are. What begins alike has keys that begin alike.
pub(super) fn key(text: &str) -> String {
    let mut key = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !c.is_control()) {
        match c {
            '/' | '\\' if key.ends_with('/') => {}
            '/' | '\\' => key.push('/'),
            c if c.is_ascii() => key.push(c.to_ascii_lowercase()),
            c => key.extend(c.to_lowercase()),
        }
    }
    let end = scheme_end(&key);
    if key.get(end..).is_some_and(|rest| rest.starts_with('/')) {
        key.remove(end);
    }
    key
}

/// Where the scheme ends, behind its colon; zero where there is none (RFC 3986 §3.1).
pub(super) fn scheme_end(text: &str) -> usize {
    let Some((scheme, _)) = text.split_once(':') else { return 0 };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    if is_scheme { scheme.len() + 1 } else { 0 }
}

/// How many readings are looked at, and how long they may be together beyond the text itself. A URI as clients send it has
/// one or two.
const MOST: usize = 32;
const ROOM: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_uri_has_one_reading_and_an_ordinary_one_few() {
        for (uri, most) in [
            ("file:///home/ada/notes.txt", 1),
            ("note://closed", 1),
            ("https://example.com/a/b?id=1", 1),
            ("urn:isbn:0451450523", 1),
            ("note://100%", 1),
            ("file:///my%20notes/a.txt", 2),
            ("search://docs?q=a%2Fb%26c#top", 2),
            ("file:///home/{+path}", 2),
            ("data:text/plain;base64,SGVsbG8=", 2),
            ("https://ada@Example.com:443/a%20b;v=1/c", 16),
            ("file:///public/../secret/a", 4),
        ] {
            let readings = Readings::of(uri);
            assert!(readings.complete && readings.texts.len() <= most, "{:?}", readings.texts);
        }
    }

    #[test]
    fn what_is_built_to_be_read_in_a_hundred_ways_is_not_read_to_the_end() {
        let layers = format!("file:///%{}41", "25".repeat(60));
        let long = format!("file:///{}%41", "a".repeat(20_000));
        for uri in [&layers, &long, "x://a@b@c@d.:1/..%2f..//%2e%2e/..;/\\..%5c?/../#/..%00"] {
            assert!(!Readings::of(uri).complete, "{uri}");
        }
    }

    #[test]
    fn keys_begin_alike_where_texts_do() {
        assert_eq!(key("FILE:////Srv\\\\private/\t"), "file:srv/private/");
        assert_eq!(key("file:srv"), key("file:/srv"));
        assert_eq!(key("//srv//x"), "srv/x");
        assert_eq!(key("Übung:/x"), "übung:/x");
        assert_eq!(key(""), "");
    }

    proptest::proptest! {
        #[test]
        fn reads_any_text(text in ".*", more in ".*") {
            let readings = Readings::of(&text);
            proptest::prop_assert_eq!(&readings.texts[0], &text);
            proptest::prop_assert!(readings.texts.len() <= MOST);
            let whole = format!("{text}{more}");
            proptest::prop_assert!(key(&whole).starts_with(&key(&text)), "{whole:?}");
        }

        #[test]
        fn reads_any_odd_text(text in "(x|file|https)?:?/{0,4}[ab.%25fFeE\\\\/@:;?#\u{0}\t]{0,40}") {
            let readings = Readings::of(&text);
            let length: usize = readings.texts.iter().skip(1).map(String::len).sum();
            proptest::prop_assert!(readings.texts.len() <= MOST && length <= ROOM);
        }
    }
}
