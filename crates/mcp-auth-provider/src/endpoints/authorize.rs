//! The authorization endpoint (RFC 6749 §3.1; AUTH-56..68).
//!
//! Never by script of another page: there is no CORS here, and forms have to come from our own pages, so a POST of somebody
//! else's page is refused before it is read.

use std::sync::Arc;

use http::{Request, Response, StatusCode};
use mcp_core::audit::Outcome;
use mcp_core::{Body, random_id};

use crate::browser::{Begun, CannotTell, Place, Refusal, Visit, check, go_on, see_other, unavailable};
use crate::engine::Engine;
use crate::pages::Page;

use super::show;

/// Answers a request for authorization.
pub(super) async fn answer(engine: Arc<Engine>, request: Request<Body>) -> Response<Body> {
    let mut visit = match Visit::read(&engine, request).await {
        Ok(visit) => visit,
        Err(page) => return show(&engine, page),
    };
    if visit.is_head() {
        return show(&engine, Page::message("Sign in", ""));
    }
    if let Err(wait) = engine.browser.begin(engine.now(), visit.address) {
        let text = "Too many sign-ins were begun from this network. Try again in a few seconds.";
        let page = Page::message("Please wait", text).status(StatusCode::TOO_MANY_REQUESTS);
        return show(&engine, page.retry_after(wait.as_secs().saturating_add(1)));
    }
    match authorize(&engine, &mut visit).await {
        Ok(response) => visit.answer(response),
        Err(CannotTell) => show(&engine, unavailable()),
    }
}

async fn authorize(engine: &Engine, visit: &mut Visit) -> Result<Response<Body>, CannotTell> {
    let checked = match check(engine, &visit.params, false).await {
        Ok(checked) => checked,
        Err(refusal) => return refuse(engine, visit, refusal),
    };
    // A browser that must not be shown anything gets no cookie either.
    let secret = if checked.request.prompt.none {
        visit.known_browser_secret(engine).unwrap_or_else(random_id)
    } else {
        visit.browser_secret(engine)
    };
    let begun = Begun::new(engine, checked, &secret, visit.is_unprompted());
    go_on(engine, visit, begun, Place::Page).await
}

fn refuse(engine: &Engine, visit: &Visit, refusal: Refusal) -> Result<Response<Body>, CannotTell> {
    let mut event = engine.event("authorization_request", Outcome::Denied).from_address(visit.address);
    event.client = visit.params.get("client_id").map(|id| id.chars().take(200).collect());
    match refusal {
        Refusal::Local(reason) => {
            engine.audit.record(event.because(reason));
            let text = "The application that sent you here asked in a way that this server cannot answer.";
            let page = Page::message("This request cannot be answered", text);
            Ok(show(engine, page.text(format!("What is wrong: {reason}.")).status(StatusCode::BAD_REQUEST)))
        }
        Refusal::Unavailable => Err(CannotTell),
        Refusal::Back(location, error) => {
            engine.audit.record(event.because(format!("{}: {}", error.code, error.description)));
            Ok(see_other(&location))
        }
    }
}
