//! The authorization endpoint (RFC 6749 §3.1; AUTH-56..68).
//!
//! Never by script of another page: there is no CORS here, and forms have to come from our own pages, so a POST of somebody
//! else's page is refused before it is read.

use std::sync::Arc;

use http::{Request, Response, StatusCode};
use mcp_core::audit::Outcome;
use mcp_core::{Body, random_id};
use mcp_store::Partition;

use crate::browser::{
    Begun, CannotTell, Checked, Place, PushedRequest, REQUEST_URI, Refusal, Visit, check, go_on, see_other,
    unavailable,
};
use crate::engine::Engine;
use crate::pages::Page;

use super::{deadline, show, until};

/// Answers a request for authorization.
pub(super) async fn answer(engine: Arc<Engine>, request: Request<Body>) -> Response<Body> {
    let deadline = deadline();
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
    match until(deadline, authorize(&engine, &mut visit)).await {
        Ok(response) => visit.answer(response),
        // With its cookies: what was stored before is worth nothing without them.
        Err(CannotTell) => visit.answer(show(&engine, unavailable())),
    }
}

async fn authorize(engine: &Engine, visit: &mut Visit) -> Result<Response<Body>, CannotTell> {
    let (checked, kept_in) = match read(engine, visit).await {
        Ok(read) => read,
        Err(refusal) => return refuse(engine, visit, refusal),
    };
    // A browser that must not be shown anything gets no cookie either.
    let secret = if checked.request.prompt.none {
        visit.known_browser_secret(engine).unwrap_or_else(random_id)
    } else {
        visit.browser_secret(engine)
    };
    let begun = Begun::new(engine, checked, &secret, visit.is_unprompted(), kept_in.as_ref());
    go_on(engine, visit, begun, Place::Page).await
}

/// The request, checked; and where it is kept, if it was pushed. Then nothing that stands beside the reference counts (RFC
/// 9126 §4, attack PA09), and it is checked once more: the client may have changed meanwhile.
async fn read(engine: &Engine, visit: &Visit) -> Result<(Checked, Option<Partition>), Refusal> {
    let params = &visit.params;
    let Some(reference) = params.get("request_uri").filter(|uri| uri.starts_with(REQUEST_URI)) else {
        return Ok((check(engine, params, false, visit.address).await?, None));
    };
    if params.is_repeated("client_id") || params.is_repeated("request_uri") {
        return Err(Refusal::Local("client_id or request_uri stands there twice"));
    }
    let id = params.get("client_id").ok_or(Refusal::Local("the client_id is missing"))?;
    let pushed = PushedRequest::find(engine, id, reference).await.map_err(|error| {
        tracing::warn!(%error, "the store did not answer for a pushed request");
        Refusal::Unavailable
    })?;
    let reason = "the request_uri is unknown, is another client's, has expired or was used";
    let pushed = pushed.ok_or(Refusal::Local(reason))?;
    Ok((check(engine, &pushed.params, true, visit.address).await?, Some(pushed.partition)))
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
