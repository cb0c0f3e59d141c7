//! What a client is told when it does not get what it asked for: RFC 6749 §5.2 and its relatives, as JSON.

use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use mcp_core::Body;
use mcp_store::StoreError;

/// An error answer. The description is ours, word for word: what a peer sent cannot get into it.
#[derive(Clone, Debug)]
pub(crate) struct OAuthError {
    code: &'static str,
    status: StatusCode,
    description: &'static str,
    // Two at most. A map would be so large that every function that can fail would carry it around.
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl OAuthError {
    /// Any error.
    pub(crate) fn new(status: StatusCode, code: &'static str, description: &'static str) -> Self {
        Self { code, status, description, headers: Vec::new() }
    }

    /// 400 `invalid_request`.
    pub(crate) fn invalid_request(description: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", description)
    }

    /// 401 `invalid_client`. `basic` says whether the client tried HTTP Basic: only then a challenge is due (RFC 6749 §5.2).
    pub(crate) fn invalid_client(description: &'static str, basic: bool) -> Self {
        let mut error = Self::new(StatusCode::UNAUTHORIZED, "invalid_client", description);
        if basic {
            let challenge = HeaderValue::from_static("Basic realm=\"token endpoint\", charset=\"UTF-8\"");
            error = error.with_header(WWW_AUTHENTICATE, challenge);
        }
        error
    }

    /// 400 `invalid_grant`.
    pub(crate) fn invalid_grant(description: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_grant", description)
    }

    /// 400 `unauthorized_client`.
    pub(crate) fn unauthorized_client(description: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "unauthorized_client", description)
    }

    /// 400 `invalid_scope`.
    pub(crate) fn invalid_scope(description: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_scope", description)
    }

    /// 400 `invalid_target` (RFC 8707 §2).
    pub(crate) fn invalid_target(description: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_target", description)
    }

    /// 503 `temporarily_unavailable`: we cannot tell, and nothing the client holds is worth less for it.
    pub(crate) fn unavailable(retry_after: Duration) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", "try again in a moment")
            .with_retry_after(retry_after)
    }

    /// 429 `slow_down` in the manner of HTTP: too many of something.
    pub(crate) fn too_many(description: &'static str, retry_after: Duration) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable", description)
            .with_retry_after(retry_after)
    }

    /// Says when to come back.
    pub(crate) fn with_retry_after(self, span: Duration) -> Self {
        let seconds = u64::try_from(span.as_millis().div_ceil(1000)).unwrap_or(u64::MAX);
        self.with_header(RETRY_AFTER, HeaderValue::from(seconds.max(1)))
    }

    /// Adds a header.
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.retain(|(own, _)| *own != name);
        self.headers.push((name, value));
        self
    }

    /// The `error`.
    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    /// The `error_description`.
    pub(crate) fn description(&self) -> &'static str {
        self.description
    }

    /// The status.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// The answer.
    pub(crate) fn into_response(self) -> Response<Body> {
        let body = serde_json::json!({ "error": self.code, "error_description": self.description });
        let mut response = no_store_json(self.status, &body);
        response.headers_mut().extend(self.headers);
        response
    }
}

/// A store that cannot be asked is no verdict on what the client holds.
impl From<StoreError> for OAuthError {
    fn from(error: StoreError) -> Self {
        tracing::warn!(error = %error, source = error.source_text(), "the store did not answer");
        Self::unavailable(Duration::from_secs(2))
    }
}

/// Answers with JSON that nobody may keep.
pub(crate) fn no_store_json(status: StatusCode, body: &impl serde::Serialize) -> Response<Body> {
    let mut response = Response::new(Body::from(serde_json::to_vec(body).unwrap_or_default()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

/// What is behind a store's error, for the log.
trait SourceText {
    fn source_text(&self) -> Option<String>;
}

impl SourceText for StoreError {
    fn source_text(&self) -> Option<String> {
        std::error::Error::source(self).map(ToString::to_string)
    }
}
