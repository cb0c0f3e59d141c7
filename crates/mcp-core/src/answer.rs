//! Answers the chain gives itself, beside refusals of credentials.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};

use crate::Body;
use crate::policy::Contradiction;

/// A sentence for whoever reads it.
pub(crate) fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// A JSON document.
pub(crate) fn json(status: StatusCode, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn rpc_error(status: StatusCode, id: Option<&str>, code: i32, message: &str) -> Response<Body> {
    let message = serde_json::Value::from(message);
    let id = id.unwrap_or("null");
    json(status, format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":{message}}}}}"#))
}

/// The answer to a body that cannot be judged.
pub(crate) fn unreadable(contradiction: Contradiction, id: Option<&str>) -> Response<Body> {
    let code = match contradiction {
        Contradiction::Headers => -32020,
        Contradiction::NotJsonRpc(code) => code,
    };
    rpc_error(StatusCode::BAD_REQUEST, id, code, why_unreadable(contradiction))
}

/// The same in words.
pub(crate) fn why_unreadable(contradiction: Contradiction) -> &'static str {
    match contradiction {
        Contradiction::Headers => {
            "Header mismatch: the Mcp-Method and Mcp-Name headers must stand there once and say what the body says"
        }
        Contradiction::NotJsonRpc(_) => "the body is not a JSON-RPC message that can be judged",
    }
}

/// The answer to a session id that is unknown, or known in other hands: nobody can tell which.
pub(crate) fn unknown_session() -> Response<Body> {
    // Own codes stay outside the reserved range (spec TR-20).
    rpc_error(StatusCode::NOT_FOUND, None, -31404, "Session not found")
}

/// The challenge as the result of a tool call, in the form of [`ChallengeForm::ToolResult`](crate::policy::ChallengeForm).
pub(crate) fn sign_in_as_tool_result(id: &str, challenge: &str) -> Response<Body> {
    let result = serde_json::json!({
        "resultType": "complete",
        "isError": true,
        "content": [{ "type": "text", "text": "Sign in to use this tool." }],
        "_meta": { "mcp/www_authenticate": [challenge] },
    });
    json(StatusCode::OK, format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#))
}
