//! The consent page: GET goes on with a transaction wherever it stands, POST is an answer to the page.

use std::sync::Arc;

use http::{Method, Request, Response};
use mcp_core::Body;

use crate::browser::{Begun, CannotTell, Place, Visit, decide, go_on, stale, unavailable};
use crate::engine::Engine;
use crate::pages::Page;

use super::{deadline, show, until};

/// Answers a request for the page, or an answer to it.
pub(super) async fn answer(engine: Arc<Engine>, request: Request<Body>) -> Response<Body> {
    let deadline = deadline();
    let mut visit = match Visit::read(&engine, request).await {
        Ok(visit) => visit,
        Err(page) => return show(&engine, page),
    };
    if visit.is_head() {
        return show(&engine, Page::message("Consent", ""));
    }
    match until(deadline, consent(&engine, &mut visit)).await {
        Ok(response) => visit.answer(response),
        // With its cookies: what was stored before is worth nothing without them.
        Err(CannotTell) => visit.answer(show(&engine, unavailable())),
    }
}

async fn consent(engine: &Engine, visit: &mut Visit) -> Result<Response<Body>, CannotTell> {
    let handle = visit.params.get("tx").filter(|_| !visit.params.is_any_repeated()).unwrap_or_default();
    let Some(begun) = Begun::load(engine, visit, handle).await? else { return Ok(show(engine, stale())) };
    if visit.head.method == Method::POST {
        decide(engine, visit, begun).await
    } else {
        go_on(engine, visit, begun, Place::Page).await
    }
}
