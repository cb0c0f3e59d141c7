//! The URL under which the world reaches a server, said once and never read from a request.

use std::fmt;
use std::sync::Arc;

use url::{Host, Url};

use crate::ConfigError;

/// The public URL of a server: `https://host[:port][/path]`, without a trailing slash.
///
/// Everything that names the server (resource identifiers, metadata, challenges) is built from it, because a `Host` or
/// `X-Forwarded-Host` header is whatever a peer likes it to be (attacks MD02).
///
/// ```
/// use mcp_core::PublicUrl;
///
/// let url: PublicUrl = "HTTPS://MCP.example.com:443/tools/".parse()?;
/// assert_eq!(url.as_str(), "https://mcp.example.com/tools");
/// assert_eq!(url.origin(), "https://mcp.example.com");
/// assert_eq!(url.path(), "/tools");
/// assert!("http://mcp.example.com".parse::<PublicUrl>().is_err()); // plain http is for loopback only
/// # Ok::<(), mcp_core::ConfigError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PublicUrl(Arc<Parts>);

#[derive(PartialEq, Eq, Hash)]
struct Parts {
    text: String,
    origin_len: usize,
    host: String,
    port: u16,
    default_port: bool,
    https: bool,
    loopback: bool,
}

impl PublicUrl {
    /// Reads a public URL.
    ///
    /// # Errors
    /// When it is no absolute http(s) URL, names a user, a query or a fragment, or is plain http off loopback
    /// (spec AUTH-55): the sentence says what to write instead.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let wrong = |what: &str| Err(ConfigError::new(format!("the public URL {text:?} {what}")));
        let Ok(url) = Url::parse(text) else {
            return wrong("cannot be read: write it like https://mcp.example.com");
        };
        let https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return wrong("is neither https nor http: write it like https://mcp.example.com"),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return wrong("names a user: leave out everything before the @");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return wrong("has a query or a fragment: end it after the path");
        }
        let Some(host) = url.host() else {
            return wrong("has no host: write it like https://mcp.example.com");
        };
        let loopback = match &host {
            Host::Domain(name) => *name == "localhost",
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        };
        if !https && !loopback {
            return wrong("is plain http on a host that is not loopback: write https, tokens travel on it");
        }
        if url.path().contains("//") || url.path().contains('%') {
            return wrong("has a path with // or %: write a plain path");
        }
        let origin = url.origin().ascii_serialization();
        let default_port = url.port().is_none();
        let port = url.port_or_known_default().unwrap_or(if https { 443 } else { 80 });
        let origin_len = origin.len();
        let text = format!("{origin}{}", url.path().trim_end_matches('/'));
        Ok(Self(Arc::new(Parts {
            text,
            origin_len,
            host: host.to_string(),
            port,
            default_port,
            https,
            loopback,
        })))
    }

    /// The whole URL, without a trailing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// Scheme, host and port (RFC 6454 §6.2), the port only where it is not the scheme's own.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.0.text.get(..self.0.origin_len).unwrap_or(&self.0.text)
    }

    /// The path, empty or starting with a slash, never ending with one.
    #[must_use]
    pub fn path(&self) -> &str {
        self.0.text.get(self.0.origin_len..).unwrap_or("")
    }

    /// The host in lower case, an IPv6 address in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.0.host
    }

    /// The port, said or the scheme's own.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// Whether the URL leaves the port to the scheme.
    #[must_use]
    pub fn has_default_port(&self) -> bool {
        self.0.default_port
    }

    /// Whether the scheme is https.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.https
    }

    /// Whether the host is this machine by name: `localhost`, `127.0.0.0/8` or `[::1]`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.0.loopback
    }

    /// This URL with a path of the server behind it. `/` stands for the server itself.
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        format!("{}{}", self.0.text, path.trim_end_matches('/'))
    }
}

impl std::str::FromStr for PublicUrl {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        Self::parse(text)
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl fmt::Debug for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicUrl({})", self.0.text)
    }
}
