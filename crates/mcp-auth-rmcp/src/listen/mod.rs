//! A serving loop on hyper: HTTP/1.1, bounded connections, a time limit for request heads, an orderly end.
//!
//! TLS and HTTP/2 are the reverse proxy's.

mod connection;
mod patient;
mod service;
mod upload;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mcp_core::{PublicUrl, Site};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::serve::PATIENCE;
use crate::shutdown::Shutdown;

use connection::{Context, handle};
use service::InFlight;

/// Bounds of the connections a server accepts.
///
/// ```
/// use mcp_auth_rmcp::ListenLimits;
///
/// assert_eq!(ListenLimits::default().connections(100).max_connections, 100);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ListenLimits {
    /// Open connections; further ones wait until one is closed. 20,480.
    pub max_connections: usize,
    /// How long the head of a request may take, and how long a connection is kept between requests. 30 s.
    pub header_timeout: Duration,
    /// The longest head of a request, in bytes; a longer one is answered 431. 64 KiB, and never less than 8 KiB.
    pub max_header: usize,
    /// How long the body of a request may take. 60 s.
    pub body_timeout: Duration,
    /// How long a client may take nothing of an answer before its connection is closed. 60 s.
    pub write_timeout: Duration,
    /// How long a stopping server waits for calls that run. 20 s.
    pub patience: Duration,
}

impl Default for ListenLimits {
    fn default() -> Self {
        Self {
            max_connections: 20_480,
            header_timeout: Duration::from_secs(30),
            max_header: 64 * 1024,
            body_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(60),
            patience: PATIENCE,
        }
    }
}

impl ListenLimits {
    /// With this many connections at once.
    #[must_use]
    pub fn connections(mut self, max: usize) -> Self {
        self.max_connections = max;
        self
    }

    /// With this long for the head of a request.
    #[must_use]
    pub fn header_timeout(mut self, limit: Duration) -> Self {
        self.header_timeout = limit;
        self
    }

    /// With this many bytes for the head of a request.
    #[must_use]
    pub fn header(mut self, max: usize) -> Self {
        self.max_header = max;
        self
    }

    /// With this long for the body of a request.
    #[must_use]
    pub fn body_timeout(mut self, limit: Duration) -> Self {
        self.body_timeout = limit;
        self
    }

    /// With this much patience for calls that run when the server stops.
    #[must_use]
    pub fn patience(mut self, limit: Duration) -> Self {
        self.patience = limit;
        self
    }
}

/// A server that runs. Dropping it cuts every connection; [`stop`](Self::stop) is the orderly way.
#[derive(Debug)]
pub struct Running {
    site: Site,
    address: SocketAddr,
    shutdown: Shutdown,
    patience: Duration,
    connections: TaskTracker,
    in_flight: Arc<InFlight>,
    /// Told first: accept nothing new and finish what runs.
    closing: CancellationToken,
    /// Told last: close, whatever runs.
    cut: CancellationToken,
}

impl Running {
    /// The public URL.
    #[must_use]
    pub fn url(&self) -> &PublicUrl {
        self.site.url()
    }

    /// The address the server listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What is served.
    #[must_use]
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// How many connections are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        // The accepting task is one of them.
        self.connections.len().saturating_sub(1)
    }

    /// How many sessions of streamable HTTP are open.
    #[must_use]
    pub fn mcp_sessions(&self) -> usize {
        self.shutdown.mcp_sessions()
    }

    /// How many HTTP+SSE sessions are open.
    #[must_use]
    pub fn sse_sessions(&self) -> usize {
        self.shutdown.sse_sessions()
    }

    /// Stops: accepts nothing new, lets running calls finish within [`ListenLimits::patience`], then ends streams and
    /// closes connections.
    pub async fn stop(self) {
        self.closing.cancel();
        self.connections.close();
        self.shutdown.run_after(self.patience, self.in_flight.none()).await;
        tokio::select! {
            () = self.connections.wait() => {}
            // Streams have ended and their last bytes are on the way; who does not take them now never will.
            () = self.shutdown.clock.sleep(Duration::from_secs(2)) => {}
        }
        self.cut.cancel();
        self.connections.wait().await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.cut.cancel();
    }
}

/// Starts to accept connections.
pub(crate) fn start(
    listener: TcpListener,
    address: SocketAddr,
    site: Site,
    shutdown: Shutdown,
    limits: ListenLimits,
) -> Running {
    let running = Running {
        site: site.clone(),
        address,
        shutdown,
        patience: limits.patience,
        connections: TaskTracker::new(),
        in_flight: Arc::default(),
        closing: CancellationToken::new(),
        cut: CancellationToken::new(),
    };
    let context = Arc::new(Context {
        site,
        in_flight: running.in_flight.clone(),
        closing: running.closing.clone(),
        cut: running.cut.clone(),
        limits,
    });
    running.connections.spawn(accept(listener, context, running.connections.clone()));
    running
}

async fn accept(listener: TcpListener, context: Arc<Context>, connections: TaskTracker) {
    let room = Arc::new(Semaphore::new(context.limits.max_connections));
    loop {
        let accepted = tokio::select! {
            accepted = next(&listener, &room) => accepted,
            () = context.closing.cancelled() => return,
            () = context.cut.cancelled() => return,
        };
        match accepted {
            Some((socket, peer, place)) => {
                connections.spawn(handle(socket, peer, context.clone(), place));
            }
            // Out of descriptors or memory: connections that close give some back, trying at once would only spin.
            None => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

type Accepted = (tokio::net::TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit);

async fn next(listener: &TcpListener, room: &Arc<Semaphore>) -> Option<Accepted> {
    let place = room.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((socket, peer)) => Some((socket, peer, place)),
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            None
        }
    }
}
