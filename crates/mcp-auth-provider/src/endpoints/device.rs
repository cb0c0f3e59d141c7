//! The verification page (RFC 8628 §3.3): GET asks for the code, with one filled in if the address has it; POST looks it up.
//!
//! A link elsewhere can lead to the question only (attack DV06), and the form of another page is refused before it is
//! read (attack DV07): so nobody's visitors guess for them, or use up what others may.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use mcp_core::Body;

use crate::browser::{CannotTell, Entered, Visit, enter, unavailable};
use crate::device::{Refused, UserCode};
use crate::engine::Engine;
use crate::pages::{Field, Page};

use super::{deadline, show, until};

/// Answers a request for the page, or a code that was typed into it.
pub(super) async fn answer(engine: Arc<Engine>, request: Request<Body>) -> Response<Body> {
    let deadline = deadline();
    let mut visit = match Visit::read(&engine, request).await {
        Ok(visit) => visit,
        Err(page) => return show(&engine, page),
    };
    if visit.is_head() {
        return show(&engine, Page::message("Connect a device", ""));
    }
    let typed = visit.params.get("user_code").filter(|_| !visit.params.is_any_repeated());
    let code = typed.and_then(UserCode::read);
    if visit.head.method != Method::POST {
        visit.browser_secret(&engine);
        let response = show(&engine, form(&engine, code.as_ref()));
        return visit.answer(response);
    }
    if let Err(wait) = engine.browser.begin(engine.now(), visit.address) {
        return show(&engine, wait_page("Too many requests came from this network.", wait));
    }
    let Some(code) = code else {
        // What looks like no code is no guess at one.
        return show(&engine, again(&engine, None, "A code has 8 or 12 letters, like WDJB-MJHT."));
    };
    match until(deadline, enter(&engine, &mut visit, &code)).await {
        Ok(Entered::Found(response)) => visit.answer(response),
        Ok(Entered::Unknown) => {
            let text = "There is no such code, or it has expired or was used. Compare it with what the device shows.";
            show(&engine, again(&engine, Some(&code), text))
        }
        Ok(Entered::Refused(Refused::Here(wait))) => {
            show(&engine, wait_page("Too many wrong codes came from here.", wait))
        }
        Ok(Entered::Refused(Refused::Everywhere(wait))) => {
            let text = "Too many wrong codes were typed in lately, so no code of this length is looked at. Start again \
                        on the device: it will show a longer one.";
            show(&engine, wait_page(text, wait))
        }
        Err(CannotTell) => visit.answer(show(&engine, unavailable())),
    }
}

fn form(engine: &Engine, code: Option<&UserCode>) -> Page {
    let field = Field::text("user_code", "Code").autocomplete("off").focus();
    Page::bare_form("Connect a device", engine.paths.device.as_str())
        .text("Type in the code that the device shows. Do so only if you have just started it yourself.")
        .field(field.value(code.map(UserCode::shown).unwrap_or_default()))
}

fn again(engine: &Engine, code: Option<&UserCode>, text: &str) -> Page {
    form(engine, code).error(text).status(StatusCode::BAD_REQUEST)
}

fn wait_page(text: &str, wait: Duration) -> Page {
    Page::message("Please wait", text)
        .status(StatusCode::TOO_MANY_REQUESTS)
        .retry_after(wait.as_secs().saturating_add(1))
}
