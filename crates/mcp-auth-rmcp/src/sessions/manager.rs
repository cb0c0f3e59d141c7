//! The session manager: rmcp's own, with a place for each session.

use std::future::pending;
use std::sync::Arc;

use futures_core::Stream;
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_server::session::local::{
    LocalSessionManager, LocalSessionManagerError,
};
use rmcp::transport::streamable_http_server::session::{ServerSseMessage, SessionId, SessionManager};

use super::limits::SessionLimits;
use super::places::Places;
use super::service::OPENING;
use super::transport::Counted;

/// Why rmcp gets no session, or nothing out of one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The service stands where it must not.
    #[error("nobody knows whose session this would be")]
    NoIdentity,
    #[error(transparent)]
    Session(#[from] LocalSessionManagerError),
}

/// Sessions in memory, as many as there are places.
#[derive(Debug)]
pub(crate) struct Sessions {
    inner: Arc<LocalSessionManager>,
    places: Arc<Places>,
}

impl Sessions {
    pub(crate) fn new(limits: &SessionLimits) -> Self {
        let mut inner = LocalSessionManager::default();
        inner.session_config.keep_alive = Some(limits.idle);
        Self { inner: Arc::new(inner), places: Arc::new(Places::new(limits.clone())) }
    }

    pub(crate) fn places(&self) -> &Arc<Places> {
        &self.places
    }
}

impl SessionManager for Sessions {
    type Error = Error;
    type Transport = Counted;

    async fn create_session(&self) -> Result<(SessionId, Counted), Error> {
        let place = OPENING.try_with(|opening| {
            let place = self.places.take(&opening.caller);
            opening.refused.set(place.as_ref().err().copied());
            place
        });
        let place = match place {
            Ok(Ok(place)) => place,
            // The service in front answers.
            Ok(Err(_)) => pending().await,
            Err(_) => return Err(Error::NoIdentity),
        };
        let (id, transport) = self.inner.create_session().await?;
        Ok((id.clone(), Counted::new(transport, place, id, self.inner.clone())))
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, Error> {
        Ok(self.inner.initialize_session(id, message).await?)
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, Error> {
        Ok(self.inner.has_session(id).await?)
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), Error> {
        Ok(self.inner.close_session(id).await?)
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Error> {
        Ok(self.inner.create_stream(id, message).await?)
    }

    async fn accept_message(&self, id: &SessionId, message: ClientJsonRpcMessage) -> Result<(), Error> {
        Ok(self.inner.accept_message(id, message).await?)
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Error> {
        Ok(self.inner.create_standalone_stream(id).await?)
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Error> {
        Ok(self.inner.resume(id, last_event_id).await?)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use mcp_core::Identity;

    use super::super::service::Opening;
    use super::*;

    #[tokio::test]
    async fn nothing_is_left_of_a_session_that_nobody_serves() {
        let sessions = Sessions::new(&SessionLimits::default());
        let opening = Opening { caller: Identity::anonymous(), refused: Cell::new(None) };
        let (id, transport) = OPENING.scope(opening, sessions.create_session()).await.unwrap();
        assert!(sessions.has_session(&id).await.unwrap());
        assert_eq!(sessions.places.len(), 1);
        // As when the task that serves it panics: nobody closes it.
        drop(transport);
        assert_eq!(sessions.places.len(), 0);
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(!sessions.has_session(&id).await.unwrap());
    }

    #[tokio::test]
    async fn a_session_is_somebody_s() {
        let sessions = Sessions::new(&SessionLimits::default());
        assert!(matches!(sessions.create_session().await, Err(Error::NoIdentity)));
    }
}
