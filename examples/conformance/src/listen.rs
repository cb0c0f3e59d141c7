//! `subscriptions/listen` of 2026-07-28, and the tools that make something happen on it.

use std::time::Duration;

use rmcp::service::{SubscriptionContext, SubscriptionSendError};
use rmcp::{ErrorData, tool, tool_router};
use tokio::sync::broadcast;

use crate::server::Everything;

/// What changed.
#[derive(Debug, Clone, Copy)]
enum Change {
    Tools,
    Prompts,
}

/// Carries a change to every open stream.
#[derive(Debug, Clone)]
pub(crate) struct Changes(broadcast::Sender<Change>);

/// A stream is acknowledged just before it listens; a change that early must not be lost.
const SETTLE: Duration = Duration::from_millis(50);

impl Changes {
    /// A carrier with no streams yet.
    pub(crate) fn new() -> Self {
        Self(broadcast::Sender::new(16))
    }

    async fn tell(&self, change: Change) {
        tokio::time::sleep(SETTLE).await;
        // An error only says that nobody listens.
        let _ = self.0.send(change);
    }

    /// Passes on what changes until the client closes the stream.
    pub(crate) async fn forward(&self, subscription: &SubscriptionContext) -> Result<(), ErrorData> {
        let mut changes = self.0.subscribe();
        loop {
            let change = tokio::select! {
                () = subscription.cancelled() => return Ok(()),
                change = changes.recv() => change,
            };
            let sink = subscription.sink();
            let sent = match change {
                Ok(Change::Tools) => sink.notify_tool_list_changed().await,
                Ok(Change::Prompts) => sink.notify_prompt_list_changed().await,
                Err(broadcast::error::RecvError::Lagged(_)) => continue,
                Err(broadcast::error::RecvError::Closed) => return Ok(()),
            };
            match sent {
                // Not every stream asks for every kind of change.
                Ok(()) | Err(SubscriptionSendError::NotificationNotAccepted(_)) => {}
                Err(_) => return Ok(()),
            }
        }
    }
}

#[tool_router(router = listen_tools, vis = "pub(crate)")]
impl Everything {
    #[tool(description = "Says that the list of tools changed.")]
    async fn test_trigger_tool_change(&self) -> String {
        self.changes.tell(Change::Tools).await;
        "told every listener that the tools changed".to_owned()
    }

    #[tool(description = "Says that the list of prompts changed.")]
    async fn test_trigger_prompt_change(&self) -> String {
        self.changes.tell(Change::Prompts).await;
        "told every listener that the prompts changed".to_owned()
    }
}
