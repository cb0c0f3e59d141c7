//! Signing out: the browser does not stay signed in. A link elsewhere can only lead to the question (attack UI04).

use std::sync::Arc;

use http::{Method, Request, Response};
use mcp_core::Body;

use crate::browser::{CannotTell, Session, Visit, unavailable};
use crate::engine::Engine;
use crate::pages::Page;

use super::{deadline, show, until};

/// Asks, or does it.
pub(super) async fn answer(engine: Arc<Engine>, request: Request<Body>) -> Response<Body> {
    let deadline = deadline();
    let mut visit = match Visit::read(&engine, request).await {
        Ok(visit) => visit,
        Err(page) => return show(&engine, page),
    };
    if visit.head.method != Method::POST {
        let page = Page::bare_form("Sign out of this browser?", engine.paths.sign_out.as_str())
            .text("Applications that you allowed to act for you keep their access.")
            .submit("Sign out");
        return show(&engine, page);
    }
    let ended = async { Session::end(&engine, &mut visit).await.map_err(CannotTell::from) };
    match until(deadline, ended).await {
        Ok(()) => {
            let text = "This browser is not signed in any more.";
            visit.answer(show(&engine, Page::message("You are signed out", text)))
        }
        // With its cookies: what was stored before is worth nothing without them.
        Err(CannotTell) => visit.answer(show(&engine, unavailable())),
    }
}
