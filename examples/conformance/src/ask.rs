//! Tools of 2025-11-25 that ask the client something on the stream of their own call.
#![expect(deprecated, reason = "2025-11-25 has sampling, and so must a server that is tested for it")]

use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{
    ClientCapabilities, CreateMessageRequestParams, ElicitRequestParams, ElicitResult, SamplingMessage,
};
use rmcp::schemars::{self, JsonSchema};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServiceError, tool, tool_router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::server::Everything;

/// Arguments of `test_sampling`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct Prompt {
    /// What to ask the model.
    prompt: String,
}

/// Arguments of `test_elicitation`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct Message {
    /// What to show the user.
    message: String,
}

#[tool_router(router = ask_tools, vis = "pub(crate)")]
impl Everything {
    #[tool(description = "Asks the client's model.")]
    async fn test_sampling(
        &self,
        Parameters(Prompt { prompt }): Parameters<Prompt>,
        context: RequestContext<RoleServer>,
    ) -> Result<String, ErrorData> {
        let request = CreateMessageRequestParams::new(vec![SamplingMessage::user_text(prompt)], 100);
        let answer = context.peer.create_message(request).await.map_err(|error| unanswered(&error))?;
        let first = answer.message.content.first().and_then(|content| content.as_text());
        let text = first.map_or("(no text)", |content| content.text.as_str());
        Ok(format!("LLM response: {text}"))
    }

    #[tool(description = "Asks the user for a name and an address.")]
    async fn test_elicitation(
        &self,
        Parameters(Message { message }): Parameters<Message>,
        context: RequestContext<RoleServer>,
    ) -> Result<String, ErrorData> {
        let text = |description: &str| json!({"type": "string", "description": description});
        let schema = json!({
            "type": "object",
            "properties": {"username": text("User's response"), "email": text("User's email address")},
            "required": ["username", "email"],
        });
        let answer = elicit(&context, &message, schema).await?;
        Ok(format!("User response: {}", told(&answer)))
    }

    #[tool(description = "Asks the user with a default for every field.")]
    async fn test_elicitation_sep1034_defaults(
        &self,
        context: RequestContext<RoleServer>,
    ) -> Result<String, ErrorData> {
        let schema = json!({
            "type": "object",
            "properties": {
                "name": {"type": "string", "default": "John Doe"},
                "age": {"type": "integer", "default": 30},
                "score": {"type": "number", "default": 95.5},
                "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
                "verified": {"type": "boolean", "default": true},
            },
            "required": [],
        });
        let answer = elicit(&context, "Please check the defaults", schema).await?;
        Ok(format!("Elicitation completed: {}", told(&answer)))
    }

    #[tool(description = "Asks the user to choose, in each of the five ways there are.")]
    async fn test_elicitation_sep1330_enums(
        &self,
        context: RequestContext<RoleServer>,
    ) -> Result<String, ErrorData> {
        let plain = json!(["option1", "option2", "option3"]);
        let titled = |kind: &str| {
            json!([
                {"const": "value1", "title": format!("First {kind}")},
                {"const": "value2", "title": format!("Second {kind}")},
                {"const": "value3", "title": format!("Third {kind}")},
            ])
        };
        let schema = json!({
            "type": "object",
            "properties": {
                "untitledSingle": {"type": "string", "enum": plain},
                "titledSingle": {"type": "string", "oneOf": titled("Option")},
                "legacyEnum": {
                    "type": "string",
                    "enum": ["opt1", "opt2", "opt3"],
                    "enumNames": ["Option One", "Option Two", "Option Three"],
                },
                "untitledMulti": {"type": "array", "items": {"type": "string", "enum": plain}},
                "titledMulti": {"type": "array", "items": {"anyOf": titled("Choice")}},
            },
            "required": [],
        });
        let answer = elicit(&context, "Please choose", schema).await?;
        Ok(format!("Elicitation completed: {}", told(&answer)))
    }

    #[tool(description = "Needs a client that lets servers ask its model.")]
    async fn test_missing_capability(
        &self,
        context: RequestContext<RoleServer>,
    ) -> Result<String, ErrorData> {
        if context.client_capabilities().is_some_and(|client| client.sampling.is_some()) {
            return Ok("the client declared sampling".to_owned());
        }
        let needed = ClientCapabilities::builder().enable_sampling().build();
        Err(ErrorData::missing_required_client_capability(needed))
    }
}

async fn elicit(
    context: &RequestContext<RoleServer>,
    message: &str,
    schema: Value,
) -> Result<ElicitResult, ErrorData> {
    let request = form(message, schema)?;
    context.peer.create_elicitation(request).await.map_err(|error| unanswered(&error))
}

/// A form with `schema` for its fields.
pub(crate) fn form(message: &str, schema: Value) -> Result<ElicitRequestParams, ErrorData> {
    let requested_schema = serde_json::from_value(schema)
        .map_err(|error| ErrorData::internal_error(format!("not a schema for a form: {error}"), None))?;
    Ok(ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: message.to_owned(),
        requested_schema,
    })
}

fn told(answer: &ElicitResult) -> String {
    let action = serde_json::to_value(&answer.action).unwrap_or_default();
    let content = answer.content.clone().unwrap_or_default();
    format!("action={}, content={content}", action.as_str().unwrap_or_default())
}

fn unanswered(error: &ServiceError) -> ErrorData {
    ErrorData::internal_error(format!("the client did not answer: {error}"), None)
}
