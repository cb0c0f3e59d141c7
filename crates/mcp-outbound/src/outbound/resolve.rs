//! From a name to addresses.

use std::io;
use std::net::IpAddr;

use async_trait::async_trait;

/// Looks names up for [`OutboundClient`](crate::OutboundClient), once per new connection.
///
/// The client judges every address of an answer, so an implementation need not; it is never asked about literal
/// addresses and never about `localhost`.
#[async_trait]
pub trait Resolve: Send + Sync + 'static {
    /// All addresses of `host`, a lower-case ASCII name without a dot at its end.
    ///
    /// # Errors
    ///
    /// Whatever went wrong; the request fails as [`is_connect`](crate::OutboundError::is_connect). An empty answer
    /// does the same.
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

#[async_trait]
impl<R: Resolve + ?Sized> Resolve for std::sync::Arc<R> {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        (**self).resolve(host).await
    }
}

/// The operating system's resolver, `getaddrinfo` on tokio's blocking threads: honours `/etc/hosts`.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct SystemResolver;

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((host, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}
