//! The token endpoint (RFC 6749 §3.2).

use std::sync::Arc;

use http::{Request, Response};
use mcp_core::Body;

use crate::body::read_form;
use crate::engine::Engine;
use crate::grant::{self, TokenAnswer};
use crate::wire::OAuthError;

/// What is answered here, for the metadata.
pub(super) const GRANT_TYPES: &[&str] = &["authorization_code", "refresh_token"];

/// Answers a request for tokens.
pub(super) async fn answer(engine: Arc<Engine>, request: Request<Body>) -> Response<Body> {
    match tokens(&engine, request).await {
        Ok(answer) => answer.into_response(engine.now()),
        Err(error) => error.into_response(),
    }
}

async fn tokens(engine: &Engine, request: Request<Body>) -> Result<TokenAnswer, OAuthError> {
    let (head, params) = read_form(request).await?;
    if let Some(keys) = &engine.keys {
        keys.keep_up().await?;
    }
    let grant_type =
        params.get("grant_type").ok_or_else(|| OAuthError::invalid_request("grant_type is missing"))?;
    match grant_type {
        "authorization_code" => {
            let client = engine.clients.authenticate(engine, &head, &params).await?;
            grant::redeem(engine, &client, &params, None).await
        }
        "refresh_token" => {
            let client = engine.clients.authenticate(engine, &head, &params).await?;
            grant::refresh(engine, &client, &params, None).await
        }
        _ => Err(OAuthError::new(
            http::StatusCode::BAD_REQUEST,
            "unsupported_grant_type",
            "this server does not know the grant_type",
        )),
    }
}
