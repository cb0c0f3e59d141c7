//! The tools that are served: one that answers at once, so that what is measured is the way to it.

use std::sync::Arc;

use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::{ServerHandler, schemars, tool, tool_handler, tool_router};
use serde::Deserialize;

/// A server with one tool.
pub(crate) struct Tools {
    router: ToolRouter<Self>,
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Message {
    message: String,
}

#[tool_router]
impl Tools {
    fn new() -> Self {
        Self { router: Self::tool_router() }
    }

    /// One set of tools for all sessions.
    pub(crate) fn shared() -> Arc<Self> {
        Arc::new(Self::new())
    }

    #[tool(description = "Says what you say.")]
    async fn echo(&self, Parameters(Message { message }): Parameters<Message>) -> String {
        message
    }
}

#[tool_handler(router = self.router)]
impl ServerHandler for Tools {}
