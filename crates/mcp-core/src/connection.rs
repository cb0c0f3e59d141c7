//! What is known of the connection a request came on.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// The connection of a request: who is at the other end, and how it is protected.
///
/// Whoever accepts connections puts it into the request's extensions; `mcp-auth-rmcp`'s `listen()` does. It is a fact of
/// the socket and is never read from a header.
///
/// ```
/// use mcp_core::Connection;
///
/// let connection = Connection::new("127.0.0.1:5123".parse()?);
/// assert!(connection.peer().ip().is_loopback());
/// let mut request = http::Request::new(());
/// request.extensions_mut().insert(connection);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone)]
pub struct Connection {
    peer: SocketAddr,
    certificate: Option<Arc<[u8]>>,
}

impl Connection {
    /// A connection from this address.
    #[must_use]
    pub fn new(peer: SocketAddr) -> Self {
        Self { peer, certificate: None }
    }

    /// The client certificate the TLS handshake proved (DER), for certificate-bound tokens (RFC 8705).
    #[must_use]
    pub fn with_client_certificate(mut self, der: impl Into<Arc<[u8]>>) -> Self {
        self.certificate = Some(der.into());
        self
    }

    /// The address at the other end of the socket: behind a reverse proxy, the proxy's.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The client certificate (DER), if the handshake proved one.
    #[must_use]
    pub fn client_certificate(&self) -> Option<&[u8]> {
        self.certificate.as_deref()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("peer", &self.peer)
            .field("client_certificate", &self.certificate.is_some())
            .finish()
    }
}
