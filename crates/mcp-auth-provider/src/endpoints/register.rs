//! The registration endpoint (RFC 7591 §3).

use std::sync::Arc;

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use mcp_core::Body;
use mcp_core::audit::Outcome;
use serde_json::{Map, Value};

use crate::body::{is_type, read};
use crate::client::{
    self, ClientAuthentication, ClientOrigin, GrantType, Metadata, MetadataError, RegisterError, Registered,
};
use crate::engine::Engine;
use crate::wire::{OAuthError, no_store_json};

/// The most bytes the metadata of a client may have: what fits into one record, with room for ours.
pub(super) const MAX_METADATA: usize = 48 * 1024;

/// Answers a registration.
pub(super) async fn answer(engine: Arc<Engine>, request: Request<Body>) -> Response<Body> {
    match registered(&engine, request).await {
        Ok(registered) => no_store_json(StatusCode::CREATED, &describe(&engine, &registered)),
        Err(error) => error.into_response(),
    }
}

async fn registered(engine: &Engine, request: Request<Body>) -> Result<Registered, OAuthError> {
    let (head, body) = request.into_parts();
    let Some(registrar) = engine.clients.registrar() else {
        return Err(OAuthError::new(StatusCode::FORBIDDEN, "access_denied", "clients cannot register here"));
    };
    let address = engine.clients.address(&head);
    if registrar.config.needs_token() {
        let known = bearer(&head)?.is_some_and(|token| registrar.config.knows_token(token));
        if !known {
            let event = engine.event("client_registered", Outcome::Denied).from_address(address);
            engine.audit.record(event.because("the initial access token is missing or wrong"));
            return Err(invalid_token("an initial access token is needed to register"));
        }
    }
    let document = document(&head, body).await?;
    let rules = engine.clients.rules(ClientOrigin::Registered);
    let metadata = Metadata::read(&document, rules).map_err(invalid_metadata)?;
    let metadata = narrowed(engine, metadata).map_err(invalid_metadata)?;
    client::register(engine, registrar, metadata, address).await.map_err(refused)
}

/// Reads the JSON object that a client is described by.
pub(super) async fn document(head: &Parts, body: Body) -> Result<Map<String, Value>, OAuthError> {
    if !is_type(head, "application/json") {
        return Err(OAuthError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "invalid_client_metadata",
            "the body must be application/json",
        ));
    }
    let bytes = read(body, MAX_METADATA).await?;
    mcp_auth_jwt::strict_json_object(&bytes).ok_or_else(|| {
        invalid_metadata(MetadataError::invalid("the body is no JSON object, or has a member twice"))
    })
}

/// Of the scopes a client names, those there are. They say what it will ask for, not what it may have: clients register with
/// what they need first, and ask for more by step-up. Of the grants, those that are answered here.
///
/// # Errors
/// When no grant is left by which a user could be asked.
pub(super) fn narrowed(engine: &Engine, mut metadata: Metadata) -> Result<Metadata, MetadataError> {
    if !engine.device_grant {
        metadata.grant_types.retain(|grant| *grant != GrantType::DeviceCode);
        if metadata.grant_types.iter().all(|grant| *grant == GrantType::RefreshToken) {
            return Err(MetadataError::invalid("grant_types has none that this server answers"));
        }
    }
    if let Some(scope) = &metadata.scope {
        let known: Vec<String> =
            engine.resources.iter().map(|resource| resource.identifier().to_owned()).collect();
        let known = engine.grantable(&known);
        let kept = scope.iter().filter(|scope| known.contains(scope) || scope.as_str() == "offline_access");
        metadata.scope = Some(kept.cloned().collect());
    }
    Ok(metadata)
}

/// What the client is told (RFC 7591 §3.2.1).
pub(super) fn describe(engine: &Engine, registered: &Registered) -> Map<String, Value> {
    let client = &registered.client;
    let mut members = registered.metadata.effective();
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    put("client_id", client.id.as_str().into());
    put("client_id_issued_at", client.created_at.as_secs().into());
    if let Some(secret) = &registered.secret {
        put("client_secret", secret.clone().into());
    }
    if let ClientAuthentication::Secret { expires_at, .. } = &client.authentication {
        // Zero: not by itself.
        put("client_secret_expires_at", expires_at.map_or(0, |at| at / 1000).into());
    }
    if let Some(token) = &registered.token {
        put("registration_access_token", token.expose().into());
        let path = super::manage::path(&engine.paths);
        put("registration_client_uri", format!("{}?client_id={}", engine.url.join(&path), client.id).into());
    }
    members
}

/// The bearer token of a request, from its header and nowhere else (attack DR10).
pub(super) fn bearer(head: &Parts) -> Result<Option<&str>, OAuthError> {
    let mut values = head.headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(OAuthError::invalid_request("there is more than one Authorization header"));
    }
    let token = value.to_str().ok().and_then(|value| value.split_once(' '));
    Ok(token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim()))
}

/// 401 `invalid_token` (RFC 6750 §3.1).
pub(super) fn invalid_token(description: &'static str) -> OAuthError {
    OAuthError::new(StatusCode::UNAUTHORIZED, "invalid_token", description)
        .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer error=\"invalid_token\""))
}

/// 400 with the code that fits (RFC 7591 §3.2.2).
pub(super) fn invalid_metadata(error: MetadataError) -> OAuthError {
    OAuthError::new(StatusCode::BAD_REQUEST, error.code, error.description)
}

/// Why a registration that was in order was not carried out.
pub(super) fn refused(error: RegisterError) -> OAuthError {
    match error {
        RegisterError::Policy => {
            invalid_metadata(MetadataError::invalid("this server's policy does not allow such a client"))
        }
        RegisterError::TooLarge => invalid_metadata(MetadataError::invalid("the metadata is too large")),
        RegisterError::Full(span) => OAuthError::too_many("too many clients were registered", span),
        RegisterError::Store(error) => error.into(),
    }
}
