//! Tools that matter for their input schema, and the one every client can use.

use std::sync::Arc;

use rmcp::model::{JsonObject, object};
use rmcp::{tool, tool_router};
use serde_json::{Value, json};

use crate::server::Everything;

#[tool_router(router = schema_tools, vis = "pub(crate)")]
impl Everything {
    #[tool(description = "Has a schema that uses what JSON Schema 2020-12 offers.", input_schema = contact_schema())]
    async fn json_schema_2020_12_tool(&self, arguments: JsonObject) -> String {
        format!("called with {}", Value::Object(arguments))
    }

    #[tool(description = "Has an argument that is mirrored in a header.", input_schema = mirrored_schema())]
    async fn test_custom_header(&self, arguments: JsonObject) -> String {
        format!("called with {}", Value::Object(arguments))
    }
}

fn contact_schema() -> Arc<JsonObject> {
    let wants =
        |kind: &str| json!({"properties": {"contactMethod": {"const": kind}}, "required": ["contactMethod"]});
    Arc::new(object(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
            },
        },
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": wants("phone"),
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": false,
    })))
}

fn mirrored_schema() -> Arc<JsonObject> {
    Arc::new(object(json!({
        "type": "object",
        "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
        "required": ["region"],
    })))
}
