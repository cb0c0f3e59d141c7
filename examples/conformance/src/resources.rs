//! The resources and the template.

use rmcp::ErrorData;
use rmcp::model::{ReadResourceResponse, ReadResourceResult, Resource, ResourceContents, ResourceTemplate};
use serde_json::json;

use crate::samples;

const TEXT: &str = "test://static-text";
const BINARY: &str = "test://static-binary";
const WATCHED: &str = "test://watched-resource";

/// What `resources/list` shows.
pub(crate) fn list() -> Vec<Resource> {
    let resource = |uri, name, mime_type, description| {
        Resource::new(uri, name).with_mime_type(mime_type).with_description(description)
    };
    vec![
        resource(TEXT, "Static text", "text/plain", "A text that never changes."),
        resource(BINARY, "Static binary", "image/png", "An image that never changes."),
        resource(WATCHED, "Watched resource", "text/plain", "A text to subscribe to."),
    ]
}

/// What `resources/templates/list` shows.
pub(crate) fn templates() -> Vec<ResourceTemplate> {
    let template = ResourceTemplate::new("test://template/{id}/data", "Template")
        .with_mime_type("application/json")
        .with_description("Data for any id.");
    vec![template]
}

/// Reads `uri`; an unknown one is an error that names it.
pub(crate) fn read(uri: &str) -> Result<ReadResourceResponse, ErrorData> {
    let (contents, mime_type) = match uri {
        TEXT => {
            (ResourceContents::text("This is the content of the static text resource.", uri), "text/plain")
        }
        BINARY => (ResourceContents::blob(samples::PNG, uri), "image/png"),
        WATCHED => (ResourceContents::text("Watched resource content", uri), "text/plain"),
        _ => (ResourceContents::text(templated(uri).ok_or_else(|| unknown(uri))?, uri), "application/json"),
    };
    Ok(ReadResourceResult::new(vec![contents.with_mime_type(mime_type)]).into())
}

fn templated(uri: &str) -> Option<String> {
    let id = uri.strip_prefix("test://template/")?.strip_suffix("/data")?;
    (!id.is_empty() && !id.contains('/'))
        .then(|| json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")}).to_string())
}

fn unknown(uri: &str) -> ErrorData {
    ErrorData::resource_not_found("there is no such resource", Some(json!({"uri": uri})))
}
