//! One connection.

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use mcp_core::{Connection, Site};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::ListenLimits;
use super::patient::Patient;
use super::service::{Door, InFlight};

/// What all connections of a server share.
pub(super) struct Context {
    pub(super) site: Site,
    pub(super) in_flight: Arc<InFlight>,
    pub(super) closing: CancellationToken,
    pub(super) cut: CancellationToken,
    pub(super) limits: ListenLimits,
}

/// What hyper asks for at least.
const SMALLEST_BUFFER: usize = 8 * 1024;

/// Serves a connection to its end.
pub(super) async fn handle(
    socket: TcpStream,
    peer: SocketAddr,
    context: Arc<Context>,
    place: OwnedSemaphorePermit,
) {
    // Events are small and wanted at once.
    let _ = socket.set_nodelay(true);
    let io = TokioIo::new(Patient::new(socket, context.limits.write_timeout));
    let limits = &context.limits;
    let door = Door::new(
        context.site.clone(),
        Connection::new(peer),
        context.in_flight.clone(),
        limits.body_timeout,
    );
    let mut connection = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_timeout)
            .max_buf_size(limits.max_header.max(SMALLEST_BUFFER))
            .serve_connection(io, door)
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = context.cut.cancelled() => None,
        () = context.closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection.as_mut() => Some(ended),
                () = context.cut.cancelled() => None,
            }
        }
    };
    if let Some(Err(error)) = ended {
        tracing::debug!(%error, %peer, "a connection ended with an error");
    }
    drop(place);
}
