//! The head of a request as an authenticator sees it: everything but the body.

use std::net::IpAddr;
use std::sync::OnceLock;

use aws_lc_rs::digest::{SHA256, digest};
use http::header::AUTHORIZATION;
use http::{Extensions, HeaderMap, Method, Uri};

use crate::{AuthError, Connection, PublicUrl};

/// The longest credential that is looked at, in bytes. Longer ones are refused unread.
pub const MAX_CREDENTIAL: usize = 16 * 1024;

/// The head of a request.
///
/// ```
/// use mcp_core::{Credential, RequestHead};
///
/// let (parts, ()) = http::Request::post("/mcp").header("authorization", "bearer abc").body(())?.into_parts();
/// let site = "https://mcp.example.com".parse()?;
/// let head = RequestHead::new(&parts, &site, "/mcp");
/// assert!(matches!(head.credential(), Ok(Credential::Bearer("abc"))));
/// assert_eq!(head.public_url(), "https://mcp.example.com/mcp");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RequestHead<'a> {
    method: &'a Method,
    uri: &'a Uri,
    headers: &'a HeaderMap,
    extensions: &'a Extensions,
    site: &'a PublicUrl,
    path: &'a str,
    client_address: Option<IpAddr>,
    presented: Result<Presented<'a>, AuthError>,
    credential: OnceLock<Result<Credential<'a>, AuthError>>,
    digest: OnceLock<[u8; 32]>,
}

/// What stands in the `Authorization` header, its token not looked at yet.
#[derive(Clone, Copy)]
enum Presented<'a> {
    Bearer(&'a [u8]),
    Dpop(&'a [u8]),
    Other,
}

impl<'a> Presented<'a> {
    fn of(headers: &'a HeaderMap) -> Result<Self, AuthError> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else {
            return Err(AuthError::missing());
        };
        if values.next().is_some() {
            return Err(AuthError::invalid_token("there is more than one Authorization header"));
        }
        let bytes = value.as_bytes();
        let (scheme, rest) = match bytes.iter().position(|b| *b == b' ') {
            Some(at) => bytes.split_at(at),
            None => (bytes, &[][..]),
        };
        let bearer = scheme.eq_ignore_ascii_case(b"bearer");
        if !bearer && !scheme.eq_ignore_ascii_case(b"dpop") {
            return Ok(Self::Other);
        }
        if rest.len() > MAX_CREDENTIAL {
            return Err(AuthError::invalid_token("the token is too long"));
        }
        let token = rest.trim_ascii();
        Ok(if bearer { Self::Bearer(token) } else { Self::Dpop(token) })
    }
}

/// What stands in the `Authorization` header.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credential<'a> {
    /// A bearer token (RFC 6750 §2.1).
    Bearer(&'a str),
    /// A DPoP-bound token (RFC 9449 §7.1).
    Dpop(&'a str),
    /// A scheme that MCP does not know, such as `Basic`.
    Other,
}

impl std::fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Bearer(_) => "Bearer([redacted])",
            Self::Dpop(_) => "Dpop([redacted])",
            Self::Other => "Other",
        })
    }
}

// Headers hold credentials, and not all of them in `Authorization`: none is shown.
impl std::fmt::Debug for RequestHead<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RequestHead")
            .field("method", self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl<'a> RequestHead<'a> {
    /// The head of a request for a path of a site. `path` is the path below the site's public URL.
    #[must_use]
    pub fn new(parts: &'a http::request::Parts, site: &'a PublicUrl, path: &'a str) -> Self {
        Self::assemble((&parts.method, &parts.uri, &parts.headers, &parts.extensions), site, path)
    }

    /// The same of a whole request.
    #[must_use]
    pub fn of<B>(request: &'a http::Request<B>, site: &'a PublicUrl, path: &'a str) -> Self {
        let parts = (request.method(), request.uri(), request.headers(), request.extensions());
        Self::assemble(parts, site, path)
    }

    fn assemble(
        (method, uri, headers, extensions): (&'a Method, &'a Uri, &'a HeaderMap, &'a Extensions),
        site: &'a PublicUrl,
        path: &'a str,
    ) -> Self {
        Self {
            method,
            uri,
            headers,
            extensions,
            site,
            path,
            client_address: extensions.get::<Connection>().map(|connection| connection.peer().ip()),
            presented: Presented::of(headers),
            credential: OnceLock::new(),
            digest: OnceLock::new(),
        }
    }

    /// Says which address the request comes from, where a trusted proxy named another than the socket's.
    #[must_use]
    pub fn from_address(mut self, address: Option<IpAddr>) -> Self {
        self.client_address = address;
        self
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &'a Method {
        self.method
    }

    /// The request target as it came. What it says of host and scheme is a claim of the peer.
    #[must_use]
    pub fn uri(&self) -> &'a Uri {
        self.uri
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &'a HeaderMap {
        self.headers
    }

    /// What layers in front attached, the [`Connection`] among it.
    #[must_use]
    pub fn extensions(&self) -> &'a Extensions {
        self.extensions
    }

    /// The public URL of what is asked for, without a query: the `htu` of a DPoP proof (RFC 9449 §4.2).
    #[must_use]
    pub fn public_url(&self) -> String {
        self.site.join(self.path)
    }

    /// The address the request comes from, if whoever accepted the connection said.
    #[must_use]
    pub fn client_address(&self) -> Option<IpAddr> {
        self.client_address
    }

    /// The credential in the `Authorization` header, and nowhere else: a token in the query or body is not seen
    /// (spec AUTH-07).
    ///
    /// # Errors
    /// [`AuthError::missing`] without the header; an invalid token when the header is there twice, holds no token, one
    /// with characters a token cannot have (RFC 6750 §2.1), or one longer than [`MAX_CREDENTIAL`].
    pub fn credential(&self) -> Result<Credential<'a>, AuthError> {
        // Asked for by every authenticator of a composition and by its caches; read once.
        self.credential.get_or_init(|| self.read_credential()).clone()
    }

    fn read_credential(&self) -> Result<Credential<'a>, AuthError> {
        match self.presented.clone()? {
            Presented::Bearer(token) => readable(token).map(Credential::Bearer),
            Presented::Dpop(token) => readable(token).map(Credential::Dpop),
            Presented::Other => Ok(Credential::Other),
        }
    }

    /// Whether a bearer token is presented, or what stands in its place: less than [`credential`](Self::credential) says,
    /// and enough to look a token up that was read before, by its [digest](Self::credential_digest).
    #[must_use]
    pub fn is_bearer(&self) -> bool {
        matches!(self.presented, Ok(Presented::Bearer(_)))
    }

    /// The SHA-256 of the token in the `Authorization` header, computed once: the key of caches, so that none of them
    /// holds a token. Without a token, the digest of whatever the header holds, and without the header that of nothing.
    #[must_use]
    pub fn credential_digest(&self) -> &[u8; 32] {
        self.digest.get_or_init(|| match self.presented {
            Ok(Presented::Bearer(token) | Presented::Dpop(token)) => sha256(token),
            _ => sha256(self.headers.get(AUTHORIZATION).map_or(&[][..], |value| value.as_bytes())),
        })
    }
}

/// A token as text, if it could be one.
fn readable(token: &[u8]) -> Result<&str, AuthError> {
    let text =
        std::str::from_utf8(token).ok().filter(|text| !text.is_empty() && are_token_bytes(text.as_bytes()));
    text.ok_or_else(|| AuthError::invalid_token("the Authorization header holds no token"))
}

/// Whether a token could be made of these (RFC 6750 §2.1). Every byte is looked at and none ends the search: tokens are
/// long, on every request's way, and nearly always right, and so a processor looks at many at once.
fn are_token_bytes(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |all, b| all & is_token_byte(*b))
}

fn is_token_byte(b: u8) -> bool {
    let letter = (b | 0x20).wrapping_sub(b'a') < 26;
    // From `-` to `9` there are but `-`, `.`, `/` and the digits.
    let digit = b.wrapping_sub(b'-') <= b'9' - b'-';
    letter | digit | (b == b'_') | (b == b'~') | (b == b'+') | (b == b'=')
}

/// SHA-256, as an array.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: AUTH-05
    #[test]
    fn a_token_is_made_of_these_bytes_and_no_others() {
        for byte in 0..=u8::MAX {
            let expected = byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
            assert_eq!(is_token_byte(byte), expected, "{byte:#x}");
            // Wherever it stands among good ones.
            for place in [0, 7, 40, 63] {
                let mut token = [b'a'; 64];
                token[place] = byte;
                assert_eq!(are_token_bytes(&token), expected, "{byte:#x} at {place}");
            }
        }
    }

    fn head_of(values: &[&str], check: impl FnOnce(&RequestHead<'_>)) {
        let mut request = http::Request::post("/mcp").header("x-api-key", "hush");
        for value in values {
            request = request.header(AUTHORIZATION, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        check(&RequestHead::new(&parts, &"https://mcp.example.com".parse().unwrap(), "/mcp"));
    }

    #[test]
    fn what_is_no_credential_is_never_more_than_presented() {
        let long = format!("Bearer {}", "a".repeat(MAX_CREDENTIAL + 1));
        let check = |values: &[&str], bearer: bool, readable: bool| {
            head_of(values, |head| {
                assert_eq!(head.is_bearer(), bearer, "{values:?}");
                assert_eq!(head.credential().is_ok(), readable, "{values:?}");
            });
        };
        check(&["bEARER abc"], true, true);
        check(&["Bearer a b"], true, false);
        check(&["Bearer "], true, false);
        check(&["DPoP abc"], false, true);
        check(&["Basic abc"], false, true);
        check(&[&long], false, false);
        check(&["Bearer abc", "Bearer abc"], false, false);
        check(&[], false, false);
        // One token has one digest, however it is spaced.
        let mut digests = Vec::new();
        for value in ["Bearer abc", "bearer   abc "] {
            head_of(&[value], |head| digests.push(*head.credential_digest()));
        }
        assert_eq!(digests, [sha256(b"abc"); 2]);
    }

    // covers: AUTH-20
    #[test]
    fn shows_no_header_when_printed() {
        head_of(&["Bearer hush"], |head| {
            let text = format!("{head:?}");
            assert!(text.contains("/mcp") && !text.contains("hush"), "{text}");
        });
    }
}
