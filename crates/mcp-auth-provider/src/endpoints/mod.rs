//! The endpoints, one a file.

mod authorize;
mod consent;
mod device;
mod device_authorization;
mod introspect;
mod jwks;
mod manage;
mod metadata;
mod par;
mod register;
mod revoke;
mod sign_in;
mod sign_out;
#[cfg(test)]
mod tests;
mod token;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response};
use mcp_core::{Access, Body, BoxService, Route};
use tokio::time::Instant;

use crate::browser::CannotTell;
use crate::engine::Engine;
use crate::metrics;
use crate::pages::Page;
use crate::sign_in::SignInRoute;
use crate::wire::OAuthError;

/// How long an answer may take, body and store included: then it is 503, and nothing the client holds is worth less for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// How long a page may take: less than [`PATIENCE`], which ends a visit without the cookies it has set.
const PATIENCE_OF_PAGES: Duration = Duration::from_secs(9);

/// All routes of a running server.
pub(crate) fn routes(engine: &Arc<Engine>) -> Vec<Route> {
    let paths = &engine.paths;
    let page = [Method::GET, Method::POST];
    let mut routes = vec![
        route(engine, &paths.authorize, page.clone(), Access::Browser, authorize::answer),
        route(engine, &paths.consent, page.clone(), Access::Browser, consent::answer),
        route(engine, &paths.introspect, [Method::POST], Access::Client, introspect::answer),
        route(engine, &paths.jwks, [Method::GET], Access::Public, jwks::answer),
        route(engine, &paths.par, [Method::POST], Access::Client, par::answer),
        route(engine, &paths.revoke, [Method::POST], Access::Client, revoke::answer),
        route(engine, &paths.sign_out, page, Access::Browser, sign_out::answer),
        route(engine, &paths.token, [Method::POST], Access::Client, token::answer),
    ];
    if engine.device_grant {
        let (begin, page) = (&paths.device_authorization, [Method::GET, Method::POST]);
        routes.push(route(engine, begin, [Method::POST], Access::Client, device_authorization::answer));
        routes.push(route(engine, &paths.device, page, Access::Browser, device::answer));
    }
    if let Some(registrar) = engine.clients.registrar() {
        routes.push(route(engine, &paths.register, [Method::POST], Access::Client, register::answer));
        if registrar.config.is_manageable() {
            let methods = [Method::GET, Method::PUT, Method::DELETE];
            routes.push(route(engine, &manage::path(paths), methods, Access::Client, manage::answer));
        }
    }
    routes.extend(engine.sign_in.routes().into_iter().map(|own| sign_in_route(engine, own)));
    routes.extend(metadata::routes(engine, &routes));
    routes
}

/// A route of the sign-in, behind the check whose transaction it is about.
fn sign_in_route(engine: &Arc<Engine>, own: SignInRoute) -> Route {
    let (path, methods) = (own.path.clone(), own.methods.clone());
    let (engine, own) = (engine.clone(), Arc::new(own));
    let service =
        BoxService::from_fn(move |request| in_time(sign_in::answer(engine.clone(), own.clone(), request)));
    Route::new(path, methods, Access::Browser, service)
}

/// The answer that shows a page.
fn show(engine: &Engine, page: Page) -> Response<Body> {
    engine.pages.answer(engine.url.path(), page)
}

/// A route whose service shares the engine.
fn route<F, Fut>(
    engine: &Arc<Engine>,
    path: &str,
    methods: impl IntoIterator<Item = Method>,
    access: Access,
    answer: F,
) -> Route
where
    F: Fn(Arc<Engine>, Request<Body>) -> Fut + Copy + Send + Sync + 'static,
    Fut: Future<Output = Response<Body>> + Send + 'static,
{
    let (engine, name): (_, Arc<str>) = (engine.clone(), path.into());
    let service = BoxService::from_fn(move |request| {
        let (answer, name) = (answer(engine.clone(), request), name.clone());
        async move {
            let response = in_time(answer).await;
            metrics::answered(&name, response.status());
            response
        }
    });
    Route::new(path, methods, access, service)
}

/// When a page that is asked for now has to be there.
fn deadline() -> Instant {
    Instant::now() + PATIENCE_OF_PAGES
}

/// What comes of a visit, or that we cannot tell by then.
async fn until<T>(
    deadline: Instant,
    work: impl Future<Output = Result<T, CannotTell>>,
) -> Result<T, CannotTell> {
    tokio::time::timeout_at(deadline, work).await.unwrap_or(Err(CannotTell))
}

/// The answer, or that there is none at the moment: whatever hangs (a store, a sign-in elsewhere, a body that trickles in) must
/// not hang the client.
async fn in_time(answer: impl Future<Output = Response<Body>>) -> Response<Body> {
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(response) => response,
        Err(_) => OAuthError::unavailable(Duration::from_secs(5)).into_response(),
    }
}
