//! The tower service.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use mcp_core::{Body, BoxError, BoxFuture, Clock, SystemClock};
use tower_service::Service;

use crate::accept::accept;
use crate::limits::SseLimits;
use crate::line::Settings;
use crate::open::open;
use crate::registry::Registry;
use crate::session::SessionHandler;

/// Both endpoints of the HTTP+SSE transport, as one tower service that never fails. Cheap to clone; clones share their
/// sessions.
///
/// Which endpoint a request is for is told by its path: the message endpoint's is the public path given to
/// [`new`](Self::new), or the end of it where a proxy or router strips the beginning. Every other path is the stream
/// endpoint's.
///
/// Every request must carry an [`Identity`](mcp_core::Identity) in its extensions. One without is answered 500.
#[derive(Clone)]
pub struct SseService(Arc<Inner>);

struct Inner {
    settings: Arc<Settings>,
    registry: Arc<Registry>,
    handler: Arc<dyn SessionHandler>,
}

impl SseService {
    /// A service whose message endpoint clients reach under this path of the host, as the public URL has it: for
    /// `https://mcp.example.com/tools`, that is `/tools/messages`.
    ///
    /// Clients are sent this path without scheme and host, and resolve it against the URL they opened the stream with.
    /// So it is right behind any reverse proxy, whether that strips a prefix or not, and no `Host` header is believed.
    pub fn new(messages: impl Into<String>, handler: impl SessionHandler) -> Self {
        let mut messages = messages.into();
        if !messages.starts_with('/') {
            messages.insert(0, '/');
        }
        Self(Arc::new(Inner {
            settings: Arc::new(Settings {
                messages,
                limits: SseLimits::default(),
                clock: Arc::new(SystemClock),
            }),
            registry: Arc::default(),
            handler: Arc::new(handler),
        }))
    }

    /// With other limits. Call it before the service is used: sessions are not taken over.
    #[must_use]
    pub fn limits(self, limits: SseLimits) -> Self {
        self.configured(limits, self.0.settings.clock.clone())
    }

    /// With another clock, for tests. Call it before the service is used: sessions are not taken over.
    #[must_use]
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        self.configured(self.0.settings.limits.clone(), clock)
    }

    fn configured(&self, limits: SseLimits, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner {
            settings: Arc::new(Settings { messages: self.0.settings.messages.clone(), limits, clock }),
            registry: Arc::default(),
            handler: self.0.handler.clone(),
        }))
    }

    /// How many sessions are open.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.0.registry.len()
    }

    /// Comes to an end: opens no session any more and takes no message; handlers see the end of their
    /// [`Incoming`](crate::Incoming) and may still answer what they began. Ready when every session is over. Those
    /// that are not after `patience` are cut.
    pub async fn shutdown(&self, patience: Duration) {
        let registry = &self.0.registry;
        registry.close();
        tokio::select! {
            () = registry.empty() => {}
            () = self.0.settings.clock.sleep(patience) => {
                tracing::warn!(sessions = registry.len(), "SSE sessions are cut: they did not end in time");
                registry.end_all();
            }
        }
    }

    pub(crate) fn settings(&self) -> &Arc<Settings> {
        &self.0.settings
    }

    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.0.registry
    }

    pub(crate) fn handler(&self) -> &dyn SessionHandler {
        &*self.0.handler
    }

    fn is_message_endpoint(&self, path: &str) -> bool {
        path.len() > 1 && path.starts_with('/') && self.0.settings.messages.ends_with(path)
    }
}

impl<B> Service<Request<B>> for SseService
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> BoxFuture {
        let service = self.clone();
        let (head, body) = request.into_parts();
        let body = Body::new(body);
        if service.is_message_endpoint(head.uri.path()) {
            Box::pin(async move { Ok(accept(&service, head, body).await) })
        } else {
            Box::pin(async move { Ok(open(&service, head)) })
        }
    }
}

impl fmt::Debug for SseService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SseService")
            .field("messages", &self.0.settings.messages)
            .field("limits", &self.0.settings.limits)
            .field("sessions", &self.sessions())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_endpoint_is_known_with_and_without_the_prefix() {
        let service = SseService::new("/tools/messages", |_session| async {});
        assert!(service.is_message_endpoint("/tools/messages"));
        assert!(service.is_message_endpoint("/messages"));
        for other in ["", "/", "/sse", "/tools/sse", "/x/messages", "messages", "sages"] {
            assert!(!service.is_message_endpoint(other), "{other}");
        }
    }
}
