//! Telling resource servers what a token is worth (RFC 7662).
//!
//! Who may ask: clients that prove who they are, and of these
//! - those that the operator says are [resource servers](crate::ResourceServer), about access tokens for their resources;
//! - any about access tokens that were issued to itself.
//!
//! Everything else gets one and the same answer, `{"active":false}`: tokens that are unknown, have expired, were revoked or
//! cannot be read, those for other resources, and refresh tokens, which nobody but this server has any use for. What a sign-in
//! lets tools know is not told.
//!
//! The answers are not signed (RFC 9701): they go over TLS to who asked, are used at once and kept by nobody.

use std::sync::Arc;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA};
use http::{HeaderValue, Request, Response, StatusCode};
use mcp_core::Body;
use mcp_core::audit::Outcome;
use serde::Serialize;
use serde_json::Value;

use crate::body::read_params;
use crate::client::Client;
use crate::engine::Engine;
use crate::grant::{self, TokenFacts};
use crate::wire::{OAuthError, Params, no_store_json};

/// Answers a question about a token.
pub(super) async fn answer(engine: Arc<Engine>, request: Request<Body>) -> Response<Body> {
    match introspect(&engine, request).await {
        Ok(Some(facts)) => no_store_json(StatusCode::OK, &active(&engine, &facts)),
        Ok(None) => inactive(),
        Err(error) => error.into_response(),
    }
}

async fn introspect(engine: &Engine, request: Request<Body>) -> Result<Option<TokenFacts>, OAuthError> {
    let (head, body) = request.into_parts();
    let (params, too_long) = match read_params(&head, body).await {
        Ok(params) => (params, None),
        // A token that is too long is not ours: who proves itself in a header is told so like of any other (attack IN03).
        Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => (Params::default(), Some(error)),
        Err(error) => return Err(error),
    };
    let client = match (engine.clients.authenticate(engine, &head, &params).await, too_long) {
        (Ok(client), None) => client,
        (Ok(client), Some(_)) if !client.is_public() => return Ok(None),
        (_, Some(too_long)) => return Err(too_long),
        (Err(error), None) => return Err(error),
    };
    if client.is_public() {
        return Err(OAuthError::invalid_client("who introspects has to prove who it is", false));
    }
    let token = params.get("token").ok_or_else(|| OAuthError::invalid_request("token is missing"))?;
    let Some(facts) = grant::facts(engine, token).await? else { return Ok(None) };
    if may_ask(engine, &client, &facts) {
        return Ok(Some(facts));
    }
    let mut event = engine.event("introspection", Outcome::Denied);
    event.client = Some(client.id.to_string());
    engine.audit.record(event.on(facts.resource).because("the token is not for a resource of the caller"));
    Ok(None)
}

fn may_ask(engine: &Engine, client: &Client, facts: &TokenFacts) -> bool {
    facts.client == client.id.as_str()
        || engine.resource_servers.iter().any(|server| server.may_ask(client.id.as_str(), &facts.resource))
}

/// RFC 7662 §2.2, RFC 9449 §6.2, RFC 8693 §4.1.
#[derive(Serialize)]
struct Active<'a> {
    active: bool,
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    client_id: &'a str,
    iat: u64,
    exp: u64,
    jti: &'a str,
    token_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<u64>,
    #[serde(skip_serializing_if = "String::is_empty")]
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<Confirmation<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<&'a Value>,
}

#[derive(Serialize)]
struct Confirmation<'a> {
    jkt: &'a str,
}

fn active<'a>(engine: &'a Engine, facts: &'a TokenFacts) -> Active<'a> {
    Active {
        active: true,
        iss: engine.issuer.as_str(),
        sub: &facts.subject,
        aud: &facts.resource,
        client_id: &facts.client,
        iat: facts.issued_at.as_secs(),
        exp: facts.expires_at.as_secs(),
        jti: &facts.id,
        token_type: if facts.jkt.is_some() { "DPoP" } else { "Bearer" },
        auth_time: facts.authenticated_at.map(mcp_core::Timestamp::as_secs),
        scope: facts.scopes.to_string(),
        cnf: facts.jkt.as_deref().map(|jkt| Confirmation { jkt }),
        act: facts.act.as_ref(),
    }
}

/// The same bytes whatever the reason.
fn inactive() -> Response<Body> {
    let mut response = Response::new(Body::from(r#"{"active":false}"#));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}
