//! The trait through which every outbound request leaves.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};

use crate::OutboundError;

/// Sends one HTTP request to another host and returns the whole answer.
///
/// Key sets, introspection, client metadata and upstream tokens are all fetched through this trait, with URLs that may
/// come from strangers. `OutboundClient` (feature `reqwest`) is the implementation that can be trusted with them; an
/// implementation of your own takes over its duties:
///
/// - refuse addresses that are not public at connect time ([`is_public`](crate::is_public)), on the very address that
///   is then connected to;
/// - return a redirect as it is, never follow it;
/// - bound the answer's size and the time for it, by [`Limits`](crate::Limits) from the request's extensions when
///   present; decode no content coding; keep no cookies.
///
/// Any `Fn(Request<Bytes>) -> impl Future` is a client, which is what tests want:
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use mcp_outbound::{HttpClient, OutboundError};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let client = |request: Request<Bytes>| async move {
///     let body = Bytes::from(request.uri().path().to_owned());
///     Ok::<_, OutboundError>(Response::new(body))
/// };
/// let request = Request::get("https://idp.example.com/jwks").body(Bytes::new())?;
/// assert_eq!(client.execute(request).await?.body(), "/jwks");
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait HttpClient: Send + Sync + 'static {
    /// Sends `request`, whose URI is absolute, and collects the answer, whatever its status.
    ///
    /// # Errors
    ///
    /// [`OutboundError`] when there is no complete answer: refused, unreachable, too slow, too large.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future abandons the exchange; whether the other side has seen the request is unknown then.
    async fn execute(&self, request: Request<Bytes>) -> Result<Response<Bytes>, OutboundError>;
}

#[async_trait]
impl<F, Fut> HttpClient for F
where
    F: Fn(Request<Bytes>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Response<Bytes>, OutboundError>> + Send + 'static,
{
    async fn execute(&self, request: Request<Bytes>) -> Result<Response<Bytes>, OutboundError> {
        self(request).await
    }
}

#[async_trait]
impl<C: HttpClient + ?Sized> HttpClient for Arc<C> {
    async fn execute(&self, request: Request<Bytes>) -> Result<Response<Bytes>, OutboundError> {
        (**self).execute(request).await
    }
}
