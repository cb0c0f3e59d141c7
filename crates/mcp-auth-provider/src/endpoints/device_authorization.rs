//! Where a device begins (RFC 8628 §3.1). What it asks for is checked as [`authorize`](super::authorize) would, and fixed: a poll
//! adds nothing to it (attack DV09).

use std::sync::Arc;

use http::{Request, Response, StatusCode};
use mcp_core::Body;
use mcp_core::audit::Outcome;
use serde_json::json;

use crate::body::read_form;
use crate::browser::access;
use crate::client::GrantType;
use crate::device::{self, Started};
use crate::engine::Engine;
use crate::grant::INTERVAL;
use crate::wire::{OAuthError, no_store_json};

/// Answers a device.
pub(super) async fn answer(engine: Arc<Engine>, request: Request<Body>) -> Response<Body> {
    match begun(&engine, request).await {
        Ok(Started { device_code, user_code }) => {
            let page = engine.url.join(&engine.paths.device);
            let body = json!({
                "device_code": device_code.expose(),
                "user_code": user_code.shown(),
                "verification_uri_complete": format!("{page}?user_code={}", user_code.shown()),
                "verification_uri": page,
                "expires_in": engine.lifetimes.device.as_secs(),
                "interval": INTERVAL.as_secs(),
            });
            no_store_json(StatusCode::OK, &body)
        }
        Err(error) => error.into_response(),
    }
}

async fn begun(engine: &Engine, request: Request<Body>) -> Result<Started, OAuthError> {
    let (head, params) = read_form(request).await?;
    let client = engine.clients.authenticate(engine, &head, &params).await?;
    if !client.may(GrantType::DeviceCode) {
        return Err(OAuthError::unauthorized_client("the client did not register for the device grant"));
    }
    let address = engine.clients.address(&head);
    if client.is_public()
        && let Err(wait) = engine.browser.begin_unproven(engine.now(), address)
    {
        return Err(OAuthError::too_many("too many devices were begun from this network", wait));
    }
    let (resources, scopes) = access(engine, &client, &params)
        .map_err(|error| OAuthError::new(StatusCode::BAD_REQUEST, error.code, error.description))?;
    let started = device::begin(engine, &client, resources, scopes).await?;
    let mut event = engine.event("device_code_issued", Outcome::Allowed).from_address(address);
    event.client = Some(client.id.to_string());
    engine.audit.record(event);
    Ok(started)
}
