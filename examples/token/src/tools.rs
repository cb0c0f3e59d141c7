//! The tools. Nothing here knows how callers are told apart.

use mcp_auth_rmcp::MaybeCaller;
use mcp_core::{ClientId, Identity};
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::{ErrorData, ServerHandler, schemars, tool, tool_handler, tool_router};
use serde::Deserialize;

/// A server with a few tools.
pub(crate) struct Tools {
    // Kept, because the macro's default would build it anew for every call.
    router: ToolRouter<Self>,
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Message {
    /// What to say.
    message: String,
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Numbers {
    /// The first number.
    a: i64,
    /// The second number.
    b: i64,
}

#[tool_router]
impl Tools {
    pub(crate) fn new() -> Self {
        Self { router: Self::tool_router() }
    }

    #[tool(description = "Who is calling?")]
    async fn whoami(&self, MaybeCaller(caller): MaybeCaller<Identity>) -> String {
        match caller {
            Some(caller) => format!(
                "{} of {}, by the client {}, with the scopes: {}",
                caller.subject(),
                caller.issuer(),
                caller.client().map_or("(unnamed)", ClientId::as_str),
                caller.scopes()
            ),
            None => "anonymous".to_owned(),
        }
    }

    #[tool(description = "Says what you say.")]
    async fn echo(&self, Parameters(Message { message }): Parameters<Message>) -> String {
        message
    }

    #[tool(description = "Adds two numbers.")]
    async fn add(&self, Parameters(Numbers { a, b }): Parameters<Numbers>) -> Result<String, ErrorData> {
        let sum = a.checked_add(b);
        sum.map(|sum| sum.to_string()).ok_or_else(|| ErrorData::invalid_params("the sum is too large", None))
    }

    #[tool(description = "Tells a secret to callers with the scope demo:secret.")]
    async fn secret(&self) -> String {
        "The cake is in the second drawer.".to_owned()
    }
}

#[tool_handler(router = self.router, name = "token", version = "0.1.0")]
impl ServerHandler for Tools {}
