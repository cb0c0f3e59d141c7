//! What the server says of itself (RFC 8414), at every place a client looks (AUTH-46, AUTH-47).
//!
//! For `https://host/path` these are, at the origin, `/.well-known/oauth-authorization-server/path` and
//! `/.well-known/openid-configuration/path`; below the path, `/path/.well-known/…` of both; and the same without the path, as
//! a proxy that strips it passes them on. Clients of 2025-03-26 look there too (AUTH-90).
//!
//! The document is made once, from the public URL and the routes that exist: no header of a request can change it (attack
//! MD02), and no endpoint is named that is not there (attack MD06).
//!
//! There are no ID tokens here. `OpenID` Connect Discovery 1.0 §3 nevertheless demands three members without which parsers of
//! its schema refuse the whole document: at its places it says so by an empty list of algorithms, one kind of subject, and a
//! key set, which is empty where tokens are opaque.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Response};
use mcp_core::{Access, Body, BoxService, Route, Scopes};
use serde_json::{Map, Value, json};

use crate::client::GrantType;
use crate::engine::Engine;

const OAUTH: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";

/// The documents of a server that answers to these routes.
pub(super) fn routes(engine: &Engine, others: &[Route]) -> Vec<Route> {
    let oauth = document(engine, others);
    let openid = as_openid(engine, oauth.clone());
    let path = engine.url.path();
    let mut routes = Vec::new();
    for (well_known, document) in [(OAUTH, oauth), (OPENID, openid)] {
        let service = service(&document);
        if !path.is_empty() {
            let place = format!("{well_known}{path}");
            routes.push(Route::new(place, [Method::GET], Access::Public, service.clone()).at_origin());
        }
        routes.push(Route::new(well_known, [Method::GET], Access::Public, service));
    }
    routes
}

/// RFC 8414 §2, with RFC 9126, RFC 9207, RFC 8628 and the draft of client ID metadata documents.
fn document(engine: &Engine, others: &[Route]) -> Map<String, Value> {
    let paths = &engine.paths;
    let has = |path: &str| others.iter().any(|route| route.path() == path);
    let methods = engine.clients.auth_methods();
    let mut document = Map::new();
    let mut say = |name: &str, value: Value| document.insert(name.to_owned(), value);

    say("issuer", json!(engine.issuer.as_str()));
    for (name, path) in [
        ("authorization_endpoint", &paths.authorize),
        ("token_endpoint", &paths.token),
        ("registration_endpoint", &paths.register),
        ("revocation_endpoint", &paths.revoke),
        ("introspection_endpoint", &paths.introspect),
        ("pushed_authorization_request_endpoint", &paths.par),
        ("device_authorization_endpoint", &paths.device_authorization),
    ] {
        if has(path) {
            say(name, json!(engine.url.join(path)));
        }
    }
    if engine.keys.is_some() {
        say("jwks_uri", json!(engine.url.join(&paths.jwks)));
    }
    say("response_types_supported", json!(["code"]));
    say("response_modes_supported", json!(["query"]));
    let grants: Vec<&str> = super::token::offered(engine).map(GrantType::name).collect();
    say("grant_types_supported", json!(grants));
    if grants.contains(&GrantType::JwtBearer.name()) {
        // Spec EXT-EMA-11.
        say("authorization_grant_profiles_supported", json!(["urn:ietf:params:oauth:grant-profile:id-jag"]));
    }
    say("dpop_signing_alg_values_supported", json!(engine.dpop.algorithms()));
    say("code_challenge_methods_supported", json!(["S256"]));
    say("token_endpoint_auth_methods_supported", json!(methods));
    say("revocation_endpoint_auth_methods_supported", json!(methods));
    // Who introspects has to prove who it is (RFC 7662 §2.1).
    let proven: Vec<&str> = methods.iter().copied().filter(|method| *method != "none").collect();
    if !proven.is_empty() {
        say("introspection_endpoint_auth_methods_supported", json!(proven));
    }
    let algorithms = engine.clients.assertion_algorithms();
    if methods.contains(&"private_key_jwt") && !algorithms.is_empty() {
        for endpoint in ["token", "revocation", "introspection"] {
            let name = format!("{endpoint}_endpoint_auth_signing_alg_values_supported");
            say(&name, json!(algorithms));
        }
    }
    let scopes = scopes(engine);
    if !scopes.is_empty() {
        say("scopes_supported", json!(scopes));
    }
    if engine.pushed_only {
        say("require_pushed_authorization_requests", json!(true));
    }
    if has(&paths.authorize) {
        say("authorization_response_iss_parameter_supported", json!(true));
    }
    if engine.clients.takes_documents() {
        say("client_id_metadata_document_supported", json!(true));
    }
    document
}

/// What parsers of `OpenID` Connect Discovery 1.0 §3 demand besides.
fn as_openid(engine: &Engine, mut document: Map<String, Value>) -> Map<String, Value> {
    document.insert("jwks_uri".to_owned(), json!(engine.url.join(&engine.paths.jwks)));
    document.insert("subject_types_supported".to_owned(), json!(["public"]));
    document.insert("id_token_signing_alg_values_supported".to_owned(), json!([]));
    document
}

/// Every scope that can be granted.
fn scopes(engine: &Engine) -> Vec<String> {
    let resources = engine.resources.iter();
    let all = resources.fold(Scopes::none(), |all, resource| all.union(&engine.scopes.of(resource)));
    let mut names: Vec<String> = all.iter().map(ToString::to_string).collect();
    // Unlike in a resource's metadata (attack MD04), it belongs here: it is this server that gives refresh tokens for it.
    if engine.offline_only && !names.iter().any(|name| name == OFFLINE_ACCESS) {
        names.push(OFFLINE_ACCESS.to_owned());
    }
    names
}

const OFFLINE_ACCESS: &str = "offline_access";

fn service(document: &Map<String, Value>) -> BoxService {
    let text = Bytes::from(serde_json::to_vec(document).unwrap_or_default());
    BoxService::from_fn(move |_| {
        let mut response = Response::new(Body::from(text.clone()));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
        async { response }
    })
}
