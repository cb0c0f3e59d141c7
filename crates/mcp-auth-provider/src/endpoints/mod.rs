//! The endpoints, one a file.

mod introspect;
mod jwks;
mod manage;
mod metadata;
mod register;
mod revoke;
#[cfg(test)]
mod tests;
mod token;

use std::future::Future;
use std::sync::Arc;

use http::{Method, Request, Response};
use mcp_core::{Access, Body, BoxService, Route};

use crate::engine::Engine;
use crate::metrics;

/// All routes of a running server.
pub(crate) fn routes(engine: &Arc<Engine>) -> Vec<Route> {
    let paths = &engine.paths;
    let mut routes = vec![
        route(engine, &paths.introspect, [Method::POST], Access::Client, introspect::answer),
        route(engine, &paths.jwks, [Method::GET], Access::Public, jwks::answer),
        route(engine, &paths.revoke, [Method::POST], Access::Client, revoke::answer),
        route(engine, &paths.token, [Method::POST], Access::Client, token::answer),
    ];
    if engine.clients.registrar().is_some() {
        routes.push(route(engine, &paths.register, [Method::POST], Access::Client, register::answer));
    }
    routes.extend(metadata::routes(engine, &routes));
    routes
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
            let response = answer.await;
            metrics::answered(&name, response.status());
            response
        }
    });
    Route::new(path, methods, access, service)
}
