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
#[derive(Debug)]
pub struct RequestHead<'a> {
    method: &'a Method,
    uri: &'a Uri,
    headers: &'a HeaderMap,
    extensions: &'a Extensions,
    site: &'a PublicUrl,
    path: &'a str,
    client_address: Option<IpAddr>,
    credential: OnceLock<Result<Credential<'a>, AuthError>>,
    digest: OnceLock<[u8; 32]>,
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
        let mut values = self.headers.get_all(AUTHORIZATION).iter();
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
            return Ok(Credential::Other);
        }
        if rest.len() > MAX_CREDENTIAL {
            return Err(AuthError::invalid_token("the token is too long"));
        }
        let token = rest.trim_ascii();
        if token.is_empty() || !token.iter().all(|b| TOKEN_BYTES[usize::from(*b)]) {
            return Err(AuthError::invalid_token("the Authorization header holds no token"));
        }
        let Ok(token) = std::str::from_utf8(token) else {
            return Err(AuthError::invalid_token("the Authorization header holds no token"));
        };
        Ok(if bearer { Credential::Bearer(token) } else { Credential::Dpop(token) })
    }

    /// The SHA-256 of the token in the `Authorization` header, computed once: the key of caches, so that none of them
    /// holds a token. Without a token, the digest of whatever the header holds, and without the header that of nothing.
    #[must_use]
    pub fn credential_digest(&self) -> &[u8; 32] {
        self.digest.get_or_init(|| match self.credential() {
            Ok(Credential::Bearer(token) | Credential::Dpop(token)) => sha256(token.as_bytes()),
            _ => sha256(self.headers.get(AUTHORIZATION).map_or(&[][..], |value| value.as_bytes())),
        })
    }
}

/// What a token is made of (RFC 6750 §2.1), as a table: tokens are long, and this is on every request's way.
const TOKEN_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "the loop ends before 256")]
        let b = byte as u8;
        table[byte] =
            b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=');
        byte += 1;
    }
    table
};

/// SHA-256, as an array.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}
