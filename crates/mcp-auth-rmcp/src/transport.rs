//! A session of the SSE transport, as rmcp's service loop drives it.

use std::collections::HashSet;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use mcp_transport_sse::{Incoming, Message, Outgoing, SendError, Session};
use rmcp::RoleServer;
use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, ErrorCode, ErrorData, JsonRpcMessage, RequestId,
    ServerJsonRpcMessage,
};
use rmcp::transport::Transport;
use serde::Deserialize;
use tokio::sync::Notify;

/// Calls of one session that run at once. rmcp begins every call when it comes, so that short queues bound nothing by
/// themselves: a client that asks without reading answers would fill the memory.
const MAX_CALLS: usize = 128;

/// The code of the error that one more is answered with. Outside the range that JSON-RPC and MCP reserve (spec TR-20).
const TOO_MANY_CALLS: ErrorCode = ErrorCode(-31429);

/// The [`Transport`] of one session.
///
/// The head of each POST is in the extensions of its message, as rmcp's own streamable HTTP service puts it there.
#[derive(Debug)]
pub(crate) struct SseTransport {
    incoming: Incoming,
    outgoing: Outgoing,
    /// An answer to something unreadable that is not on its way yet.
    reply: Option<Bytes>,
    running: Arc<Running>,
}

/// The calls that were taken and not answered yet.
#[derive(Debug, Default)]
struct Running {
    calls: Mutex<HashSet<RequestId>>,
    none: Notify,
}

impl Running {
    fn lock(&self) -> MutexGuard<'_, HashSet<RequestId>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call in, or says why it must not begin.
    fn begin(&self, id: &RequestId) -> Result<(), ErrorData> {
        let mut calls = self.lock();
        if calls.len() >= MAX_CALLS {
            return Err(ErrorData::new(TOO_MANY_CALLS, "too many calls of this session are running", None));
        }
        if !calls.insert(id.clone()) {
            return Err(ErrorData::invalid_request("a request with this id is running", None));
        }
        Ok(())
    }

    fn end(&self, id: &RequestId) {
        let mut calls = self.lock();
        calls.remove(id);
        if calls.is_empty() {
            // The allocation of a set is kept when its last member goes; an idle session holds none.
            *calls = HashSet::new();
            drop(calls);
            self.none.notify_waiters();
        }
    }

    async fn ended(&self) {
        loop {
            let mut none = std::pin::pin!(self.none.notified());
            none.as_mut().enable();
            if self.lock().is_empty() {
                return;
            }
            none.await;
        }
    }
}

impl SseTransport {
    pub(crate) fn new(session: Session) -> Self {
        Self { incoming: session.incoming, outgoing: session.outgoing, reply: None, running: Arc::default() }
    }

    /// Reads a message, or says what to answer to one that cannot be read.
    fn read(&self, message: Message) -> Result<ClientJsonRpcMessage, Option<Bytes>> {
        let mut parsed: ClientJsonRpcMessage =
            serde_json::from_slice(&message.json).map_err(|_| unreadable(&message.json))?;
        parsed.insert_extension(message.head);
        match &parsed {
            JsonRpcMessage::Request(request) => {
                self.running.begin(&request.id).map_err(|error| refusal(error, request.id.clone()))?;
            }
            JsonRpcMessage::Notification(notification) => {
                // rmcp drops the answer of a call that was cancelled: it is not waited for.
                if let ClientNotification::CancelledNotification(cancelled) = &notification.notification
                    && let Some(id) = &cancelled.params.request_id
                {
                    self.running.end(id);
                }
            }
            _ => {}
        }
        Ok(parsed)
    }
}

/// The answer to a request that is JSON-RPC and yet no MCP request. Anything else that cannot be read gets none.
fn unreadable(json: &[u8]) -> Option<Bytes> {
    #[derive(Deserialize)]
    struct Request {
        id: RequestId,
        #[expect(dead_code, reason = "that it is there makes the message a request")]
        method: String,
    }
    let Request { id, .. } = serde_json::from_slice(json).ok()?;
    refusal(ErrorData::invalid_request("this is no request that MCP knows", None), id)
}

/// An error that answers a request which rmcp does not get to see.
fn refusal(error: ErrorData, id: RequestId) -> Option<Bytes> {
    serde_json::to_vec(&ServerJsonRpcMessage::error(error, Some(id))).ok().map(Bytes::from)
}

impl Transport<RoleServer> for SseTransport {
    type Error = SendError;

    fn send(
        &mut self,
        item: ServerJsonRpcMessage,
    ) -> impl Future<Output = Result<(), SendError>> + Send + 'static {
        let answered = match &item {
            JsonRpcMessage::Response(response) => Some(response.id.clone()),
            JsonRpcMessage::Error(error) => error.id.clone(),
            _ => None,
        };
        // Everything rmcp sends can be written as JSON; if it once cannot, the client must not wait for ever.
        let json = serde_json::to_vec(&item).or_else(|error| {
            tracing::error!(%error, "a message cannot be written as JSON");
            let failed = ErrorData::internal_error("the answer cannot be written", None);
            serde_json::to_vec(&ServerJsonRpcMessage::error(failed, answered.clone()))
        });
        let outgoing = self.outgoing.clone();
        let running = self.running.clone();
        async move {
            let sent = match json {
                Ok(json) => outgoing.send(json).await,
                Err(_) => Ok(()),
            };
            if let Some(id) = answered {
                running.end(&id);
            }
            sent
        }
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        loop {
            // This future is dropped and made anew whenever rmcp has something else to do: what must not be lost lives
            // in `self`.
            if let Some(reply) = &self.reply {
                let sent = self.outgoing.send(reply.clone()).await;
                self.reply = None;
                sent.ok()?;
            }
            let Some(message) = self.incoming.recv().await else {
                // No more messages: the client is gone, or the server is about to go. rmcp would give the calls that
                // still run five seconds; how long they have is the server's decision.
                tokio::select! {
                    () = self.running.ended() => {}
                    () = self.outgoing.closed() => {}
                }
                return None;
            };
            match self.read(message) {
                Ok(message) => return Some(message),
                Err(reply) => self.reply = reply,
            }
        }
    }

    async fn close(&mut self) -> Result<(), SendError> {
        self.outgoing.finish();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_requests_that_cannot_be_read_are_answered() {
        let answer = unreadable(br#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":[]}"#).unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(answer["id"], 7);
        assert_eq!(answer["error"]["code"], -32600);
        assert!(unreadable(br#"{"jsonrpc":"2.0","method":"notifications/x","params":7}"#).is_none());
        assert!(unreadable(br#"{"jsonrpc":"2.0","id":7,"result":7}"#).is_none());
    }
}
