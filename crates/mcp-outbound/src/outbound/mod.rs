//! The client that may be given a stranger's URL.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use tokio::sync::Semaphore;
use url::{Position, Url};

use self::keep_alive::KeepAlive;
use self::policy::{AddressPolicy, Refusal};
use crate::{HttpClient, Limits, OutboundError};

mod builder;
mod cidr;
mod config_error;
mod dangerous;
mod guard;
mod keep_alive;
mod policy;
mod resolve;
mod target;

pub use self::builder::OutboundClientBuilder;
pub use self::config_error::OutboundConfigError;
pub use self::dangerous::Dangerous;
pub use self::resolve::{Resolve, SystemResolver};

/// An [`HttpClient`] on reqwest and rustls that refuses whatever is not a public https host.
///
/// What it does with every request is listed in the [crate's documentation](crate). Cheap to clone; clones share
/// connections and slots. It needs a tokio runtime with time and I/O enabled.
///
/// ```
/// use bytes::Bytes;
/// use http::Request;
/// use mcp_outbound::{HttpClient, OutboundClient};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let client = OutboundClient::builder().max_body(64 * 1024).build()?;
/// let request = Request::get("https://169.254.169.254/latest/meta-data/").body(Bytes::new())?;
/// let error = client.execute(request).await.unwrap_err();
/// assert!(error.is_blocked());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct OutboundClient {
    inner: Arc<Inner>,
}

struct Inner {
    http: reqwest::Client,
    policy: Arc<AddressPolicy>,
    max_body: usize,
    max_header_bytes: usize,
    deadline: Duration,
    slots: Semaphore,
    keep_alive: KeepAlive,
}

impl OutboundClient {
    /// A client with all defaults.
    ///
    /// # Errors
    ///
    /// [`OutboundConfigError`] when the system has no certificate authorities.
    pub fn new() -> Result<Self, OutboundConfigError> {
        Self::builder().build()
    }

    /// Starts from the defaults.
    pub fn builder() -> OutboundClientBuilder {
        OutboundClientBuilder::new()
    }
}

impl fmt::Debug for OutboundClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboundClient").field("policy", &self.inner.policy).finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpClient for OutboundClient {
    async fn execute(&self, request: Request<Bytes>) -> Result<Response<Bytes>, OutboundError> {
        let limits = request.extensions().get::<Limits>().copied().unwrap_or_default();
        let deadline = limits.deadline().unwrap_or(self.inner.deadline);
        let max_body = limits.max_body().unwrap_or(self.inner.max_body);
        let answer = match self.inner.prepare(request) {
            Ok((host, request)) => {
                let exchange = self.inner.exchange(request, max_body);
                let answer = tokio::time::timeout(deadline, exchange).await;
                answer
                    .unwrap_or_else(|_| Err(OutboundError::timeout()))
                    .map_err(|error| error.with_host(host))
            }
            Err(error) => Err(error),
        };
        answer.inspect_err(|error| {
            if error.is_blocked() {
                tracing::info!(%error, "outbound request refused");
            } else {
                tracing::debug!(%error, "outbound request failed");
            }
        })
    }
}

impl Inner {
    /// Everything that can be decided without I/O.
    fn prepare(&self, request: Request<Bytes>) -> Result<(String, reqwest::Request), OutboundError> {
        let (mut parts, body) = request.into_parts();
        if parts.method == Method::CONNECT {
            return Err(OutboundError::invalid_request("CONNECT opens a tunnel"));
        }
        let url = target::check(&parts.uri, &self.policy)?;
        let host = url.host_str().unwrap_or_default().to_owned();
        if !self.keep_alive.admits(origin(&url), Instant::now()) {
            parts.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        let mut prepared = reqwest::Request::new(parts.method, url);
        *prepared.headers_mut() = parts.headers;
        if !body.is_empty() {
            *prepared.body_mut() = Some(body.into());
        }
        Ok((host, prepared))
    }

    async fn exchange(
        &self,
        request: reqwest::Request,
        max_body: usize,
    ) -> Result<Response<Bytes>, OutboundError> {
        // Never closed, so this cannot fail; if it could, refusing would be right.
        let _slot = self.slots.acquire().await.map_err(OutboundError::exchange)?;
        let mut answer = self.http.execute(request).await.map_err(translate)?;
        if header_bytes(answer.headers()) > self.max_header_bytes {
            return Err(OutboundError::too_large());
        }
        // Saves reading what is announced to be too much; what is not announced is counted below.
        if answer.content_length().is_some_and(|announced| announced > max_body as u64) {
            return Err(OutboundError::too_large());
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(translate)? {
            if chunk.len() > max_body - body.len() {
                return Err(OutboundError::too_large());
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = Response::new(body.freeze());
        *response.status_mut() = answer.status();
        *response.version_mut() = answer.version();
        std::mem::swap(response.headers_mut(), answer.headers_mut());
        Ok(response)
    }
}

fn origin(url: &Url) -> &str {
    &url[..Position::AfterPort]
}

fn header_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}

/// Our own refusal comes back wrapped in the connector's and reqwest's errors.
fn translate(error: reqwest::Error) -> OutboundError {
    let error = error.without_url();
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
    while let Some(inner) = cause {
        if let Some(refusal) = inner.downcast_ref::<Refusal>() {
            return OutboundError::blocked(refusal);
        }
        cause = inner.source();
    }
    if error.is_timeout() {
        OutboundError::timeout()
    } else if error.is_connect() {
        OutboundError::connect(error)
    } else {
        OutboundError::exchange(error)
    }
}
