//! The token endpoint (RFC 6749 §3.2).

use std::sync::Arc;

use http::request::Parts;
use http::{Request, Response, StatusCode};
use mcp_core::Body;

use crate::body::read_form;
use crate::dpop::DPOP_NONCE;
use crate::engine::Engine;
use crate::grant::{self, TokenAnswer};
use crate::wire::{OAuthError, Params};

/// What is answered here, for the metadata.
pub(super) const GRANT_TYPES: &[&str] = &[
    "authorization_code",
    "refresh_token",
    "client_credentials",
    "urn:ietf:params:oauth:grant-type:token-exchange",
];

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
    let grant = Grant::named(asked).ok_or_else(unsupported)?;
    let client = engine.clients.authenticate(engine, head, params).await?;
    let key = engine.dpop.prove(engine, head, &engine.paths.token, &client)?;
    let key = key.as_ref();
    match grant {
        Grant::Code => grant::redeem(engine, &client, params, key).await,
        Grant::Refresh => grant::refresh(engine, &client, params, key).await,
        Grant::Exchange => grant::exchange(engine, &client, params, key).await,
        Grant::ClientCredentials => grant::client_credentials(engine, &client, params, key).await,
    }
}

/// The grants this endpoint knows.
#[derive(Clone, Copy)]
enum Grant {
    Code,
    Refresh,
    ClientCredentials,
    /// RFC 8693.
    Exchange,
}

impl Grant {
    /// By its `grant_type`, byte for byte.
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "authorization_code" => Self::Code,
            "refresh_token" => Self::Refresh,
            "client_credentials" => Self::ClientCredentials,
            "urn:ietf:params:oauth:grant-type:token-exchange" => Self::Exchange,
            _ => return None,
        })
    }
}

fn unsupported() -> OAuthError {
    OAuthError::new(
        StatusCode::BAD_REQUEST,
        "unsupported_grant_type",
        "this server does not know the grant_type",
    )
}
