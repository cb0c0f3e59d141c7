//! Tools that answer with one kind of content each.

use rmcp::model::{CallToolResult, ContentBlock, ResourceContents};
use rmcp::{tool, tool_router};

use crate::samples;
use crate::server::Everything;

#[tool_router(router = content_tools, vis = "pub(crate)")]
impl Everything {
    #[tool(description = "Answers with one text.")]
    async fn test_simple_text(&self) -> String {
        "This is a simple text response for testing.".to_owned()
    }

    #[tool(description = "Answers with one image.")]
    async fn test_image_content(&self) -> CallToolResult {
        CallToolResult::success(vec![ContentBlock::image(samples::PNG, "image/png")])
    }

    #[tool(description = "Answers with one sound.")]
    async fn test_audio_content(&self) -> CallToolResult {
        CallToolResult::success(vec![ContentBlock::audio(samples::WAV, "audio/wav")])
    }

    #[tool(description = "Answers with one embedded resource.")]
    async fn test_embedded_resource(&self) -> CallToolResult {
        let text = "This is an embedded resource content.";
        CallToolResult::success(vec![embedded("test://embedded-resource", "text/plain", text)])
    }

    #[tool(description = "Answers with a text, an image and an embedded resource.")]
    async fn test_multiple_content_types(&self) -> CallToolResult {
        CallToolResult::success(vec![
            ContentBlock::text("Multiple content types test:"),
            ContentBlock::image(samples::PNG, "image/png"),
            embedded("test://mixed-content-resource", "application/json", r#"{"test":"data","value":123}"#),
        ])
    }

    #[tool(description = "Always fails, as a tool fails: with a result the model can read.")]
    async fn test_error_handling(&self) -> CallToolResult {
        CallToolResult::error(vec![ContentBlock::text(
            "This tool intentionally returns an error for testing",
        )])
    }
}

fn embedded(uri: &str, mime_type: &str, text: &str) -> ContentBlock {
    ContentBlock::resource(ResourceContents::text(text, uri).with_mime_type(mime_type))
}
