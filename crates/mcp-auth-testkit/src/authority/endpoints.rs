//! The HTTP side of a token authority.

use std::sync::Arc;

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use mcp_core::Body;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use super::{Endpoint, RAW, Recorded, Shared};
use crate::Server;

pub(super) fn serve(listener: TcpListener, shared: Arc<Shared>) -> Server {
    Server::start_fallible(listener, move |request| {
        let shared = shared.clone();
        async move { shared.answer(request).await }
    })
}

impl Shared {
    async fn answer(&self, request: Request<Body>) -> Option<Response<Body>> {
        let (parts, body) = request.into_parts();
        let Some(endpoint) = self.endpoint(parts.uri.path()) else {
            return Some(empty(StatusCode::NOT_FOUND));
        };
        let body = body.collect().await.ok()?.to_bytes();
        let recorded =
            Recorded { method: parts.method, target: parts.uri.to_string(), headers: parts.headers, body };
        let (behaviour, hold, headers) = {
            let mut state = self.state();
            state.recorded.entry(endpoint).or_default().push(recorded.clone());
            (
                state.behaviours.get(&endpoint).cloned().unwrap_or_default(),
                state.holds.get(&endpoint).cloned(),
                state.headers.get(&endpoint).cloned().unwrap_or_default(),
            )
        };
        self.arrivals.send_replace(());
        if let Some(mut hold) = hold {
            // An error means that the hold is gone, which releases as well.
            let _ = hold.wait_for(|released| *released).await;
        }
        let mut response = behaviour.answer(|| self.right_answer(endpoint, &recorded))?;
        for (name, value) in headers {
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
                response.headers_mut().insert(name, value);
            }
        }
        Some(response)
    }

    fn endpoint(&self, path: &str) -> Option<Endpoint> {
        let own = &self.path;
        if path == format!("{own}/jwks") {
            Some(Endpoint::Jwks)
        } else if path == format!("{own}/introspect") {
            Some(Endpoint::Introspection)
        // OpenID Connect appends, RFC 8414 §3.1 inserts; clients try both forms of the first.
        } else if path == format!("{own}/.well-known/openid-configuration")
            || path == format!("/.well-known/openid-configuration{own}")
        {
            Some(Endpoint::OpenidConfiguration)
        } else if path == format!("/.well-known/oauth-authorization-server{own}") {
            Some(Endpoint::AuthorizationServer)
        } else {
            None
        }
    }

    fn right_answer(&self, endpoint: Endpoint, request: &Recorded) -> Response<Body> {
        let method = if endpoint == Endpoint::Introspection { Method::POST } else { Method::GET };
        if request.method != method {
            return empty(StatusCode::METHOD_NOT_ALLOWED);
        }
        match endpoint {
            Endpoint::Jwks => document(&self.jwks()),
            Endpoint::OpenidConfiguration | Endpoint::AuthorizationServer => document(&self.discovery()),
            Endpoint::Introspection => {
                let mut response = document(&self.introspect(request));
                let no_store = HeaderValue::from_static("no-store");
                response.headers_mut().insert(CACHE_CONTROL, no_store);
                response
            }
        }
    }

    fn discovery(&self) -> Value {
        let issuer = &self.issuer;
        let mut document = json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/jwks"),
            "introspection_endpoint": format!("{issuer}/introspect"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256"],
            "code_challenge_methods_supported": ["S256"],
        });
        for (name, value) in &self.state().metadata {
            if let Value::Object(members) = &mut document {
                if value.is_null() {
                    members.remove(name);
                } else {
                    members.insert(name.clone(), value.clone());
                }
            }
        }
        document
    }

    /// RFC 7662 §2.2: what is known of a token, or only that it is not active.
    fn introspect(&self, request: &Recorded) -> Value {
        let form = request.form();
        let token = form.iter().find(|(name, _)| name == "token").map_or("", |(_, value)| value.as_str());
        let known: Option<Map<String, Value>> = self.state().opaque.get(token).cloned();
        let Some(mut claims) = known else {
            return json!({ "active": false });
        };
        if let Some(raw) = claims.remove(RAW) {
            return raw;
        }
        let expired =
            claims.get("exp").and_then(Value::as_u64).is_some_and(|exp| exp <= self.clock.now().as_secs());
        if expired {
            return json!({ "active": false });
        }
        claims.insert("active".into(), json!(true));
        claims.entry("token_type").or_insert_with(|| json!("Bearer"));
        Value::Object(claims)
    }
}

fn document(value: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(value.to_string()));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
