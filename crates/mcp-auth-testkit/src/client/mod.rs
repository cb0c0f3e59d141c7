//! A client that is told what to send and says readably what it expected.

mod answer;
mod events;
mod mcp;
mod request;
mod sse;

use std::convert::Infallible;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body as HttpBody;
use hyper_util::rt::TokioIo;
use mcp_core::{Body, BoxError, BoxService, Connection};
use tokio::net::TcpStream;
use tower_service::Service;
use url::Url;

pub use answer::Answer;
pub use events::{Event, Events};
pub use mcp::{Era, Mcp};
pub use request::RequestBuilder;
pub use sse::{Sse, SseBuilder};

/// Sends requests to one server, by socket or in memory. Cheap to clone.
///
/// ```
/// use mcp_auth_testkit::Client;
/// use mcp_core::{Body, BoxService};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let service = BoxService::from_fn(|request: http::Request<Body>| async move {
///     http::Response::new(Body::from(request.uri().path().to_owned()))
/// });
/// let client = Client::in_memory("https://mcp.example.com/tools", service);
/// client.get("/mcp").send().await.expect_status(200).expect_body("/tools/mcp");
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    url: Url,
    way: Way,
}

#[derive(Clone)]
enum Way {
    Socket(Option<SocketAddr>),
    Memory(BoxService, SocketAddr),
}

impl Client {
    /// A client of the server at this URL, over plain http, with a new connection for each request.
    ///
    /// # Panics
    /// When the URL cannot be read.
    #[must_use]
    #[track_caller]
    pub fn new(url: impl AsRef<str>) -> Self {
        Self { url: parse(url.as_ref()), way: Way::Socket(None) }
    }

    /// A client that calls a service directly. The URL says what the requests are for, as a public URL does.
    ///
    /// Requests seem to come from 127.0.0.1; see [`from_address`](Self::from_address).
    ///
    /// # Panics
    /// When the URL cannot be read.
    #[track_caller]
    pub fn in_memory<S, B>(url: impl AsRef<str>, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send + 'static,
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self {
            url: parse(url.as_ref()),
            way: Way::Memory(BoxService::new(service), (Ipv4Addr::LOCALHOST, 49_152).into()),
        }
    }

    /// Connects to this address instead of the URL's, as if a reverse proxy with the URL's name stood there.
    #[must_use]
    pub fn via(mut self, address: SocketAddr) -> Self {
        self.way = Way::Socket(Some(address));
        self
    }

    /// Lets requests in memory seem to come from this address. A socket knows its own.
    #[must_use]
    pub fn from_address(mut self, peer: SocketAddr) -> Self {
        if let Way::Memory(_, address) = &mut self.way {
            *address = peer;
        }
        self
    }

    /// The URL of the server.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Begins a GET of a path below the URL.
    pub fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    /// Begins a POST to a path below the URL. It accepts JSON and event streams, as MCP demands (spec TR-07).
    pub fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path).header("accept", "application/json, text/event-stream")
    }

    /// Begins a DELETE of a path below the URL.
    pub fn delete(&self, path: &str) -> RequestBuilder {
        self.request(Method::DELETE, path)
    }

    /// Begins a CORS preflight (`OPTIONS`) of a script on `origin` that wants to send `method`.
    pub fn preflight(&self, path: &str, origin: &str, method: &str) -> RequestBuilder {
        self.request(Method::OPTIONS, path)
            .header("origin", origin)
            .header("access-control-request-method", method)
    }

    /// Begins any request to a path, with or without a query, below the URL.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let target = format!("{}{path}", self.url.path().trim_end_matches('/'));
        RequestBuilder::new(self.clone(), method, target)
    }

    /// Begins a request to a path counted from the root of the host, whatever path the URL has.
    pub fn at_root(&self, method: Method, path: &str) -> RequestBuilder {
        RequestBuilder::new(self.clone(), method, path.to_owned())
    }

    /// Begins a conversation with the MCP endpoint at a path.
    pub fn mcp(&self, path: &str) -> Mcp {
        Mcp::new(self.clone(), path)
    }

    /// Begins a session of the HTTP+SSE transport of 2024-11-05 at a path.
    pub fn sse(&self, path: &str) -> SseBuilder {
        SseBuilder::new(self.clone(), path)
    }

    /// What the `Host` header says.
    fn authority(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    async fn exchange(&self, mut request: Request<Body>) -> Result<Response<Body>, BoxError> {
        match &self.way {
            Way::Memory(service, peer) => {
                request.extensions_mut().insert(Connection::new(*peer));
                let mut service = service.clone();
                std::future::poll_fn(|cx| service.poll_ready(cx)).await?;
                Ok(service.call(request).await?)
            }
            Way::Socket(address) => {
                let stream = match address {
                    Some(address) => TcpStream::connect(address).await?,
                    None => {
                        let port = self.url.port_or_known_default().unwrap_or(80);
                        // An IPv6 address has brackets in a URL and nowhere else.
                        let host = self.url.host_str().unwrap_or_default().trim_matches(['[', ']']);
                        TcpStream::connect((host, port)).await?
                    }
                };
                let (mut sender, connection) =
                    hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
                // Ends by itself when the answer has been read or dropped.
                tokio::spawn(connection);
                Ok(sender.send_request(request).await?.map(Body::new))
            }
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.url)
    }
}

#[track_caller]
fn parse(url: &str) -> Url {
    match Url::parse(url) {
        Ok(url) => url,
        Err(error) => panic!("{url:?} is no URL: {error}"),
    }
}
