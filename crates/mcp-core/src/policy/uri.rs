//! The spellings under which a resource URI may be meant.

use std::borrow::Cow;

use url::Url;

/// A URI as written, and, where they differ, as a URL parser reads it and with its percent-encoding resolved.
///
/// A server may understand any of them; a rule for one of them must hold for all.
pub(super) fn forms(uri: &str) -> Vec<Cow<'_, str>> {
    let mut forms = vec![Cow::Borrowed(uri)];
    let mut push = |form: Cow<'static, str>| {
        if !forms.contains(&form) {
            forms.push(form);
        }
    };
    let mut text = uri.to_owned();
    // Decoding may bring out dots or another layer of encoding; three rounds end every honest spelling.
    for _ in 0..3 {
        if let Ok(url) = Url::parse(&text) {
            push(Cow::Owned(url.to_string()));
        }
        let decoded = percent_decoded(&text);
        push(Cow::Owned(decoded.clone()));
        if decoded == text {
            break;
        }
        text = decoded;
    }
    forms
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, tail)) = rest.split_first() {
        let hex =
            |b: Option<&u8>| b.and_then(|b| (*b as char).to_digit(16)).and_then(|d| u8::try_from(d).ok());
        match (byte, hex(tail.first()), hex(tail.get(1))) {
            (b'%', Some(high), Some(low)) => {
                out.push(high * 16 + low);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => {
                out.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(uri: &str, meant: &str) {
        assert!(
            forms(uri).iter().any(|form| form == meant),
            "{uri} is not seen as {meant}: {:?}",
            forms(uri)
        );
    }

    #[test]
    fn sees_through_encodings_and_dots() {
        check("file:///secret/a", "file:///secret/a");
        check("file:///%73ecret/a", "file:///secret/a");
        check("file:///%2573ecret/a", "file:///secret/a");
        check("file:///public/../secret/a", "file:///secret/a");
        check("file:///public/%2e%2e/secret/a", "file:///secret/a");
        check("FILE:///secret/a", "file:///secret/a");
        check("note://100%", "note://100%");
    }

    proptest::proptest! {
        #[test]
        fn reads_any_text(text in ".*") {
            let all = forms(&text);
            proptest::prop_assert_eq!(all[0].as_ref(), text.as_str());
            proptest::prop_assert!(all.len() <= 7);
        }
    }
}
