//! A user typed a code: from there to sign-in and consent.

use http::Response;
use mcp_core::Body;
use mcp_core::audit::Outcome as Decided;
use mcp_store::Batch;

use crate::client::ClientError;
use crate::device::{self, Guess, Origin, Refused, UserCode};
use crate::engine::Engine;
use crate::sign_in::ConsentOrder;

use super::consent;
use super::flow::CannotTell;
use super::redirect::see_other;
use super::request::{AuthorizationRequest, Checked};
use super::session::Session;
use super::transaction::Begun;
use super::visit::Visit;

/// What became of a code that somebody typed.
pub(crate) enum Entered {
    /// It leads somewhere, and the browser goes there.
    Found(Response<Body>),
    /// It leads nowhere.
    Unknown,
    /// It was not looked at.
    Refused(Refused),
}

/// Looks a code up, within what may be guessed, and begins a transaction with what it leads to.
///
/// Of two browsers that have the code, each gets a transaction of its own, and the first that has an answer counts.
pub(crate) async fn enter(
    engine: &Engine,
    visit: &mut Visit,
    code: &UserCode,
) -> Result<Entered, CannotTell> {
    // Not before it is asked whether it has one: a new cookie each time would be a new browser each time.
    let browser = visit.known_browser_secret(engine);
    let account = match engine.sign_in.order() {
        ConsentOrder::AfterSignIn => Session::find(engine, visit).await?.map(|session| session.user.subject),
        ConsentOrder::BeforeSignIn => None,
    };
    let origin = Origin { address: visit.address, browser: browser.as_deref(), account: account.as_deref() };
    let event = |outcome| {
        let mut event = engine.event("user_code", outcome).from_address(visit.address);
        event.subject.clone_from(&account);
        event
    };
    let guess: Guess = match device::guess(engine, code, origin).await? {
        Ok(guess) => guess,
        Err(refused) => {
            engine.audit.record(event(Decided::Denied).because("too many wrong codes"));
            return Ok(Entered::Refused(refused));
        }
    };
    let Some((record, partition)) = device::find(engine, code).await? else {
        engine.audit.record(event(Decided::Denied).because("no such code waits"));
        return Ok(Entered::Unknown);
    };
    guess.was_right(engine).await?;
    let client = match engine.clients.find(engine, record.client.as_str(), visit.address).await {
        Ok(client) => client,
        Err(ClientError::Unavailable) => return Err(CannotTell),
        Err(_) => {
            engine.audit.record(event(Decided::Denied).because("the client is not known any more"));
            return Ok(Entered::Unknown);
        }
    };
    let checked = Checked { client, request: AuthorizationRequest::of_device(record) };
    let secret = visit.browser_secret(engine);
    let mut begun = Begun::new(engine, checked, &secret, false, Some(&partition));
    if !begun.save(engine, Batch::new()).await? {
        return Err(CannotTell);
    }
    Ok(Entered::Found(see_other(&consent::address(engine, &begun))))
}
