//! Tools that send notifications while they run.
#![expect(deprecated, reason = "2025-11-25 has logging, and so must a server that is tested for it")]

use std::time::Duration;

use rmcp::model::{LoggingLevel, LoggingMessageNotificationParam, ProgressNotificationParam};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, tool, tool_router};
use tokio::time::sleep;

use crate::server::Everything;

/// Between two notifications, so that a client can tell that they are streamed.
const PAUSE: Duration = Duration::from_millis(50);

#[tool_router(router = notify_tools, vis = "pub(crate)")]
impl Everything {
    #[tool(description = "Sends three log messages while it runs.")]
    async fn test_tool_with_logging(&self, context: RequestContext<RoleServer>) -> Result<String, ErrorData> {
        log(&context, "Tool execution started").await?;
        sleep(PAUSE).await;
        log(&context, "Tool processing data").await?;
        sleep(PAUSE).await;
        log(&context, "Tool execution completed").await?;
        Ok("Tool with logging executed successfully".to_owned())
    }

    #[tool(description = "Reports its progress three times while it runs.")]
    async fn test_tool_with_progress(
        &self,
        context: RequestContext<RoleServer>,
    ) -> Result<String, ErrorData> {
        let Some(token) = context.meta.get_progress_token() else {
            return Ok("nobody asked for progress".to_owned());
        };
        for (step, done) in [0.0, 50.0, 100.0].into_iter().enumerate() {
            if step > 0 {
                sleep(PAUSE).await;
            }
            let progress = ProgressNotificationParam::new(token.clone(), done).with_total(100.0);
            context.peer.notify_progress(progress).await.map_err(|error| unsent(&error))?;
        }
        Ok("Tool with progress executed successfully".to_owned())
    }

    #[tool(description = "Takes long enough for a client to lose the stream and come back.")]
    async fn test_reconnection(&self) -> String {
        // The suite wants the stream closed here; the first lines of `main.rs` say why it is not.
        sleep(PAUSE).await;
        "Reconnection test completed".to_owned()
    }

    #[tool(description = "Logs, but only for a request that names a log level.")]
    async fn test_logging_tool(&self, context: RequestContext<RoleServer>) -> Result<String, ErrorData> {
        if context.meta.log_level().is_some() {
            log(&context, "This request asked for log messages").await?;
        }
        Ok("Logging tool executed successfully".to_owned())
    }
}

async fn log(context: &RequestContext<RoleServer>, text: &str) -> Result<(), ErrorData> {
    let message = LoggingMessageNotificationParam::new(LoggingLevel::Info, text.into());
    context.peer.notify_logging_message(message).await.map_err(|error| unsent(&error))
}

fn unsent(error: &rmcp::ServiceError) -> ErrorData {
    ErrorData::internal_error(format!("the notification could not be sent: {error}"), None)
}
