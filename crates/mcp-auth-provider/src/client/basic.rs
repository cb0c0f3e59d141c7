//! How a client shows who it is: in the header, in the form, by an assertion; in one way at a time.

use base64ct::{Base64, Encoding};
use http::header::AUTHORIZATION;
use http::request::Parts;
use zeroize::Zeroizing;

use crate::wire::{OAuthError, Params};

/// The one value of `client_assertion_type` there is (RFC 7523 §2.2).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The longest `Authorization` header that is looked at.
const MAX_BASIC: usize = 8192;

/// What a request shows.
pub(super) struct Presented<'a> {
    /// Who it says it is; `None` where only an assertion tells.
    pub(super) id: Option<String>,
    pub(super) proof: Proof<'a>,
}

/// By what it shows that.
pub(super) enum Proof<'a> {
    /// By nothing.
    None,
    /// By a secret.
    Secret {
        /// In HTTP Basic; otherwise in the form.
        basic: bool,
        secret: Zeroizing<String>,
    },
    /// By a signed assertion.
    Assertion(&'a str),
    /// By something in HTTP Basic that cannot be read.
    Unreadable,
}

impl Proof<'_> {
    /// Whether HTTP Basic was tried: then the refusal carries a challenge (RFC 6749 §5.2).
    pub(super) fn is_basic(&self) -> bool {
        matches!(self, Self::Secret { basic: true, .. } | Self::Unreadable)
    }
}

impl<'a> Presented<'a> {
    /// Reads what a request shows.
    ///
    /// # Errors
    /// When it shows two things, or half of one (RFC 6749 §2.3: not more than one method in each request).
    pub(super) fn read(head: &'a Parts, params: &'a Params) -> Result<Self, OAuthError> {
        let basic = read_header(head)?;
        let secret = params.get("client_secret");
        let assertion = match (params.get("client_assertion_type"), params.get("client_assertion")) {
            (None, None) => None,
            (Some(ASSERTION_TYPE), Some(assertion)) => Some(assertion),
            (Some(ASSERTION_TYPE), None) | (None, Some(_)) => {
                return Err(OAuthError::invalid_request(
                    "client_assertion and client_assertion_type belong together",
                ));
            }
            (Some(_), _) => {
                return Err(OAuthError::invalid_client("the client_assertion_type is unknown", false));
            }
        };
        let ways = [basic.is_some(), secret.is_some(), assertion.is_some()];
        if ways.iter().filter(|way| **way).count() > 1 {
            return Err(OAuthError::invalid_request("the client proves itself in more than one way"));
        }
        let named = params.get("client_id").map(str::to_owned);
        let proof = match (basic, secret, assertion) {
            (Some(Some((id, secret))), ..) => {
                if named.is_some_and(|named| named != id) {
                    return Err(OAuthError::invalid_request("client_id is another than in the header"));
                }
                return Ok(Self { id: Some(id), proof: Proof::Secret { basic: true, secret } });
            }
            (Some(None), ..) => Proof::Unreadable,
            (None, Some(secret), _) => {
                Proof::Secret { basic: false, secret: Zeroizing::new(secret.to_owned()) }
            }
            (None, None, Some(assertion)) => Proof::Assertion(assertion),
            (None, None, None) => Proof::None,
        };
        Ok(Self { id: named, proof })
    }
}

/// An identifier and a secret.
type Pair = (String, Zeroizing<String>);

/// Identifier and secret in HTTP Basic; `None` within if they cannot be read. Other schemes are no way for clients to prove
/// themselves, and are not looked at.
fn read_header(head: &Parts) -> Result<Option<Option<Pair>>, OAuthError> {
    let mut values = head.headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(OAuthError::invalid_request("there is more than one Authorization header"));
    }
    let bytes = value.as_bytes();
    let Some((scheme, rest)) = bytes.split_at_checked(5) else { return Ok(None) };
    if !scheme.eq_ignore_ascii_case(b"basic") || rest.first().is_some_and(|byte| *byte != b' ') {
        return Ok(None);
    }
    Ok(Some(decode(rest.trim_ascii())))
}

/// RFC 6749 §2.3.1: both parts are form-encoded before they are joined.
fn decode(encoded: &[u8]) -> Option<Pair> {
    if encoded.len() > MAX_BASIC {
        return None;
    }
    let joined = Zeroizing::new(Base64::decode_vec(std::str::from_utf8(encoded).ok()?).ok()?);
    let colon = joined.iter().position(|byte| *byte == b':')?;
    let (id, secret) = (joined.get(..colon)?, joined.get(colon + 1..)?);
    let (id, secret) = (form_decode(id)?, Zeroizing::new(form_decode(secret)?));
    (!id.is_empty() && !secret.is_empty()).then_some((id, secret))
}

fn form_decode(bytes: &[u8]) -> Option<String> {
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut nibble = || char::from(*rest.next()?).to_digit(16);
                let (high, low) = (nibble()?, nibble()?);
                u8::try_from(high << 4 | low).ok()?
            }
            byte => *byte,
        });
    }
    let text = String::from_utf8(decoded).ok()?;
    (!text.contains(char::is_control)).then_some(text)
}

#[cfg(test)]
mod tests {
    use http::Request;
    use proptest::prelude::*;

    use super::*;

    fn header(value: &[u8]) -> Parts {
        let value = http::HeaderValue::from_bytes(value).unwrap();
        Request::post("/token").header(AUTHORIZATION, value).body(()).unwrap().into_parts().0
    }

    fn basic(joined: &[u8]) -> Option<(String, String)> {
        let head = header(format!("Basic {}", Base64::encode_string(joined)).as_bytes());
        read_header(&head).ok().unwrap().unwrap().map(|(id, secret)| (id, secret.as_str().to_owned()))
    }

    // covers: TK12
    #[test]
    fn basic_is_read_as_the_rfc_has_it() {
        let pair = |id: &str, secret: &str| Some((id.to_owned(), secret.to_owned()));
        assert_eq!(basic(b"conf:s"), pair("conf", "s"));
        assert_eq!(basic(b"a%3Ab:c:d+%2B"), pair("a:b", "c:d +"));
        for bad in [
            &b"conf"[..],
            b":s",
            b"conf:",
            b"conf:%ZZ",
            b"conf:%4",
            b"conf:%",
            b"c\0:s",
            b"c:%00",
            b"c:\xff",
            b"",
        ] {
            assert_eq!(basic(bad), None, "{bad:?}");
        }
        for scheme in ["basic", "BASIC", "bAsIc"] {
            let head = header(format!("{scheme}  Y29uZjpz").as_bytes());
            assert!(read_header(&head).ok().unwrap().unwrap().is_some(), "{scheme}");
        }
        for unreadable in [&b"Basic"[..], b"Basic ", b"Basic !!!!", b"Basic Y29uZjpz=", b"Basic Y29uZjp\xff"]
        {
            assert!(matches!(read_header(&header(unreadable)), Ok(Some(None))), "{unreadable:?}");
        }
        for other in [&b"Bearer x"[..], b"Basically x", b"DPoP x", b"x"] {
            assert!(matches!(read_header(&header(other)), Ok(None)), "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn what_was_encoded_comes_back(id in "[^\\p{Cc}]{1,20}", secret in "[^\\p{Cc}]{1,20}") {
            let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let joined = format!("{}:{}", encode(&id), encode(&secret));
            prop_assert_eq!(basic(joined.as_bytes()), Some((id, secret)));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = (basic(&bytes), form_decode(&bytes), decode(&bytes));
        }
    }
}
