//! Tools of 2026-07-28 that answer with a question: the client calls again with what was asked.
#![expect(deprecated, reason = "a question may be for the client's model or its roots")]

use rmcp::handler::server::tool::{InputResponses, RequestState};
use rmcp::model::{
    CallToolResponse, CallToolResult, ContentBlock, CreateMessageRequest, CreateMessageRequestParams,
    ElicitRequest, InputRequest, InputRequests, InputRequiredResult, ListRootsRequest, SamplingMessage,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, tool, tool_router};
use serde_json::{Value, json};

use crate::ask::form;
use crate::server::Everything;

type Answers = rmcp::model::InputResponses;

#[tool_router(router = input_required_tools, vis = "pub(crate)")]
impl Everything {
    #[tool(description = "Asks the user for a name.")]
    async fn test_input_required_result_elicitation(
        &self,
        InputResponses(given): InputResponses,
    ) -> Result<CallToolResponse, ErrorData> {
        match answer(given.as_ref(), "user_name", "name").as_ref().and_then(Value::as_str) {
            Some(name) => Ok(text(format!("Hello, {name}!"))),
            None => Ok(required([("user_name", ask_name()?)], None).into()),
        }
    }

    #[tool(description = "Asks the user on the stream of its own call, without a request of its own.")]
    async fn test_streaming_elicitation(
        &self,
        InputResponses(given): InputResponses,
    ) -> Result<CallToolResponse, ErrorData> {
        match answer(given.as_ref(), "user_name", "name") {
            Some(_) => Ok(text("the user answered")),
            None => Ok(required([("user_name", ask_name()?)], None).into()),
        }
    }

    #[tool(description = "Asks the client's model.")]
    async fn test_input_required_result_sampling(
        &self,
        InputResponses(given): InputResponses,
    ) -> Result<CallToolResponse, ErrorData> {
        let said =
            given.as_ref().and_then(|given| given.get("capital_question")?["content"]["text"].as_str());
        match said {
            Some(said) => Ok(text(said)),
            None => {
                Ok(required([("capital_question", ask_model("What is the capital of France?", 100))], None)
                    .into())
            }
        }
    }

    #[tool(description = "Asks the client for its roots.")]
    async fn test_input_required_result_list_roots(
        &self,
        InputResponses(given): InputResponses,
    ) -> Result<CallToolResponse, ErrorData> {
        match roots(given.as_ref()) {
            Some(roots) => Ok(text(format!("The client's roots: {roots}"))),
            None => Ok(required([("client_roots", ask_roots())], None).into()),
        }
    }

    #[tool(description = "Asks the user, and keeps its place in a state the client carries.")]
    async fn test_input_required_result_request_state(
        &self,
        InputResponses(given): InputResponses,
        RequestState(state): RequestState,
    ) -> Result<CallToolResponse, ErrorData> {
        const PLACE: &str = "request_state";
        self.confirmed(PLACE, given.as_ref(), state.as_deref())
    }

    #[tool(description = "Asks for three things at once.")]
    async fn test_input_required_result_multiple_inputs(
        &self,
        InputResponses(given): InputResponses,
        RequestState(state): RequestState,
    ) -> Result<CallToolResponse, ErrorData> {
        const PLACE: &str = "multiple_inputs";
        let given = given.as_ref();
        let greeting = given.and_then(|given| given.get("greeting")?["content"]["text"].as_str());
        let name = answer(given, "user_name", "name");
        if let (Some(state), Some(name), Some(greeting), Some(roots)) =
            (&state, &name, greeting, roots(given))
        {
            self.unseal(PLACE, state)?;
            return Ok(text(format!("{greeting} {} {roots}", name.as_str().unwrap_or_default())));
        }
        let questions = [
            ("user_name", ask_name()?),
            ("greeting", ask_model("Generate a greeting", 50)),
            ("client_roots", ask_roots()),
        ];
        Ok(required(questions, Some(self.seal(PLACE))).into())
    }

    #[tool(description = "Asks twice, one after the other.")]
    async fn test_input_required_result_multi_round(
        &self,
        InputResponses(given): InputResponses,
        RequestState(state): RequestState,
    ) -> Result<CallToolResponse, ErrorData> {
        let given = given.as_ref();
        let step = match &state {
            Some(state) => self.open(state)?,
            None => String::new(),
        };
        if step == "named" && answer(given, "step2", "color").is_some() {
            return Ok(text("both steps are done"));
        }
        if step == "started" && answer(given, "step1", "name").is_some() {
            let question = ask_user("Step 2: What is your favorite color?", "color", "string")?;
            return Ok(required([("step2", question)], Some(self.seal("named"))).into());
        }
        let question = ask_user("Step 1: What is your name?", "name", "string")?;
        Ok(required([("step1", question)], Some(self.seal("started"))).into())
    }

    #[tool(description = "Refuses a state that was changed on the way.")]
    async fn test_input_required_result_tampered_state(
        &self,
        InputResponses(given): InputResponses,
        RequestState(state): RequestState,
    ) -> Result<CallToolResponse, ErrorData> {
        const PLACE: &str = "tampered_state";
        self.confirmed(PLACE, given.as_ref(), state.as_deref())
    }

    #[tool(description = "Asks only what the client says it can answer.")]
    async fn test_input_required_result_capabilities(
        &self,
        InputResponses(given): InputResponses,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let client = context.client_capabilities().unwrap_or_default();
        let mut questions = Vec::new();
        if client.elicitation.is_some() {
            questions.push(("elicit_input", ask_name()?));
        }
        if client.sampling.is_some() {
            questions.push(("sample_input", ask_model("Say hello", 50)));
        }
        let answered = |(key, _): &(&str, _)| given.as_ref().is_some_and(|given| given.contains_key(*key));
        if questions.iter().all(answered) {
            return Ok(text("nothing more to ask"));
        }
        Ok(required(questions, None).into())
    }
}

impl Everything {
    /// Asks for a confirmation and demands its own state back.
    fn confirmed(
        &self,
        place: &str,
        given: Option<&Answers>,
        state: Option<&str>,
    ) -> Result<CallToolResponse, ErrorData> {
        if let Some(state) = state {
            self.unseal(place, state)?;
            if answer(given, "confirm", "ok").is_some() {
                return Ok(text("state-ok"));
            }
        }
        let question = ask_user("Please confirm", "ok", "boolean")?;
        Ok(required([("confirm", question)], Some(self.seal(place))).into())
    }

    fn seal(&self, place: &str) -> String {
        self.seal.seal(place.as_bytes())
    }

    fn open(&self, state: &str) -> Result<String, ErrorData> {
        let opened =
            self.seal.open(state).map_err(|_| ErrorData::invalid_params("requestState is not ours", None))?;
        String::from_utf8(opened).map_err(|_| ErrorData::invalid_params("requestState is not ours", None))
    }

    fn unseal(&self, place: &str, state: &str) -> Result<(), ErrorData> {
        if self.open(state)? == place {
            Ok(())
        } else {
            Err(ErrorData::invalid_params("requestState is of another tool", None))
        }
    }
}

/// A result that asks `questions`.
pub(crate) fn required<'a>(
    questions: impl IntoIterator<Item = (&'a str, InputRequest)>,
    state: Option<String>,
) -> InputRequiredResult {
    let questions: InputRequests =
        questions.into_iter().map(|(key, question)| (key.to_owned(), question)).collect();
    InputRequiredResult::new(Some(questions), state)
}

/// A form with one required field.
pub(crate) fn ask_user(message: &str, field: &str, kind: &str) -> Result<InputRequest, ErrorData> {
    let schema = json!({"type": "object", "properties": {field: {"type": kind}}, "required": [field]});
    Ok(InputRequest::Elicitation(ElicitRequest::new(form(message, schema)?)))
}

/// What the user put in `field` of the form `key`; nothing if the form was declined.
pub(crate) fn answer(given: Option<&Answers>, key: &str, field: &str) -> Option<Value> {
    let form = given?.get(key)?;
    let accepted = form.get("action").and_then(Value::as_str) == Some("accept");
    accepted.then(|| form.get("content")?.get(field).cloned()).flatten()
}

fn ask_name() -> Result<InputRequest, ErrorData> {
    ask_user("What is your name?", "name", "string")
}

fn ask_model(question: &str, max_tokens: u32) -> InputRequest {
    let message = CreateMessageRequestParams::new(vec![SamplingMessage::user_text(question)], max_tokens);
    InputRequest::CreateMessage(CreateMessageRequest::new(message))
}

fn ask_roots() -> InputRequest {
    InputRequest::ListRoots(ListRootsRequest::default())
}

fn roots(given: Option<&Answers>) -> Option<String> {
    let roots = given?.get("client_roots")?.get("roots")?.as_array()?;
    let uris: Vec<_> = roots.iter().filter_map(|root| root.get("uri")?.as_str()).collect();
    Some(uris.join(", "))
}

fn text(text: impl Into<String>) -> CallToolResponse {
    CallToolResult::success(vec![ContentBlock::text(text)]).into()
}
