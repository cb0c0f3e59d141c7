//! What comes next in a transaction: sign in, consent, or the way back to the client.

use http::{Response, StatusCode};
use mcp_core::{Body, random_id};
use mcp_store::{Batch, StoreError};

use crate::engine::Engine;
use crate::pages::Page;
use crate::sign_in::{ConsentOrder, User};

use super::consent;
use super::cookies::CookieName;
use super::redirect::see_other;
use super::remembered::{self, Keeper};
use super::request::AuthorizationError;
use super::transaction::{Begun, Consent, Outcome, Proof};
use super::visit::Visit;

/// We cannot tell at the moment. Nothing has changed; the user may try again.
pub(crate) struct CannotTell;

impl From<StoreError> for CannotTell {
    fn from(error: StoreError) -> Self {
        let source = std::error::Error::source(&error).map(ToString::to_string);
        tracing::warn!(%error, source, "the store did not answer");
        Self
    }
}

/// Where a request arrived, which says how to answer it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// At a page that may show what comes next itself.
    Page,
    /// At a form or a callback: its answer must not be what a reload repeats.
    Form,
}

/// Goes on with a transaction, as far as it goes without its user.
pub(crate) async fn go_on(
    engine: &Engine,
    visit: &mut Visit,
    begun: Begun,
    place: Place,
) -> Result<Response<Body>, CannotTell> {
    Flow { engine, visit, begun, place, consent: None }.run().await
}

/// Goes on with a consent that was given just now.
pub(super) async fn consented(
    engine: &Engine,
    visit: &mut Visit,
    begun: Begun,
    consent: Consent,
) -> Result<Response<Body>, CannotTell> {
    Flow { engine, visit, begun, place: Place::Page, consent: Some(consent) }.run().await
}

/// Goes on with what a sign-in says to this request.
pub(crate) async fn sign_in(
    engine: &Engine,
    visit: &mut Visit,
    begun: Begun,
    path: &str,
) -> Result<Response<Body>, CannotTell> {
    let request = visit.for_sign_in(path);
    let mut flow = Flow { engine, visit, begun, place: Place::Form, consent: None };
    if let Some(outcome) = flow.ended() {
        return Ok(flow.repeat(outcome));
    }
    // Nothing comes back from elsewhere before there was consent to go there, in this browser (attacks PX04, PX05).
    if flow.asks_first() && !flow.is_consented_here() {
        return Ok(see_other(&consent::address(engine, &flow.begun)));
    }
    match flow.step(request).await? {
        Some(response) => Ok(response),
        None => flow.run().await,
    }
}

pub(super) struct Flow<'a> {
    pub(super) engine: &'a Engine,
    pub(super) visit: &'a mut Visit,
    pub(super) begun: Begun,
    place: Place,
    /// What was said yes to in this request: stored together with what comes of it.
    pub(super) consent: Option<Consent>,
}

/// How often a step is tried that others were faster at. Each time one of them got on.
const TRIES: usize = 100;

impl Flow<'_> {
    pub(super) async fn run(mut self) -> Result<Response<Body>, CannotTell> {
        for _ in 0..TRIES {
            if let Some(outcome) = self.ended() {
                return Ok(self.repeat(outcome));
            }
            let user = self.begun.user(self.engine, self.visit).await?;
            if self.begun.transaction.request.prompt.none
                && let Some(response) = self.without_asking(user.as_ref()).await?
            {
                return Ok(response);
            }
            let next = match (self.consent(user.as_ref()).await?, user) {
                (Some(consent), Some(user)) => self.grant(consent, user).await?,
                (Some(consent), None) => {
                    self.consented(consent);
                    self.step(self.visit.beginning(self.engine)).await?
                }
                (None, None) if !self.asks_first() => self.step(self.visit.beginning(self.engine)).await?,
                (None, user) => self.ask(user.as_ref()).await?,
            };
            if let Some(response) = next {
                return Ok(response);
            }
        }
        Err(CannotTell)
    }

    /// Whether consent comes before anybody else is contacted.
    pub(super) fn asks_first(&self) -> bool {
        self.engine.sign_in.order() == ConsentOrder::BeforeSignIn
    }

    /// Whether somebody said yes in this browser, which then got the cookie that says so.
    fn is_consented_here(&self) -> bool {
        let transaction = &self.begun.transaction;
        transaction.consent.is_some()
            && transaction.proof.is_some()
            && self.begun.has_proof(self.engine, self.visit)
    }

    /// Notes a consent down, and gives the browser the cookie without which nothing that comes back from elsewhere counts.
    fn consented(&mut self, consent: Consent) {
        let proven = self.is_consented_here();
        let transaction = &mut self.begun.transaction;
        if !proven {
            // Of two answers to one page, either may reach the browser: both give it the same secret.
            let secret = match &transaction.proof {
                Some(Proof::Cookie(secret)) if self.consent.is_some() && transaction.user.is_none() => {
                    secret.clone()
                }
                _ => random_id(),
            };
            transaction.proof = Some(Proof::Cookie(secret));
            transaction.user = None;
            self.give_proof();
        }
        self.begun.transaction.consent = Some(consent.clone());
        self.consent = Some(consent);
    }

    /// Sets the cookie of the transaction.
    pub(super) fn give_proof(&mut self) {
        if let Some(Proof::Cookie(secret)) = &self.begun.transaction.proof {
            let name = CookieName::Transaction(self.begun.partition().as_str());
            let age = self.begun.time_left(self.engine.now());
            self.visit.set(self.engine, name, secret, Some(age));
        }
    }

    /// How it ended, if it has; for the browser alone in which it did.
    pub(super) fn ended(&self) -> Option<Outcome> {
        let transaction = &self.begun.transaction;
        let outcome = transaction.outcome.clone()?;
        self.begun.has_proof(self.engine, self.visit).then_some(outcome).or_else(|| {
            // It is the same browser, but not the one that signed in last: it may know that it is over, and no more.
            Some(Outcome::over())
        })
    }

    pub(super) fn repeat(&self, outcome: Outcome) -> Response<Body> {
        match outcome.said {
            None => see_other(&outcome.location),
            Some(text) if outcome.title.is_some() => {
                self.show(Page::message(outcome.title.unwrap_or_default(), text))
            }
            Some(text) if outcome.location.is_empty() => {
                self.show(Page::message("This sign-in is over", text).status(StatusCode::BAD_REQUEST))
            }
            Some(text) => {
                let page = Page::message("You were not let in", text).status(StatusCode::FORBIDDEN);
                self.show(page.link(&outcome.location, format!("Back to {}", self.client_name())))
            }
        }
    }

    pub(super) fn show(&self, page: Page) -> Response<Body> {
        self.engine.pages.answer(self.engine.url.path(), page)
    }

    pub(super) fn client_name(&self) -> String {
        consent::client_name(&self.begun.transaction.client)
    }

    /// What was consented to, by this user; or before, if that counts.
    async fn consent(&self, user: Option<&User>) -> Result<Option<Consent>, CannotTell> {
        let (engine, transaction) = (self.engine, &self.begun.transaction);
        let of_user = |of: &Option<String>| match (of, user) {
            (Some(of), Some(user)) => *of == user.subject,
            _ => true,
        };
        // Before anybody has signed in, what was said counts in the browser alone that it was said in.
        let stored = transaction.consent.as_ref().filter(|_| user.is_some() || self.is_consented_here());
        let said = self.consent.iter().chain(stored).find(|consent| of_user(&consent.of));
        if let Some(consent) = said {
            return Ok(Some(consent.clone()));
        }
        let scopes = transaction.request.scopes.clone();
        // Whoever typed a device's code was perhaps talked into it: never without asking (attack DV06).
        let is_device = transaction.request.device.is_some();
        if engine.skip_consent && !transaction.request.prompt.consent && !is_device {
            return Ok(Some(Consent { scopes, of: None, now: false }));
        }
        let secrets = self.visit.cookies(engine, CookieName::Browser);
        let keeper = match (user, engine.sign_in.order()) {
            (Some(user), _) => Keeper::User(&user.subject),
            (None, ConsentOrder::BeforeSignIn) => match secrets.first() {
                Some(secret) => Keeper::Browser(secret),
                None => return Ok(None),
            },
            (None, ConsentOrder::AfterSignIn) => return Ok(None),
        };
        let found = remembered::find(engine, transaction, keeper).await?;
        Ok(found.map(|subject| Consent { scopes, of: Some(subject), now: false }))
    }

    /// What `prompt=none` gets if somebody would have to be asked (OpenID Connect Core §3.1.2.6). Nothing is stored.
    async fn without_asking(&self, user: Option<&User>) -> Result<Option<Response<Body>>, CannotTell> {
        let error = match user {
            None => AuthorizationError::new("login_required", "the user has to sign in"),
            Some(_) if self.consent(user).await?.is_none() => {
                AuthorizationError::new("consent_required", "the user has to be asked for consent")
            }
            Some(_) => return Ok(None),
        };
        let request = &self.begun.transaction.request;
        Ok(Some(see_other(&error.location(self.engine, &request.redirect_uri, request.state.as_deref()))))
    }

    /// Shows the consent page, or leads to it.
    pub(super) async fn ask(&mut self, user: Option<&User>) -> Result<Option<Response<Body>>, CannotTell> {
        if !self.begun.save(self.engine, Batch::new()).await? {
            return self.lost().await;
        }
        Ok(Some(match self.place {
            Place::Page => self.show(consent::page(self.engine, &self.begun, user)),
            Place::Form => see_other(&consent::address(self.engine, &self.begun)),
        }))
    }

    /// Somebody was faster: looks at what they did.
    pub(super) async fn lost(&mut self) -> Result<Option<Response<Body>>, CannotTell> {
        match self.begun.reload(self.engine).await? {
            Some(now) => {
                self.begun = now;
                Ok(None)
            }
            None => Ok(Some(self.show(stale()))),
        }
    }
}

/// What a browser is told that comes with a handle it has no part in, or whose time is over: which of both, it does not learn.
pub(crate) fn stale() -> Page {
    let text = "It was begun in another browser, has taken too long, or was finished some time ago. Go back to the \
                application and start again there.";
    Page::message("This sign-in cannot go on", text).status(StatusCode::BAD_REQUEST)
}

/// What a browser is told while we cannot tell.
pub(crate) fn unavailable() -> Page {
    let text = "This server cannot reach what it needs. Nothing is lost: load this page again in a moment.";
    Page::message("Please try again", text).status(StatusCode::SERVICE_UNAVAILABLE).retry_after(5)
}

pub(super) const OVER: &str =
    "This sign-in is over. Go back to the application, and start again there if it needs you to.";
