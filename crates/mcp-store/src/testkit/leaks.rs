//! Secrets in what a back end has written.

use base64ct::{Base64UrlUnpadded, Encoding};

/// A secret that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leak {
    /// Which of the secrets, from 0.
    pub secret: usize,
    /// In which form it stands there.
    pub form: &'static str,
}

/// Which of the secrets stand in a dump: as they are, in base64 or in hexadecimal. Of each form the first is told.
///
/// Secrets of less than 8 bytes are found by chance and are not looked for in base64.
///
/// ```
/// use mcp_store::testkit::leaks;
///
/// let dump = b"{\"token\":\"eHh4aHVudGVyMnh4eA==\"}"; // base64 of "xxxhunter2xxx"
/// let found = leaks(dump, &[b"correct horse", b"xhunter2x"]);
/// assert_eq!((found.len(), found[0].secret, found[0].form), (1, 1, "base64"));
/// ```
#[must_use]
pub fn leaks(dump: &[u8], secrets: &[&[u8]]) -> Vec<Leak> {
    // One alphabet for both kinds of base64, so that one search finds either.
    let folded: Vec<u8> = dump
        .iter()
        .map(|byte| match byte {
            b'+' => b'-',
            b'/' => b'_',
            other => *other,
        })
        .collect();
    let lower = dump.to_ascii_lowercase();
    let mut found = Vec::new();
    for (secret, bytes) in secrets.iter().enumerate().filter(|(_, bytes)| !bytes.is_empty()) {
        let mut tell = |form, is_there| {
            if is_there {
                found.push(Leak { secret, form });
            }
        };
        tell("plain", contains(dump, bytes));
        tell(
            "base64",
            bytes.len() >= 8 && base64_forms(bytes).iter().any(|form| contains(&folded, form.as_bytes())),
        );
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        tell("hexadecimal", contains(&lower, hex.as_bytes()));
    }
    found
}

/// What a secret looks like in base64, whether 0, 1 or 2 bytes stand before it in its group: the characters that depend on
/// it alone.
fn base64_forms(secret: &[u8]) -> [String; 3] {
    [0, 1, 2].map(|before| {
        let text = Base64UrlUnpadded::encode_string(&[&[0; 2][..before], secret].concat());
        // A character at either end may carry bits of what stands beside it.
        let first = (before * 8).div_ceil(6);
        let last = (before + secret.len()) * 8 / 6;
        text[first..last].to_string()
    })
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    let Some(first) = needle.first() else { return true };
    let mut rest = haystack;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        if rest[at..].starts_with(needle) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

#[cfg(test)]
mod tests {
    use base64ct::Base64;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_secret_is_found_in_every_form(
            before in prop::collection::vec(any::<u8>(), 0..20),
            secret in prop::collection::vec(any::<u8>(), 8..60),
            after in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            let whole = [&before[..], &secret, &after].concat();
            let hex: String = whole.iter().map(|byte| format!("{byte:02X}")).collect();
            for (form, dump) in [
                ("plain", whole.clone()),
                ("base64", Base64::encode_string(&whole).into_bytes()),
                ("base64", Base64UrlUnpadded::encode_string(&whole).into_bytes()),
                ("hexadecimal", hex.to_lowercase().into_bytes()),
                ("hexadecimal", hex.into_bytes()),
            ] {
                let leak = Leak { secret: 1, form };
                prop_assert!(leaks(&dump, &[b"another secret", &secret]).contains(&leak));
            }
        }

        #[test]
        fn noise_is_no_leak(noise in prop::collection::vec(any::<u8>(), 0..2000), secret in any::<[u8; 16]>()) {
            prop_assert_eq!(leaks(&noise, &[&secret]), []);
        }
    }
}
