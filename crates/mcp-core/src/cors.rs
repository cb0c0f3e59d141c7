//! Cross-origin access for browser clients (the Fetch standard's CORS protocol), and the answer to `OPTIONS`.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ALLOW, VARY,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use crate::Body;

/// What scripts must be able to read to sign in and to keep a session.
const EXPOSED: &str = "WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, Retry-After, DPoP-Nonce";

/// What scripts may send, beside what they ask for by name.
const ALLOWED: &str = "Authorization, Content-Type, Accept, MCP-Protocol-Version, Mcp-Session-Id, Last-Event-ID, \
                       Mcp-Method, Mcp-Name, DPoP";

/// Lets scripts of this origin read the answer. Cookies stay out: `Access-Control-Allow-Credentials` is never sent.
pub(crate) fn allow(headers: &mut HeaderMap, origin: &HeaderValue) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    headers.append(VARY, HeaderValue::from_static("Origin"));
}

/// Lets scripts of any origin read the answer.
pub(crate) fn allow_everybody(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
}

/// The answer to `OPTIONS`: needs no token, because a browser sends none with a preflight.
pub(crate) fn options(request: &HeaderMap, methods: &[Method]) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let list: Vec<&str> = methods.iter().map(Method::as_str).chain(["OPTIONS"]).collect();
    let list = HeaderValue::try_from(list.join(", ")).unwrap_or(HeaderValue::from_static("OPTIONS"));
    let headers = response.headers_mut();
    headers.insert(ALLOW, list.clone());
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, list);
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200"));
    let mut allowed = ALLOWED.to_owned();
    // `Mcp-Param-*` names come from tools' schemas, so they cannot be listed beforehand.
    let asked = request.get_all(ACCESS_CONTROL_REQUEST_HEADERS).iter().filter_map(|v| v.to_str().ok());
    for name in asked.flat_map(|line| line.split(',')).map(str::trim) {
        if name.len() <= 64
            && name.to_ascii_lowercase().starts_with("mcp-param-")
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && allowed.len() < 4096
        {
            allowed.push_str(", ");
            allowed.push_str(name);
        }
    }
    if let Ok(value) = HeaderValue::try_from(allowed) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, value);
    }
    headers.append(VARY, HeaderValue::from_static("Access-Control-Request-Headers"));
    response
}
