//! A real HTTP server on a free port of the loopback address, for whatever service a test wants to reach by socket.
//!
//! ```
//! use mcp_auth_testkit::{Client, Server};
//! use mcp_core::{Body, BoxService};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
//! let hello = BoxService::from_fn(|_| async { http::Response::new(Body::from("hello")) });
//! let server = Server::start(hello).await?;
//! Client::new(server.url()).get("/").send().await.expect_status(200).expect_body("hello");
//! # Ok(()) }
//! ```

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use http::{Request, Response};
use http_body::Body as HttpBody;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use mcp_core::{Body, BoxError, BoxService, Connection};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tower_service::Service;

/// A running HTTP/1.1 server. It stops, with every connection, when it is dropped.
#[derive(Debug)]
#[must_use = "the server stops when it is dropped"]
pub struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves `service` on a free loopback port. Each request carries the socket's [`Connection`] in its extensions.
    ///
    /// # Errors
    /// When the system has no port to give.
    pub async fn start<S, B>(service: S) -> io::Result<Self>
    where
        S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send + 'static,
        B: HttpBody<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let listener = Self::listener().await?;
        Ok(Self::start_on(listener, service))
    }

    /// A listener on a free loopback port, for services that must know their own address before they exist.
    ///
    /// # Errors
    /// When the system has no port to give.
    pub async fn listener() -> io::Result<TcpListener> {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
    }

    /// Serves `service` on a listener.
    ///
    /// # Panics
    /// When the listener is not bound.
    pub fn start_on<S, B>(listener: TcpListener, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send + 'static,
        B: HttpBody<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let service = BoxService::new(service);
        Self::start_fallible(listener, move |request| {
            let mut service = service.clone();
            async move {
                match service.call(request).await {
                    Ok(response) => Some(response),
                    Err(never) => match never {},
                }
            }
        })
    }

    /// Serves an async function; where it answers `None`, the connection is closed without an answer.
    pub(crate) fn start_fallible<F, Fut>(listener: TcpListener, answer: F) -> Self
    where
        F: Fn(Request<Body>) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Option<Response<Body>>> + Send + 'static,
    {
        #[expect(clippy::expect_used, reason = "a bound listener has an address")]
        let address = listener.local_addr().expect("the listener is not bound");
        let task = tokio::spawn(async move {
            // Connections live in the set: dropped with this task, they close.
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        if let Ok((stream, peer)) = accepted {
                            connections.spawn(serve_connection(stream, peer, answer.clone()));
                        }
                    }
                    Some(_) = connections.join_next() => {}
                }
            }
        });
        Self { address, task }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL, without a path: `http://127.0.0.1:4711`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve_connection<F, Fut>(stream: TcpStream, peer: SocketAddr, answer: F)
where
    F: Fn(Request<Body>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Option<Response<Body>>> + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = answer.clone();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Connection::new(peer));
        async move { answer(request).await.ok_or_else(|| io::Error::other("no answer")) }
    });
    // A client that goes away in the middle is no concern of the server.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
