//! Whose word on a client's address counts.

use std::net::IpAddr;

use http::HeaderMap;

use super::cidr::Cidr;
use super::forwarded::{forwarded, x_forwarded_for};
use crate::ConfigError;

/// The reverse proxies whose word on a client's address counts. By default none: the address is that of the socket.
///
/// A proxy appends the address it sees to the list it was sent, so the list is read from its end: the first address
/// that is not a trusted proxy's own is the client's. Everything before it was written by the client and is not looked
/// at (attacks LG03). What is no address ends the walk at the last proxy that was understood.
///
/// One header is read, never both: the proxies append to only one of them, and the other is the client's to write.
///
/// ```
/// use http::HeaderMap;
/// use mcp_core::limits::TrustedProxies;
///
/// let proxies = TrustedProxies::new(["10.0.0.0/8"])?;
/// let mut headers = HeaderMap::new();
/// headers.insert("x-forwarded-for", "6.6.6.6, 192.0.2.1, 10.0.0.2".parse()?);
/// assert_eq!(proxies.client_address("10.0.0.1".parse()?, &headers).to_string(), "192.0.2.1");
/// // A stranger who sends the header gains nothing.
/// assert_eq!(proxies.client_address("198.51.100.9".parse()?, &headers).to_string(), "198.51.100.9");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    blocks: Vec<Cidr>,
    header: Header,
}

#[derive(Clone, Copy, Debug, Default)]
enum Header {
    #[default]
    XForwardedFor,
    Forwarded,
}

impl TrustedProxies {
    /// Trusts proxies in these blocks (`10.0.0.0/8`, `2001:db8::/32`, single addresses) to write `X-Forwarded-For`.
    ///
    /// # Errors
    /// When a block is none, or is the whole address space.
    pub fn new<T: AsRef<str>>(blocks: impl IntoIterator<Item = T>) -> Result<Self, ConfigError> {
        Ok(Self {
            blocks: blocks
                .into_iter()
                .map(|block| Cidr::parse(block.as_ref().trim()))
                .collect::<Result<_, _>>()?,
            header: Header::default(),
        })
    }

    /// The proxies write `Forwarded` (RFC 7239) instead.
    #[must_use]
    pub fn forwarded(mut self) -> Self {
        self.header = Header::Forwarded;
        self
    }

    /// Where a request comes from, given the other end of its connection. IPv4-mapped addresses come back as IPv4.
    #[must_use]
    pub fn client_address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            return peer;
        }
        match self.header {
            Header::XForwardedFor => self.walk(peer, x_forwarded_for(headers)),
            Header::Forwarded => self.walk(peer, forwarded(headers)),
        }
    }

    fn walk(&self, peer: IpAddr, hops: impl Iterator<Item = Option<IpAddr>>) -> IpAddr {
        let mut nearest = peer;
        for hop in hops {
            let Some(hop) = hop else { break };
            nearest = hop;
            if !self.trusts(hop) {
                break;
            }
        }
        nearest
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.blocks.iter().any(|block| block.contains(address))
    }
}
