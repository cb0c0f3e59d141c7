//! The answer of the token endpoint (RFC 6749 §5.1).

use std::fmt;

use http::{Response, StatusCode};
use mcp_core::{Body, Timestamp};
use serde::{Deserialize, Serialize};

use crate::wire::no_store_json;

/// Tokens on their way to the client.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct TokenAnswer {
    pub(crate) access_token: String,
    /// `Bearer` or `DPoP`.
    pub(crate) token_type: String,
    #[serde(with = "crate::as_text::millis")]
    pub(crate) expires_at: Timestamp,
    pub(crate) scope: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refresh_token: Option<String>,
    /// Only for token exchange (RFC 8693 §2.2.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) issued_token_type: Option<String>,
}

impl fmt::Debug for TokenAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenAnswer").field("scope", &self.scope).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Wire<'a> {
    access_token: &'a str,
    token_type: &'a str,
    expires_in: u64,
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_token_type: Option<&'a str>,
}

impl TokenAnswer {
    /// The answer at this moment: a repeated one says how long is left.
    pub(crate) fn into_response(self, now: Timestamp) -> Response<Body> {
        let wire = Wire {
            access_token: &self.access_token,
            token_type: &self.token_type,
            expires_in: self.expires_at.since(now).as_secs(),
            scope: &self.scope,
            refresh_token: self.refresh_token.as_deref(),
            issued_token_type: self.issued_token_type.as_deref(),
        };
        no_store_json(StatusCode::OK, &wire)
    }
}
