//! The end of all sessions.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use mcp_core::Clock;
use mcp_transport_sse::SseService;
use tokio_util::sync::CancellationToken;

use crate::sessions::Places;

/// Ends the sessions of a server whose serving loop is somebody else's. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Shutdown {
    streamable: CancellationToken,
    places: Option<Arc<Places>>,
    sse: Option<SseService>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Shutdown {
    pub(crate) fn new(
        streamable: CancellationToken,
        places: Option<Arc<Places>>,
        sse: Option<SseService>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { streamable, places, sse, clock }
    }

    /// How many sessions of streamable HTTP are open.
    #[must_use]
    pub fn mcp_sessions(&self) -> usize {
        self.places.as_ref().map_or(0, |places| places.len())
    }

    /// How many HTTP+SSE sessions are open.
    #[must_use]
    pub fn sse_sessions(&self) -> usize {
        self.sse.as_ref().map_or(0, SseService::sessions)
    }

    /// Takes no new SSE session, waits for calls that run, and ends all sessions and streams; those that are not over
    /// after `patience` are cut.
    ///
    /// Stop accepting connections first, and close them afterwards: streams end only now.
    pub async fn run(&self, patience: Duration) {
        self.run_after(patience, std::future::ready(())).await;
    }

    /// The same, where `calls` is ready when no call over streamable HTTP runs any more.
    pub(crate) async fn run_after(&self, patience: Duration, calls: impl Future<Output = ()>) {
        let sse = async {
            if let Some(sse) = &self.sse {
                sse.shutdown(patience).await;
            }
        };
        let streamable = async {
            tokio::select! {
                () = calls => {}
                () = self.clock.sleep(patience) => tracing::warn!("calls are cut: they did not finish in time"),
            }
            // Ends the sessions, and with them the streams that clients hold open for notifications.
            self.streamable.cancel();
        };
        tokio::join!(sse, streamable);
    }
}
