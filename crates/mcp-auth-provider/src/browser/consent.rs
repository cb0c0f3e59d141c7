//! The consent page, and what its buttons do.

use http::{Response, StatusCode};
use mcp_core::audit::Outcome as Decided;
use mcp_core::{Body, Scope, Scopes, constant_time_eq};
use mcp_store::Batch;
use serde_json::{Value, json};

use crate::client::{Client, ClientOrigin, is_loopback_redirect};
use crate::engine::Engine;
use crate::pages::{Page, inert};
use crate::sign_in::{ConsentOrder, User};

use super::finish::told;
use super::flow::{CannotTell, Place, consented, go_on, stale};
use super::redirect::see_other;
use super::remembered::host_of;
use super::request::AuthorizationError;
use super::trail::event;
use super::transaction::{Begun, Consent, Outcome, Transaction};
use super::visit::Visit;

/// The page. `user` is who is signed in, if anybody is yet.
pub(super) fn page(engine: &Engine, begun: &Begun, user: Option<&User>) -> Page {
    form(engine, begun, user, &begun.transaction.request.scopes)
}

fn form(engine: &Engine, begun: &Begun, user: Option<&User>, ticked: &Scopes) -> Page {
    let Transaction { client, request, csrf, .. } = &begun.transaction;
    let loopback = is_loopback_redirect(&request.redirect_uri);
    let destination = inert(&host_of(&request.redirect_uri), 255);
    let of_document = client.origin == ClientOrigin::MetadataDocument;
    let private_scheme = destination.ends_with(':');
    let scopes: Vec<Value> = request.scopes.iter().map(|scope| line(engine, scope, ticked)).collect();
    Page::new("consent.html")
        .with("title", format!("{} asks for access", client_name(client)))
        .with("path", engine.paths.consent.as_str())
        .with("tx", begun.handle.expose())
        .with("csrf", csrf.as_str())
        .with("user", user.map(|user| inert(&user.display, 100)))
        .with("switch", user.is_some() && engine.sign_in.order() == ConsentOrder::AfterSignIn)
        .with("device_code", request.device.as_ref().map(|device| device.user_code.as_str()))
        .with("destination", if loopback { format!("this device ({destination})") } else { destination })
        .with("loopback", loopback)
        .with("private_scheme", private_scheme)
        .with("resources", resources(engine, request.resources.as_slice()))
        .with("scopes", scopes)
        .with(
            "client",
            json!({
                "name": client_name(client),
                "host": of_document.then(|| host_of(client.id.as_str())),
                "operator": client.origin == ClientOrigin::Operator,
                "uri": client.client_uri.as_deref().map(|uri| inert(uri, 200)),
            }),
        )
}

/// What a client calls itself, inert; its identifier if it says nothing.
pub(super) fn client_name(client: &Client) -> String {
    let name = inert(client.name.as_deref().unwrap_or_default(), 80);
    if name.is_empty() { inert(client.id.as_str(), 200) } else { name }
}

fn line(engine: &Engine, scope: &Scope, ticked: &Scopes) -> Value {
    let described = match engine.scopes.info(scope).and_then(|info| info.description()) {
        Some(text) => Some(text),
        None if scope.as_str() == "offline_access" => Some("Keep this access while you are away"),
        None => None,
    };
    json!({
        "name": scope.as_str(),
        "description": described.unwrap_or(scope.as_str()),
        "described": described.is_some(),
        "ticked": ticked.contains(scope),
    })
}

fn resources(engine: &Engine, identifiers: &[String]) -> Vec<String> {
    let named = identifiers.iter().filter_map(|identifier| engine.resource(identifier));
    named.map(|resource| resource.identifier().to_owned()).collect()
}

/// Where the page is, for this transaction.
pub(super) fn address(engine: &Engine, begun: &Begun) -> String {
    format!("{}{}?tx={}", engine.url.path(), engine.paths.consent, begun.handle.expose())
}

/// How it ends when somebody said no.
pub(super) fn denied(engine: &Engine, transaction: &Transaction) -> Outcome {
    told(engine, transaction, AuthorizationError::new("access_denied", "the request was denied"))
}

/// Does what the button says that was pressed. The caller has made sure that it is the browser of the transaction.
pub(crate) async fn decide(
    engine: &Engine,
    visit: &mut Visit,
    mut begun: Begun,
) -> Result<Response<Body>, CannotTell> {
    let show = |page| Ok(engine.pages.answer(engine.url.path(), page));
    for _ in 0..TRIES {
        // The answer is repeated, and not the act.
        if begun.transaction.outcome.is_some() {
            return go_on(engine, visit, begun, Place::Form).await;
        }
        let after = engine.sign_in.order() == ConsentOrder::AfterSignIn;
        // Before anybody has signed in, the page may be answered twice: the first answer to that may have been lost.
        let shown_here = begun.has_proof(engine, visit) || (!after && begun.transaction.user.is_none());
        let user = begun.user(engine, visit).await?;
        if !shown_here || (after && user.is_none()) {
            // The session has ended meanwhile, or this is not the browser that signed in.
            return Ok(see_other(&address(engine, &begun)));
        }
        let csrf = visit.params.get("csrf").unwrap_or_default();
        if !constant_time_eq(csrf, &begun.transaction.csrf) {
            let event = event(engine, "consent", Decided::Denied, visit, &begun.transaction);
            engine.audit.record(event.because("the form is not of this transaction and sign-in"));
            return show(foreign());
        }
        match visit.params.get("action") {
            Some("allow") => match ticked(visit, &begun.transaction.request.scopes) {
                Ok(scopes) if is_nothing(&scopes, &begun.transaction.request.scopes) => {
                    let page = form(engine, &begun, user.as_ref(), &scopes);
                    let text = "Tick at least one thing that it may do, or deny.";
                    return show(page.error(text).status(StatusCode::BAD_REQUEST));
                }
                Ok(scopes) => {
                    engine.audit.record(event(
                        engine,
                        "consent",
                        Decided::Allowed,
                        visit,
                        &begun.transaction,
                    ));
                    let consent = Consent { scopes, of: user.map(|user| user.subject), now: true };
                    return consented(engine, visit, begun, consent).await;
                }
                Err(NotAsked) => {
                    let event = event(engine, "consent", Decided::Denied, visit, &begun.transaction);
                    engine.audit.record(event.because("a scope that was not asked for"));
                    return show(foreign().status(StatusCode::BAD_REQUEST));
                }
            },
            Some("deny") => {
                begun.transaction.outcome = Some(denied(engine, &begun.transaction));
            }
            Some("switch") if after => {
                begun.transaction.user = None;
                begun.transaction.proof = None;
                begun.transaction.fresh = true;
            }
            _ => return show(foreign().status(StatusCode::BAD_REQUEST)),
        }
        if begun.save(engine, Batch::new()).await? {
            if begun.transaction.outcome.is_none() {
                return Ok(see_other(&address(engine, &begun)));
            }
            engine.audit.record(event(engine, "consent", Decided::Denied, visit, &begun.transaction));
            return go_on(engine, visit, begun, Place::Form).await;
        }
        begun = match begun.reload(engine).await? {
            Some(begun) => begun,
            None => return show(stale()),
        };
    }
    Err(CannotTell)
}

/// Whether nothing was ticked that a resource knows, of what could be.
fn is_nothing(ticked: &Scopes, asked: &Scopes) -> bool {
    ticked.for_challenge().is_empty() && !asked.for_challenge().is_empty()
}

struct NotAsked;

/// The boxes that were ticked: fields `scope:<name>`.
fn ticked(visit: &Visit, asked: &Scopes) -> Result<Scopes, NotAsked> {
    let names = visit.params.pairs().iter().filter_map(|(name, _)| name.strip_prefix("scope:"));
    names.map(|name| asked.iter().find(|scope| scope.as_str() == name).cloned().ok_or(NotAsked)).collect()
}

fn foreign() -> Page {
    let text = "It did not come from the page that this server showed last. Go back, load the page again, and answer it \
                there.";
    Page::message("This answer does not count", text).status(StatusCode::FORBIDDEN)
}

/// As often as others can be faster.
const TRIES: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn something_has_to_be_ticked_where_there_is_something() {
        let (none, away) = (Scopes::none(), Scopes::from("offline_access"));
        let read = Scopes::from("mcp:read");
        assert!(is_nothing(&none, &read) && is_nothing(&away, &read.union(&away)));
        assert!(!is_nothing(&read, &read.union(&away)));
        // A resource without scopes.
        assert!(!is_nothing(&none, &none) && !is_nothing(&away, &away) && !is_nothing(&none, &away));
    }
}
