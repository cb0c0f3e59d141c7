//! Taking tokens back (RFC 7009).
//!
//! | a client presents | what ends |
//! |---|---|
//! | its refresh token, used or not | the grant: every token of it, whoever asks for more |
//! | its access token | that token; the grant and its refresh token live on |
//! | anything else: unknown, ended, another client's, garbage | nothing, and it is told the same |
//!
//! `token_type_hint` is not needed, since tokens say what they are; a wrong one does no harm (RFC 7009 §2.1).

use std::sync::Arc;

use http::header::{CACHE_CONTROL, PRAGMA};
use http::{HeaderValue, Request, Response};
use mcp_core::Body;
use mcp_core::audit::Outcome;
use mcp_store::StoreError;

use crate::body::read_form;
use crate::client::Client;
use crate::engine::Engine;
use crate::grant::{self, Revoked};
use crate::wire::OAuthError;

/// Answers a request to take a token back: 200 without a body, whatever there was to do.
pub(super) async fn answer(engine: Arc<Engine>, request: Request<Body>) -> Response<Body> {
    match revoke(&engine, request).await {
        Ok(()) => {
            let mut response = Response::new(Body::empty());
            let headers = response.headers_mut();
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
            response
        }
        Err(error) => error.into_response(),
    }
}

async fn revoke(engine: &Engine, request: Request<Body>) -> Result<(), OAuthError> {
    let (head, params) = read_form(request).await?;
    let client = engine.clients.authenticate(engine, &head, &params).await?;
    let token = params.get("token").ok_or_else(|| OAuthError::invalid_request("token is missing"))?;
    take_back(engine, &client, token).await?;
    Ok(())
}

async fn take_back(engine: &Engine, client: &Client, token: &str) -> Result<(), StoreError> {
    let revoked = grant::revoke(engine, client, token).await?;
    if let Revoked::AnotherClients(subject) = revoked {
        let mut event = engine.event("revocation", Outcome::Denied).because("the token is another client's");
        event.client = Some(client.id.to_string());
        event.subject = Some(subject);
        engine.audit.record(event);
    }
    Ok(())
}
