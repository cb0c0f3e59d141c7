//! The endpoints, one a file.

mod manage;
mod register;
mod token;

use std::future::Future;
use std::sync::Arc;

use http::{Method, Request, Response};
use mcp_core::{Access, Body, BoxService, Route};

use crate::engine::Engine;

/// All routes of a running server.
pub(crate) fn routes(engine: &Arc<Engine>) -> Vec<Route> {
    let paths = &engine.paths;
    let mut routes = vec![route(engine, &paths.token, [Method::POST], Access::Client, token::answer)];
    if let Some(registrar) = engine.clients.registrar() {
        routes.push(route(engine, &paths.register, [Method::POST], Access::Client, register::answer));
        if registrar.config.is_manageable() {
            let methods = [Method::GET, Method::PUT, Method::DELETE];
            routes.push(route(engine, &manage::path(paths), methods, Access::Client, manage::answer));
        }
    }
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
    let engine = engine.clone();
    Route::new(path, methods, access, BoxService::from_fn(move |request| answer(engine.clone(), request)))
}
