//! A JWK set and its lifetime, read from an answer.

use std::time::Duration;

use http::HeaderMap;
use http::header::{AGE, CACHE_CONTROL};
use serde_json::Value;

use crate::keys::{Jwk, RawKey, read_jwk};

/// The keys of a set that can verify signatures; the others are left out, each by itself.
///
/// # Errors
/// When there is no set: not JSON, or without a list of keys.
pub(crate) fn keys(body: &[u8]) -> Result<Vec<RawKey>, String> {
    let Ok(document) = serde_json::from_slice::<Value>(body) else {
        return Err("are no JSON".into());
    };
    let Some(Value::Array(list)) = document.get("keys") else {
        return Err("are no JWK set: there is no list of keys in it".into());
    };
    if list.len() > MAX_KEYS {
        tracing::warn!(
            target: "mcp::keys",
            keys = list.len(),
            "a JWK set has more keys than are looked at; the rest is ignored"
        );
    }
    Ok(list
        .iter()
        .take(MAX_KEYS)
        .filter_map(|key| {
            read_jwk(key, Jwk::FromElsewhere)
                .inspect_err(
                    |why| tracing::debug!(target: "mcp::keys", "a key of a JWK set is left out: it {why}"),
                )
                .ok()
        })
        .collect())
}

/// How long the set may be used before it is fetched again (RFC 9111 §5.2.2), within our bounds. The time it lay in a
/// cache on the way counts (RFC 9111 §4.2.3).
pub(crate) fn lifetime(headers: &HeaderMap) -> Duration {
    let mut said = None;
    for value in headers.get_all(CACHE_CONTROL) {
        for directive in value.to_str().unwrap_or_default().split(',') {
            let (name, argument) = directive.trim().split_once('=').unwrap_or((directive.trim(), ""));
            if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
                return SHORTEST;
            }
            if name.eq_ignore_ascii_case("max-age") {
                let digits = argument.trim().trim_matches('"');
                // RFC 9111 §1.2.2: a number too large to hold is a very long time; nonsense is none.
                let seconds = match digits.parse::<u64>() {
                    Ok(seconds) => seconds,
                    Err(_) if !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit()) => {
                        u64::MAX
                    }
                    Err(_) => 0,
                };
                said = Some(Duration::from_secs(seconds));
            }
        }
    }
    let age = headers.get(AGE).and_then(|age| age.to_str().ok()?.trim().parse().ok());
    let age = Duration::from_secs(age.unwrap_or(0));
    said.map_or(USUAL, |said| said.saturating_sub(age)).clamp(SHORTEST, LONGEST)
}

/// The most keys of one set that are looked at.
pub(crate) const MAX_KEYS: usize = 100;
const SHORTEST: Duration = Duration::from_secs(60);
const USUAL: Duration = Duration::from_secs(10 * 60);
const LONGEST: Duration = Duration::from_secs(60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_are_kept_within_bounds() {
        let check = |values: &[&'static str], seconds: u64| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CACHE_CONTROL, http::HeaderValue::from_static(value));
            }
            assert_eq!(lifetime(&headers), Duration::from_secs(seconds), "{values:?}");
        };
        check(&[], 600);
        check(&["public"], 600);
        check(&["public, max-age=900, must-revalidate"], 900);
        check(&["public", "Max-Age=\"120\""], 120);
        check(&["max-age=0"], 60);
        check(&["max-age=5184000"], 3600);
        check(&["max-age=99999999999999999999999"], 3600);
        check(&["max-age=-5"], 60);
        check(&["max-age"], 60);
        check(&["max-age=900, no-store"], 60);
        check(&["no-cache"], 60);
        let aged = |age: &'static str| {
            let mut headers = HeaderMap::new();
            headers.append(CACHE_CONTROL, http::HeaderValue::from_static("max-age=3600"));
            headers.append(AGE, http::HeaderValue::from_static(age));
            lifetime(&headers).as_secs()
        };
        assert_eq!([aged("0"), aged("3000"), aged("9999999"), aged("x")], [3600, 600, 60, 3600]);
    }
}
