//! A request's way through a site.

use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body as HttpBody;
use tower_service::Service;

use crate::audit::{AuditEvent, EventKind, Outcome};
use crate::gate::{json, plain};
use crate::guard::Foreign;
use crate::layer::ResponseFuture;
use crate::{Access, Body, BoxError, BoxService, Connection, Route, cors};

use super::table::Target;
use super::{Shared, Site};

impl<B> Service<Request<B>> for Site
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        let shared = self.0.clone();
        let request = request.map(Body::new);
        ResponseFuture::new(async move { shared.answer(request).await })
    }
}

impl Shared {
    async fn answer(self: Arc<Self>, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let target = self.table.find(parts.uri.path());
        if let Some(Target::Health) = target {
            return healthy();
        }
        if let Err(foreign) = self.guard.check_host(&parts) {
            return self.turn_away(&parts, foreign);
        }
        match target {
            Some(Target::Protected { gate, service, path }) => {
                let origin = match self.guard.check_origin(&parts.headers) {
                    Ok(origin) => origin.cloned(),
                    Err(foreign) => return self.turn_away(&parts, foreign),
                };
                let mut response = if parts.method == Method::OPTIONS {
                    cors::options(&parts.headers, &[Method::GET, Method::POST, Method::DELETE])
                } else {
                    match gate.admit(path, Request::from_parts(parts, body)).await {
                        Ok(admitted) => {
                            gate.record_admission(&admitted);
                            let response = forward(service.clone(), admitted.request).await;
                            gate.finish(&admitted.identity, response)
                        }
                        Err(refusal) => refusal,
                    }
                };
                if let Some(origin) = origin {
                    cors::allow(response.headers_mut(), &origin);
                }
                response
            }
            Some(Target::Open(route)) => self.open(route, parts, body).await,
            Some(Target::Health) | None => plain(StatusCode::NOT_FOUND, "there is nothing here"),
        }
    }

    async fn open(&self, route: &Route, parts: Parts, body: Body) -> Response<Body> {
        let scripts = matches!(route.access(), Access::Public | Access::Client);
        let mut response = if parts.method == Method::OPTIONS && scripts {
            cors::options(&parts.headers, route.methods())
        } else if !allows(route, &parts.method) {
            not_allowed(route)
        } else if !scripts && !parts.method.is_safe() {
            match self.guard.check_form(&parts.headers) {
                Ok(()) => forward(route.service().clone(), Request::from_parts(parts, body)).await,
                Err(foreign) => return self.turn_away(&parts, foreign),
            }
        } else {
            forward(route.service().clone(), Request::from_parts(parts, body)).await
        };
        if scripts {
            cors::allow_everybody(response.headers_mut());
        }
        response
    }

    fn turn_away(&self, parts: &Parts, foreign: Foreign) -> Response<Body> {
        let (response, reason) = match foreign {
            Foreign::MalformedHost => {
                let text = "the Host header is missing, there twice, or contradicts the request line";
                (plain(StatusCode::BAD_REQUEST, text), text)
            }
            Foreign::Host => {
                let text = "this server does not answer for the host in the request; its operator can add it with allow_host";
                (plain(StatusCode::MISDIRECTED_REQUEST, text), text)
            }
            Foreign::Origin => {
                let text =
                    "pages of this origin may not use this server; its operator can add it with allow_origin";
                let body = serde_json::json!({
                    "jsonrpc": "2.0", "id": null, "error": { "code": -31403, "message": text },
                });
                (json(StatusCode::FORBIDDEN, body.to_string()), text)
            }
        };
        let peer = parts
            .extensions
            .get::<Connection>()
            .map(|connection| connection.peer().ip());
        self.audit.record(
            AuditEvent::new(self.clock.now(), EventKind::Guard, Outcome::Denied)
                .on(parts.uri.path().chars().take(200).collect::<String>())
                .from_address(peer)
                .because(reason),
        );
        response
    }
}

async fn forward(mut service: BoxService, request: Request<Body>) -> Response<Body> {
    let Ok(()) = poll_fn(|cx| service.poll_ready(cx)).await;
    let Ok(response) = service.call(request).await;
    response
}

fn allows(route: &Route, method: &Method) -> bool {
    route.methods().contains(method) || (method == Method::HEAD && route.methods().contains(&Method::GET))
}

fn not_allowed(route: &Route) -> Response<Body> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "this method does nothing here");
    let list: Vec<&str> = route.methods().iter().map(Method::as_str).collect();
    if let Ok(value) = HeaderValue::try_from(list.join(", ")) {
        response.headers_mut().insert(ALLOW, value);
    }
    response
}

fn healthy() -> Response<Body> {
    let mut response = plain(StatusCode::OK, "ok");
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
