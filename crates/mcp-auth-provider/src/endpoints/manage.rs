//! Managing a registration (RFC 7592), at `{register}/client?client_id=…`. Routes are exact paths, so the client is named in
//! the query.

use std::net::IpAddr;
use std::sync::Arc;

use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use mcp_core::Body;
use mcp_core::audit::Outcome;
use serde_json::{Map, Value};

use super::register::{bearer, describe, document, invalid_metadata, invalid_token, narrowed, refused};
use crate::client::{ClientOrigin, Managed, Metadata, MetadataError, open_registration};
use crate::engine::Engine;
use crate::settings::Paths;
use crate::wire::{OAuthError, Params, no_store_json};

/// Members that only the server says (RFC 7592 §2.2).
const SERVERS: [&str; 4] = [
    "client_id_issued_at",
    "client_secret_expires_at",
    "registration_access_token",
    "registration_client_uri",
];

/// Where registrations are managed.
pub(super) fn path(paths: &Paths) -> String {
    format!("{}/client", paths.register.trim_end_matches('/'))
}

/// Answers a request to read, change or delete a registration.
pub(super) async fn answer(engine: Arc<Engine>, request: Request<Body>) -> Response<Body> {
    match managed(&engine, request).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

async fn managed(engine: &Engine, request: Request<Body>) -> Result<Response<Body>, OAuthError> {
    let (head, body) = request.into_parts();
    // Before the body is read, and whatever the method.
    let managed = open(engine, &head).await?;
    match head.method {
        Method::DELETE => delete(engine, managed).await,
        _ if managed.is_deleted() => Err(unknown()),
        Method::PUT => {
            replace(engine, managed, &document(&head, body).await?, engine.clients.address(&head)).await
        }
        _ => Ok(no_store_json(StatusCode::OK, &describe(engine, &managed.read()))),
    }
}

async fn open(engine: &Engine, head: &Parts) -> Result<Managed, OAuthError> {
    let query = head.uri.query().unwrap_or_default();
    let params = Params::parse(query.as_bytes()).map_err(OAuthError::invalid_request)?;
    if params.is_any_repeated() {
        return Err(OAuthError::invalid_request("a parameter stands there twice"));
    }
    let token = bearer(head)?.ok_or_else(unknown)?;
    match open_registration(engine, token, params.get("client_id")).await? {
        Some(managed) => Ok(managed),
        None => {
            let address = engine.clients.address(head);
            let event = engine.event("client_managed", Outcome::Denied).from_address(address);
            engine.audit.record(event.because("the registration access token is not the client's"));
            Err(unknown())
        }
    }
}

async fn replace(
    engine: &Engine,
    managed: Managed,
    document: &Map<String, Value>,
    address: Option<IpAddr>,
) -> Result<Response<Body>, OAuthError> {
    let wrong = |what| Err(invalid_metadata(MetadataError::invalid(what)));
    let Some(registrar) = engine.clients.registrar() else { return Err(unknown()) };
    if SERVERS.iter().any(|name| document.contains_key(*name)) {
        return wrong("the metadata has a member that only the server may say");
    }
    if document.get("client_id").and_then(Value::as_str) != Some(managed.client_id()) {
        return wrong("client_id is missing or another client's");
    }
    match document.get("client_secret") {
        None | Some(Value::Null) => {}
        Some(Value::String(secret)) if managed.has_secret(secret) => {}
        Some(_) => return wrong("a client cannot choose its own secret"),
    }
    let metadata =
        Metadata::read(document, engine.clients.rules(ClientOrigin::Registered)).map_err(invalid_metadata)?;
    let metadata = narrowed(engine, metadata).map_err(invalid_metadata)?;
    match managed.replace(engine, registrar, metadata, address).await.map_err(refused)? {
        Some(registered) => Ok(no_store_json(StatusCode::OK, &describe(engine, &registered))),
        None => Err(changed_meanwhile()),
    }
}

async fn delete(engine: &Engine, managed: Managed) -> Result<Response<Body>, OAuthError> {
    if !managed.delete(engine).await? {
        return Err(changed_meanwhile());
    }
    let mut response = no_store_json(StatusCode::NO_CONTENT, &Value::Null);
    response.headers_mut().remove(http::header::CONTENT_TYPE);
    *response.body_mut() = Body::empty();
    Ok(response)
}

/// RFC 7592 §2: the same for a wrong token, another client's, and a client that is no more.
fn unknown() -> OAuthError {
    invalid_token("the registration access token is missing, wrong, or another client's")
}

fn changed_meanwhile() -> OAuthError {
    OAuthError::new(StatusCode::CONFLICT, "temporarily_unavailable", "the registration was changed meanwhile")
}
