//! The routes of a sign-in: its forms, and where other servers send the browser back to.

use std::sync::Arc;

use http::{Request, Response, StatusCode};
use mcp_core::Body;

use crate::browser::{Begun, CannotTell, Visit, sign_in, stale, unavailable};
use crate::engine::Engine;
use crate::pages::Page;
use crate::sign_in::SignInRoute;

use super::{deadline, show, until};

/// Answers a request to a route of the sign-in, once it is certain whose transaction it is about.
pub(super) async fn answer(
    engine: Arc<Engine>,
    route: Arc<SignInRoute>,
    request: Request<Body>,
) -> Response<Body> {
    let deadline = deadline();
    let mut visit = match Visit::read(&engine, request).await {
        Ok(visit) => visit,
        Err(page) => return show(&engine, page),
    };
    if visit.is_head() {
        return show(&engine, Page::message("Sign in", ""));
    }
    if visit.params.is_any_repeated() {
        let text = "The address or form that led here says something twice.";
        return show(&engine, Page::message("This cannot be read", text).status(StatusCode::BAD_REQUEST));
    }
    match until(deadline, go(&engine, &mut visit, &route)).await {
        Ok(response) => visit.answer(response),
        // With its cookies: what was stored before is worth nothing without them.
        Err(CannotTell) => visit.answer(show(&engine, unavailable())),
    }
}

async fn go(engine: &Engine, visit: &mut Visit, route: &SignInRoute) -> Result<Response<Body>, CannotTell> {
    let handle = visit.params.get(route.transaction).unwrap_or_default();
    match Begun::load(engine, visit, handle).await? {
        Some(begun) => sign_in(engine, visit, begun, &route.path).await,
        None => Ok(show(engine, stale())),
    }
}
