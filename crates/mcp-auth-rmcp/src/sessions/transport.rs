//! The transport of one session, which holds the session's place.

use std::future::Future;
use std::sync::Arc;

use rmcp::RoleServer;
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use rmcp::transport::streamable_http_server::session::local::{LocalSessionManager, SessionTransport};
use rmcp::transport::streamable_http_server::session::{SessionId, SessionManager};
use tokio::runtime::Handle;

use super::places::Place;

/// rmcp's transport of a session. Whatever serves the session owns it, so that the place is given back when nobody serves
/// the session any more: it was closed, silent for too long, or its task panicked.
pub(crate) struct Counted {
    transport: SessionTransport,
    place: Place,
    id: SessionId,
    sessions: Arc<LocalSessionManager>,
}

impl Counted {
    pub(super) fn new(
        transport: SessionTransport,
        place: Place,
        id: SessionId,
        sessions: Arc<LocalSessionManager>,
    ) -> Self {
        Self { transport, place, id, sessions }
    }
}

impl Transport<RoleServer> for Counted {
    type Error = <SessionTransport as Transport<RoleServer>>::Error;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.transport.send(item)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        tokio::select! {
            message = self.transport.receive() => message,
            () = self.place.gave_way() => None,
        }
    }

    fn close(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send {
        self.transport.close()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        // rmcp forgets a session after serving it, and not when that panics. Then its entry would stay for ever.
        if let Ok(runtime) = Handle::try_current() {
            let (sessions, id) = (self.sessions.clone(), self.id.clone());
            runtime.spawn(async move { sessions.close_session(&id).await });
        }
    }
}
