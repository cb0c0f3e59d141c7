//! The two transports of one handler.

use std::sync::Arc;

use mcp_core::{Clock, Policy, PublicUrl};
use mcp_transport_sse::{Session, SseLimits, SseService};
use rmcp::ServerHandler;
use rmcp::service::serve_server;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;

use crate::guarded::Guarded;

/// Makes the handler of a session.
pub(crate) type Factory<H> = Arc<dyn Fn() -> H + Send + Sync>;

/// rmcp's streamable HTTP service.
pub(crate) fn streamable<H: ServerHandler>(
    make: Factory<H>,
    policy: Policy,
    hosts: Vec<String>,
    end: CancellationToken,
) -> StreamableHttpService<Guarded<H>, LocalSessionManager> {
    let mut config = StreamableHttpServerConfig::default().with_allowed_hosts(hosts);
    config.cancellation_token = end;
    StreamableHttpService::new(move || Ok(Guarded::new(make(), policy.clone())), Arc::default(), config)
}

/// The hosts rmcp answers: those the site in front of it lets through. The site looks first and knows more (ports,
/// contradictions); this is for the day when somebody mounts the service elsewhere.
pub(crate) fn allowed_hosts(url: &PublicUrl, more: &[String]) -> Vec<String> {
    let mut hosts = vec![url.host().to_owned()];
    if url.is_loopback() {
        hosts.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
    }
    hosts.extend_from_slice(more);
    hosts
}

/// The SSE service, whose sessions rmcp serves.
pub(crate) fn sse<H: ServerHandler>(
    make: Factory<H>,
    policy: Policy,
    messages: String,
    limits: SseLimits,
    clock: Arc<dyn Clock>,
) -> SseService {
    let handler = move |session: Session| {
        let handler = Guarded::new(make(), policy.clone());
        async move {
            let outgoing = session.outgoing.clone();
            match serve_server(handler, crate::transport::SseTransport::new(session)).await {
                // The session holds the service and drops it when it ends: no task waits for that.
                Ok(running) => outgoing.keep(running),
                Err(error) => tracing::debug!(%error, "an SSE session ended before it was initialized"),
            }
        }
    };
    SseService::new(messages, handler).limits(limits).clock(clock)
}
