//! How long what was fetched may be used (RFC 9111 §5.2.2), within bounds of ours.

use std::time::Duration;

use http::HeaderMap;
use http::header::{AGE, CACHE_CONTROL};

/// The bounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Also where it says not to be kept at all: otherwise every request would be a fetch.
    pub(super) least: Duration,
    /// Where nothing is said.
    pub(super) usual: Duration,
    pub(super) most: Duration,
}

impl Bounds {
    /// How long an answer with these headers may be used. The time it lay in a cache on the way counts (RFC 9111 §4.2.3).
    pub(super) fn lifetime(self, headers: &HeaderMap) -> Duration {
        let mut said = None;
        for value in headers.get_all(CACHE_CONTROL) {
            // What cannot be read may have said anything.
            let Ok(text) = value.to_str() else { return self.least };
            for directive in text.split(',').map(str::trim) {
                let (name, argument) = directive.split_once('=').unwrap_or((directive, ""));
                let name = name.trim().to_ascii_lowercase();
                match name.as_str() {
                    "no-store" | "no-cache" => return self.least,
                    "max-age" => {
                        let span = Duration::from_secs(seconds(argument));
                        said = Some(said.map_or(span, |before: Duration| before.min(span)));
                    }
                    _ => {}
                }
            }
        }
        let age = headers.get(AGE).and_then(|age| age.to_str().ok()).map_or(0, seconds);
        let left = said.map_or(self.usual, |said| said.saturating_sub(Duration::from_secs(age)));
        left.clamp(self.least, self.most)
    }
}

/// A delta-seconds. One that is too large to hold is a very long time (RFC 9111 §1.2.2); nonsense is none.
fn seconds(text: &str) -> u64 {
    let digits = text.trim().trim_matches('"');
    match digits.parse() {
        Ok(seconds) => seconds,
        Err(_) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => u64::MAX,
        Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const BOUNDS: Bounds = Bounds {
        least: Duration::from_secs(30),
        usual: Duration::from_secs(300),
        most: Duration::from_secs(86_400),
    };

    fn of(values: &[(http::HeaderName, &str)]) -> u64 {
        let mut headers = HeaderMap::new();
        for (name, value) in values {
            headers.append(name.clone(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        BOUNDS.lifetime(&headers).as_secs()
    }

    // covers: CI13
    #[test]
    fn lifetimes_are_as_said_within_bounds() {
        let said = |text: &str| of(&[(CACHE_CONTROL, text)]);
        assert_eq!(of(&[]), 300);
        assert_eq!(said("public"), 300);
        assert_eq!(said("public, Max-Age=\"900\""), 900);
        assert_eq!(said("max-age=900, max-age=60"), 60);
        for least in [
            "max-age=0",
            "no-store",
            "max-age=900, no-cache",
            "no-cache=\"x\"",
            "max-age=-5",
            "max-age",
            "\u{fc}",
        ] {
            assert_eq!(said(least), 30, "{least}");
        }
        assert_eq!(said("max-age=1000000000"), 86_400);
        assert_eq!(said("max-age=99999999999999999999999"), 86_400);
        assert_eq!(of(&[(CACHE_CONTROL, "max-age=3600"), (AGE, "3000")]), 600);
        assert_eq!(of(&[(CACHE_CONTROL, "max-age=3600"), (AGE, "99999999999999999999999")]), 30);
    }

    proptest! {
        #[test]
        fn always_within_bounds(text in "[ -~]{0,40}", age in "[ -~]{0,10}") {
            let span = of(&[(CACHE_CONTROL, &text), (AGE, &age)]);
            prop_assert!((30..=86_400).contains(&span));
        }
    }
}
