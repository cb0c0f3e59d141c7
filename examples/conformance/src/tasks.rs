//! The tasks extension: calls that answer with a task, to be looked at later.

use std::time::Duration;

use rmcp::handler::server::tool::InputResponses;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolResponse, CallToolResult, ClientCapabilities, ContentBlock, CreateTaskResult};
use rmcp::schemars::{self, JsonSchema};
use rmcp::service::RequestContext;
use rmcp::task_manager::{TaskContext, TaskExit, TaskOptions};
use rmcp::{ErrorData, RoleServer, tool, tool_router};
use serde::Deserialize;

use crate::input_required::{answer, ask_user, required};
use crate::server::Everything;

/// Arguments of `greet`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct Greet {
    /// Whom to greet.
    name: String,
}

/// Arguments of `slow_compute`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct SlowCompute {
    /// How long to take, in seconds; at most a minute.
    #[serde(default)]
    seconds: f64,
}

/// Arguments of `confirm_delete`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct ConfirmDelete {
    /// What would be deleted.
    #[serde(default)]
    filename: String,
}

#[tool_router(router = task_tools, vis = "pub(crate)")]
impl Everything {
    #[tool(description = "Greets at once; never a task.")]
    async fn greet(&self, Parameters(Greet { name }): Parameters<Greet>) -> String {
        format!("Hello, {name}!")
    }

    #[tool(description = "Takes its time.")]
    async fn slow_compute(
        &self,
        Parameters(SlowCompute { seconds }): Parameters<SlowCompute>,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let wait = Duration::try_from_secs_f64(seconds.clamp(0.0, 60.0)).unwrap_or_default();
        if !declares_tasks(&context) {
            tokio::time::sleep(wait).await;
            return Ok(text(format!("computed for {seconds} seconds")).into());
        }
        Ok(self.start(move |task| async move {
            tokio::select! {
                () = task.cancelled() => Err(TaskExit::Cancelled),
                () = tokio::time::sleep(wait) => Ok(text(format!("computed for {seconds} seconds"))),
            }
        }))
    }

    #[tool(description = "Fails after a second, as a tool fails.")]
    async fn failing_job(&self, context: RequestContext<RoleServer>) -> Result<CallToolResponse, ErrorData> {
        demand_tasks(&context)?;
        Ok(self.start(|_| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(CallToolResult::error(vec![ContentBlock::text("the job failed")]))
        }))
    }

    #[tool(description = "Fails as a protocol fails.")]
    async fn protocol_error_job(
        &self,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        demand_tasks(&context)?;
        Ok(self.start(|_| async { Err(ErrorData::internal_error("the job could not be run", None).into()) }))
    }

    #[tool(description = "Asks before it does what it says.")]
    async fn confirm_delete(
        &self,
        Parameters(ConfirmDelete { filename }): Parameters<ConfirmDelete>,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let question = ask_user(&format!("Delete {filename}?"), "confirm", "boolean")?;
        if !declares_tasks(&context) {
            return Ok(required([("confirm", question)], None).into());
        }
        Ok(self.start(move |task| async move {
            let said = task.request_input("confirm", question).await?;
            Ok(text(format!("the user said {}", said["content"]["confirm"])))
        }))
    }

    #[tool(description = "Asks two things at once.")]
    async fn multi_input(&self, context: RequestContext<RoleServer>) -> Result<CallToolResponse, ErrorData> {
        demand_tasks(&context)?;
        Ok(self.start(|task| async move {
            let name = task.request_input("name", ask_user("What is your name?", "name", "string")?);
            let color = task.request_input("color", ask_user("What is your color?", "color", "string")?);
            let (name, color) = tokio::try_join!(name, color)?;
            Ok(text(format!("{} likes {}", name["content"]["name"], color["content"]["color"])))
        }))
    }

    #[tool(description = "Asks for a name, then goes on as a task.")]
    async fn test_tool_with_task(
        &self,
        InputResponses(given): InputResponses,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        demand_tasks(&context)?;
        let Some(name) = answer(given.as_ref(), "user_name", "name") else {
            let question = ask_user("What is your name?", "name", "string")?;
            return Ok(required([("user_name", question)], None).into());
        };
        Ok(self.start(move |_| async move {
            Ok(text(format!("Hello, {}!", name.as_str().map_or_else(|| name.to_string(), str::to_owned))))
        }))
    }
}

impl Everything {
    fn start<Fut>(&self, job: impl FnOnce(TaskContext) -> Fut) -> CallToolResponse
    where
        Fut: Future<Output = Result<CallToolResult, TaskExit>> + Send + 'static,
    {
        let options = TaskOptions::new().with_poll_interval_ms(100);
        CreateTaskResult::new(self.tasks.spawn(options, |task| Box::pin(job(task)))).into()
    }
}

fn declares_tasks(context: &RequestContext<RoleServer>) -> bool {
    context.client_capabilities().is_some_and(|client| client.supports_tasks())
}

fn demand_tasks(context: &RequestContext<RoleServer>) -> Result<(), ErrorData> {
    if declares_tasks(context) {
        return Ok(());
    }
    Err(ErrorData::missing_required_client_capability(ClientCapabilities::builder().enable_tasks().build()))
}

fn text(text: String) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text)])
}
