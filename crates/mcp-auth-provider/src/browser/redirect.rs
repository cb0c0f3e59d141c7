//! The way back to the client (RFC 6749 §4.1.2, RFC 9207 §2).

use std::borrow::Cow;

use http::header::{HeaderValue, LOCATION};
use http::{Response, StatusCode};
use mcp_core::Body;
use url::form_urlencoded;

use crate::pages::private;

/// The URL to send a browser to: the redirect URI as it was registered, byte for byte, and these parameters behind whatever
/// query it has. A space is `%20`, which both readings of a query understand.
pub(super) fn back(
    redirect_uri: &str,
    issuer: &str,
    state: Option<&str>,
    parameters: &[(&str, &str)],
) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters);
    if let Some(state) = state {
        query.append_pair("state", state);
    }
    query.append_pair("iss", issuer);
    // A plus sign that stood in a value is written as %2B, so every one that is left is a space.
    let query = query.finish().replace('+', "%20");
    let joint = match redirect_uri.split_once('?') {
        None => "?",
        Some((_, "")) => "",
        Some((_, own)) if own.ends_with('&') => "",
        Some(_) => "&",
    };
    format!("{redirect_uri}{joint}{query}")
}

/// Sends a browser elsewhere: 303, so that what was posted is not posted again (AUTH-67).
pub(crate) fn see_other(location: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    match HeaderValue::try_from(&*ascii(location)) {
        Ok(location) => {
            *response.status_mut() = StatusCode::SEE_OTHER;
            response.headers_mut().insert(LOCATION, location);
        }
        // Redirect URIs with control characters are not registered; nothing else can get here.
        Err(_) => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
    }
    private(response.headers_mut());
    response
}

/// Whoever registered a URI with other letters gets them as a browser would send them.
fn ascii(location: &str) -> Cow<'_, str> {
    if location.is_ascii() {
        return Cow::Borrowed(location);
    }
    let mut text = String::with_capacity(location.len() * 3);
    for letter in location.chars() {
        if letter.is_ascii() {
            text.push(letter);
        } else {
            let mut bytes = [0; 4];
            for byte in letter.encode_utf8(&mut bytes).bytes() {
                text.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ISSUER: &str = "https://mcp.test";

    // covers: AUTH-61, AUTH-63, AZ35
    #[test]
    fn everything_is_there_once_behind_what_was_registered() {
        let url = back("https://c.test/cb?tenant=a+b", ISSUER, Some("s 1"), &[("code", "C")]);
        assert_eq!(url, "https://c.test/cb?tenant=a+b&code=C&state=s%201&iss=https%3A%2F%2Fmcp.test");
        assert_eq!(
            back("http://127.0.0.1:4711/cb", ISSUER, None, &[("error", "access_denied")]),
            "http://127.0.0.1:4711/cb?error=access_denied&iss=https%3A%2F%2Fmcp.test"
        );
        assert!(back("https://c.test/cb?", ISSUER, None, &[]).starts_with("https://c.test/cb?iss="));
        assert!(back("https://c.test/cb?a&", ISSUER, None, &[]).starts_with("https://c.test/cb?a&iss="));
    }

    #[test]
    fn other_letters_become_bytes_and_a_line_break_no_header() {
        let response = see_other("https://c.test/é");
        assert_eq!(response.headers()[LOCATION], "https://c.test/%C3%A9");
        assert_eq!(response.status(), 303);
        assert!(!see_other("https://c.test/\r\nx: y").headers().contains_key(LOCATION));
    }

    proptest! {
        // covers: AZ21
        #[test]
        fn state_comes_back_byte_for_byte(state in ".{1,300}") {
            let url = url::Url::parse(&back("https://c.test/cb?a=1", ISSUER, Some(&state), &[("code", "C")])).unwrap();
            let found: Vec<_> = url.query_pairs().filter(|(name, _)| name == "state").collect();
            prop_assert_eq!(found.len(), 1);
            prop_assert_eq!(&found[0].1, &state);
        }
    }
}
