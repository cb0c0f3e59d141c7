//! A request's way through a site.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body as HttpBody;
use tower_service::Service;

use crate::answer::{json, plain};
use crate::audit::{AuditEvent, EventKind, Outcome};
use crate::gate::{Admitted, Gate};
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
        self.0.clone().answer(request.map(Body::new))
    }
}

impl Shared {
    fn answer(self: Arc<Self>, request: Request<Body>) -> ResponseFuture {
        let now = |response| ResponseFuture::new(std::future::ready(response));
        let target = self.table.find(request.uri().path());
        if let Some(Target::Health) = target {
            return now(healthy());
        }
        if let Err(foreign) = self.guard.check_host(request.headers(), request.uri()) {
            return now(self.turn_away(&request, foreign));
        }
        match target {
            Some(Target::Protected { gate, service, path }) => {
                let origin = match self.guard.check_origin(request.headers()) {
                    Ok(origin) => origin.cloned(),
                    Err(foreign) => return now(self.turn_away(&request, foreign)),
                };
                if request.method() == Method::OPTIONS {
                    let methods = [Method::GET, Method::POST, Method::DELETE];
                    return now(with_cors(cors::options(request.headers(), &methods), origin.as_ref()));
                }
                protected(gate, service, path, request, origin)
            }
            Some(Target::Open(route)) => {
                let route = route.clone();
                ResponseFuture::new(async move { self.open(&route, request).await })
            }
            Some(Target::Health) | None => {
                // Clients in a browser probe for metadata; an answer they cannot read is a network error to them.
                let mut response = plain(StatusCode::NOT_FOUND, "there is nothing here");
                cors::allow_everybody(response.headers_mut());
                now(response)
            }
        }
    }

    async fn open(&self, route: &Route, request: Request<Body>) -> Response<Body> {
        let scripts = matches!(route.access(), Access::Public | Access::Client);
        let mut response = if request.method() == Method::OPTIONS && scripts {
            cors::options(request.headers(), route.methods())
        } else if !allows(route, request.method()) {
            not_allowed(route)
        } else if !scripts && !request.method().is_safe() {
            match self.guard.check_form(request.headers()) {
                Ok(()) => forward(route, request).await,
                Err(foreign) => return self.turn_away(&request, foreign),
            }
        } else {
            forward(route, request).await
        };
        if scripts {
            cors::allow_everybody(response.headers_mut());
        }
        response
    }

    fn turn_away(&self, request: &Request<Body>, foreign: Foreign) -> Response<Body> {
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
        let peer = request.extensions().get::<Connection>().map(|connection| connection.peer().ip());
        self.audit.record(
            AuditEvent::new(self.clock.now(), EventKind::Guard, Outcome::Denied)
                .on(request.uri().path().chars().take(200).collect::<String>())
                .from_address(peer)
                .because(reason),
        );
        response
    }
}

fn protected(
    gate: &Arc<Gate>,
    service: &BoxService,
    path: &Arc<str>,
    mut request: Request<Body>,
    origin: Option<HeaderValue>,
) -> ResponseFuture {
    if let Some(identity) = gate.admit_now(path, &mut request) {
        gate.record_admission(&request, &identity, None);
        return ResponseFuture::admitted(service.answer(request), gate.clone(), identity, origin);
    }
    let (gate, service, path) = (gate.clone(), service.clone(), path.clone());
    ResponseFuture::new(async move {
        let response = match gate.admit(&path, request).await {
            Ok(Admitted { request, identity, asked }) => {
                gate.record_admission(&request, &identity, asked);
                let Ok(response) = service.answer(request).await;
                gate.finish(&identity, response)
            }
            Err(refusal) => refusal,
        };
        with_cors(response, origin.as_ref())
    })
}

fn with_cors(mut response: Response<Body>, origin: Option<&HeaderValue>) -> Response<Body> {
    if let Some(origin) = origin {
        cors::allow(response.headers_mut(), origin);
    }
    response
}

async fn forward(route: &Route, request: Request<Body>) -> Response<Body> {
    let Ok(response) = route.service().answer(request).await;
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
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
