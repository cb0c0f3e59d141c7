//! Pushed authorization requests (RFC 9126): what a client would have sent by way of the browser, it sends itself, and proves
//! itself with it. The browser then carries a reference.
//!
//! It is checked as [`authorize`](super::authorize) would, by the same function; what is wrong is said here, as JSON, and no
//! browser is sent anywhere.

use std::net::IpAddr;
use std::sync::Arc;

use http::{Request, Response, StatusCode};
use mcp_core::Body;
use mcp_core::audit::Outcome;
use serde_json::json;

use crate::body::read_form;
use crate::browser::{PushedRequest, Refusal, check};
use crate::client::{Client, ClientOrigin};
use crate::dpop::{self, DPOP, DPOP_NONCE, ProvenKey};
use crate::engine::Engine;
use crate::wire::{OAuthError, Params, no_store_json};

/// What proves the client and is no part of its request.
const CREDENTIALS: [&str; 3] = ["client_secret", "client_assertion", "client_assertion_type"];

/// Answers a pushed request.
pub(super) async fn answer(engine: Arc<Engine>, request: Request<Body>) -> Response<Body> {
    match pushed(&engine, request).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

async fn pushed(engine: &Engine, request: Request<Body>) -> Result<Response<Body>, OAuthError> {
    let (head, params) = read_form(request).await?;
    let client = engine.clients.authenticate(engine, &head, &params).await?;
    let address = engine.clients.address(&head);
    // Whoever registers itself has a proof as well, and nobody's trust.
    if client.origin != ClientOrigin::Operator
        && let Err(wait) = engine.browser.begin_unproven(engine.now(), address)
    {
        return Err(OAuthError::too_many("too many requests were pushed from this network", wait));
    }
    // Here a proof binds the code, and may be missing; whether tokens have to be bound is asked when they are given.
    let key = match head.headers.contains_key(DPOP) {
        true => engine.dpop.prove(engine, &head, &engine.paths.par, &client)?,
        false => None,
    };
    let kept = match request_of(engine, &client, &params, key.as_ref(), address).await {
        Ok(kept) => kept,
        Err(error) => {
            let mut event = engine.event("authorization_request", Outcome::Denied).from_address(address);
            event.client = Some(client.id.to_string());
            engine.audit.record(event.because(format!("{}: {}", error.code(), error.description())));
            return Err(error);
        }
    };
    dpop::spend(engine, key.as_ref()).await?;
    let request_uri = PushedRequest::keep(engine, &client, &kept).await?;
    let body = json!({ "request_uri": request_uri, "expires_in": engine.lifetimes.pushed.as_secs() });
    let mut response = no_store_json(StatusCode::CREATED, &body);
    if key.is_some()
        && let Some(nonce) = engine.dpop.nonce(engine)
    {
        response.headers_mut().insert(DPOP_NONCE, nonce);
    }
    Ok(response)
}

/// The request as it is to be kept: checked, of the client that proved itself, and bound to the key that it proved.
async fn request_of(
    engine: &Engine,
    client: &Client,
    params: &Params,
    key: Option<&ProvenKey>,
    address: Option<IpAddr>,
) -> Result<Params, OAuthError> {
    if params.get("request_uri").is_some() {
        return Err(OAuthError::invalid_request("a pushed request cannot refer to another"));
    }
    let is_kept = |name: &str| name != "client_id" && !CREDENTIALS.contains(&name);
    let mut pairs = vec![("client_id".to_owned(), client.id.to_string())];
    pairs.extend(params.pairs().iter().filter(|(name, _)| is_kept(name)).cloned());
    match (params.get("dpop_jkt"), key.map(ProvenKey::jkt)) {
        (Some(named), Some(proven)) if named != proven => {
            // RFC 9449 §10.1.
            let text = "dpop_jkt names another key than the proof has";
            return Err(OAuthError::new(StatusCode::BAD_REQUEST, "invalid_dpop_proof", text));
        }
        (None, Some(proven)) => pairs.push(("dpop_jkt".to_owned(), proven.to_owned())),
        _ => {}
    }
    let kept = Params::from_pairs(pairs);
    match check(engine, &kept, true, address).await {
        Ok(_) => Ok(kept),
        Err(Refusal::Local(reason)) => Err(OAuthError::invalid_request(reason)),
        Err(Refusal::Unavailable) => Err(OAuthError::unavailable(std::time::Duration::from_secs(2))),
        Err(Refusal::Back(_, error)) => {
            Err(OAuthError::new(StatusCode::BAD_REQUEST, error.code, error.description))
        }
    }
}
