//! The prompts.

use rmcp::ErrorData;
use rmcp::model::{
    ContentBlock, GetPromptRequestParams, GetPromptResponse, GetPromptResult, JsonObject, Prompt,
    PromptArgument, PromptMessage, ResourceContents, Role,
};
use serde_json::{Value, json};

use crate::input_required::{answer, ask_user, required};
use crate::samples;

/// What `prompts/list` shows.
pub(crate) fn list() -> Vec<Prompt> {
    let needs = |names: &[&str]| -> Vec<PromptArgument> {
        let argument = |name: &&str| {
            PromptArgument::new(*name).with_required(true).with_description(format!("The value of {name}"))
        };
        names.iter().map(argument).collect()
    };
    vec![
        Prompt::new("test_simple_prompt", Some("One text."), None),
        Prompt::new("test_prompt_with_arguments", Some("Two arguments."), Some(needs(&["arg1", "arg2"]))),
        Prompt::new("test_prompt_with_embedded_resource", Some("A resource."), Some(needs(&["resourceUri"]))),
        Prompt::new("test_prompt_with_image", Some("An image."), None),
        Prompt::new("test_input_required_result_prompt", Some("Asks before it answers."), None),
    ]
}

/// Whether there is a prompt of that name.
pub(crate) fn exists(name: &str) -> bool {
    list().iter().any(|prompt| prompt.name == name)
}

/// Answers `prompts/get`.
pub(crate) fn get(request: GetPromptRequestParams) -> Result<GetPromptResponse, ErrorData> {
    let arguments = request.arguments.unwrap_or_default();
    let messages = match request.name.as_str() {
        "test_simple_prompt" => vec![user("This is a simple prompt for testing.")],
        "test_prompt_with_arguments" => {
            let (first, second) = (argument(&arguments, "arg1")?, argument(&arguments, "arg2")?);
            vec![user(&format!("Prompt with arguments: arg1='{first}', arg2='{second}'"))]
        }
        "test_prompt_with_embedded_resource" => {
            let uri = argument(&arguments, "resourceUri")?;
            let resource = ResourceContents::text("Embedded resource content for testing.", uri);
            vec![
                PromptMessage::new(Role::User, ContentBlock::resource(resource.with_mime_type("text/plain"))),
                user("Please process the embedded resource above."),
            ]
        }
        "test_prompt_with_image" => vec![
            PromptMessage::new(Role::User, ContentBlock::image(samples::PNG, "image/png")),
            user("Please analyze the image above."),
        ],
        "test_input_required_result_prompt" => {
            let Some(context) = answer(request.input_responses.as_ref(), "user_context", "context") else {
                let question = ask_user("What context should the prompt use?", "context", "string")?;
                return Ok(required([("user_context", question)], None).into());
            };
            vec![user(&format!("Use this context: {}", context.as_str().unwrap_or_default()))]
        }
        other => {
            return Err(ErrorData::invalid_params(format!("there is no prompt `{other}`"), None));
        }
    };
    Ok(GetPromptResult::new(messages).into())
}

fn user(text: &str) -> PromptMessage {
    PromptMessage::new_text(Role::User, text)
}

fn argument<'a>(arguments: &'a JsonObject, name: &str) -> Result<&'a str, ErrorData> {
    arguments.get(name).and_then(Value::as_str).ok_or_else(|| {
        ErrorData::invalid_params(
            format!("the argument `{name}` is missing"),
            Some(json!({"argument": name})),
        )
    })
}
