//! The token endpoint (RFC 6749 §3.2).

use std::sync::Arc;

use http::request::Parts;
use http::{Request, Response, StatusCode};
use mcp_core::Body;

use crate::body::read_form;
use crate::client::GrantType;
use crate::dpop::DPOP_NONCE;
use crate::engine::Engine;
use crate::grant::{self, TokenAnswer};
use crate::wire::{OAuthError, Params};

/// Answers a request for tokens.
pub(super) async fn answer(engine: Arc<Engine>, request: Request<Body>) -> Response<Body> {
    match asked(&engine, request).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

async fn asked(engine: &Engine, request: Request<Body>) -> Result<Response<Body>, OAuthError> {
    let (head, params) = read_form(request).await?;
    if let Some(keys) = &engine.keys {
        keys.keep_up().await?;
    }
    let answer = tokens(engine, &head, &params).await?;
    let bound = answer.token_type == "DPoP";
    let mut response = answer.into_response(engine.now());
    // RFC 9449 §8.2: the next proof can have a fresh nonce without a round trip for it.
    if bound && let Some(nonce) = engine.dpop.nonce(engine) {
        response.headers_mut().insert(DPOP_NONCE, nonce);
    }
    Ok(response)
}

/// What is asked for, by grant. Who asks is made sure of first, then which key they hold.
async fn tokens(engine: &Engine, head: &Parts, params: &Params) -> Result<TokenAnswer, OAuthError> {
    let asked =
        params.get("grant_type").ok_or_else(|| OAuthError::invalid_request("grant_type is missing"))?;
    let grant = offered(engine).find(|grant| grant.name() == asked).ok_or_else(unsupported)?;
    if grant == GrantType::JwtBearer {
        grant::is_profile_known(params)?;
    }
    let client = engine.clients.authenticate(engine, head, params).await?;
    let key = engine.dpop.prove(engine, head, &engine.paths.token, &client)?;
    let key = key.as_ref();
    match grant {
        GrantType::AuthorizationCode => grant::redeem(engine, &client, params, key).await,
        GrantType::RefreshToken => grant::refresh(engine, &client, params, key).await,
        GrantType::ClientCredentials => grant::client_credentials(engine, &client, params, key).await,
        GrantType::TokenExchange => grant::exchange(engine, &client, params, key).await,
        GrantType::JwtBearer => grant::id_jag(engine, &client, params, key).await,
        GrantType::DeviceCode => grant::poll(engine, &client, params, key).await,
    }
}

/// The grants that are answered here; their names are `grant_types_supported` (RFC 8414 §2).
pub(super) fn offered(engine: &Engine) -> impl Iterator<Item = GrantType> {
    let always = [
        GrantType::AuthorizationCode,
        GrantType::RefreshToken,
        GrantType::ClientCredentials,
        GrantType::TokenExchange,
    ];
    // Where nobody's assertions are taken, they are not known at all.
    always
        .into_iter()
        .chain(engine.device_grant.then_some(GrantType::DeviceCode))
        .chain((!engine.idps.is_empty()).then_some(GrantType::JwtBearer))
}

fn unsupported() -> OAuthError {
    OAuthError::new(
        StatusCode::BAD_REQUEST,
        "unsupported_grant_type",
        "this server does not know the grant_type",
    )
}
