//! The two transports of one handler.

use std::sync::Arc;

use http::Method;
use mcp_core::{Body, BoxService, Clock, PublicUrl};
use mcp_transport_sse::{Session, SseLimits, SseService};
use rmcp::ServerHandler;
use rmcp::service::serve_server;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;

use crate::endpoint_policy::EndpointPolicy;
use crate::gathered::gathered;
use crate::sessions::Sessions;

/// Makes the handler of a session.
pub(crate) type Factory<H> = Arc<dyn Fn() -> H + Send + Sync>;

/// rmcp's streamable HTTP service.
pub(crate) fn streamable<H: ServerHandler>(
    make: Factory<H>,
    policy: EndpointPolicy,
    sessions: Arc<Sessions>,
    hosts: Vec<String>,
    end: CancellationToken,
    gather: bool,
) -> BoxService {
    let mut config = StreamableHttpServerConfig::default().with_allowed_hosts(hosts);
    config.cancellation_token = end;
    let handler = move || policy.guard(make());
    // Shared, because rmcp's service is dear to clone: it carries its whole configuration about.
    let service = Arc::new(StreamableHttpService::new(handler, sessions, config));
    BoxService::from_boxed(move |request| {
        let service = service.clone();
        Box::pin(async move {
            let gathers = gather && request.method() == Method::POST;
            let response = service.handle(request).await;
            Ok(if gathers { gathered(response).await } else { response.map(Body::new) })
        })
    })
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
    policy: EndpointPolicy,
    messages: String,
    limits: SseLimits,
    clock: Arc<dyn Clock>,
) -> SseService {
    let handler = move |session: Session| {
        let handler = policy.guard(make());
        async move {
            let handler = match handler {
                Ok(handler) => handler,
                Err(error) => return tracing::error!(%error, "an SSE session cannot be served"),
            };
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
