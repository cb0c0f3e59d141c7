//! What comes next in a transaction: sign in, consent, or the way back to the client.

use http::{Response, StatusCode};
use mcp_core::audit::Outcome as Decided;
use mcp_core::{Body, random_id};
use mcp_store::{Batch, StoreError};
use serde_json::Value;

use crate::client::{Client, GrantType};
use crate::engine::Engine;
use crate::grant::{self, Allowed, ConsentGranted, NewGrant};
use crate::pages::{Page, inert};
use crate::sign_in::{BrowserRequest, ConsentOrder, Step, User};

use super::consent;
use super::cookies::CookieName;
use super::redirect::{back, see_other};
use super::remembered::{self, Keeper};
use super::request::AuthorizationError;
use super::session::Session;
use super::trail::event;
use super::transaction::{Begun, Consent, Outcome, Proof, Transaction};
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

struct Flow<'a> {
    engine: &'a Engine,
    visit: &'a mut Visit,
    begun: Begun,
    place: Place,
    /// What was said yes to in this request: stored together with what comes of it.
    consent: Option<Consent>,
}

/// How often a step is tried that others were faster at. Each time one of them got on.
const TRIES: usize = 100;

impl Flow<'_> {
    async fn run(mut self) -> Result<Response<Body>, CannotTell> {
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
    fn asks_first(&self) -> bool {
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
    fn give_proof(&mut self) {
        if let Some(Proof::Cookie(secret)) = &self.begun.transaction.proof {
            let name = CookieName::Transaction(self.begun.partition().as_str());
            let age = self.begun.time_left(self.engine.now());
            self.visit.set(self.engine, name, secret, Some(age));
        }
    }

    /// How it ended, if it has; for the browser alone in which it did.
    fn ended(&self) -> Option<Outcome> {
        let transaction = &self.begun.transaction;
        let outcome = transaction.outcome.clone()?;
        self.begun.has_proof(self.engine, self.visit).then_some(outcome).or_else(|| {
            // It is the same browser, but not the one that signed in last: it may know that it is over, and no more.
            Some(Outcome::over())
        })
    }

    fn repeat(&self, outcome: Outcome) -> Response<Body> {
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

    fn show(&self, page: Page) -> Response<Body> {
        self.engine.pages.answer(self.engine.url.path(), page)
    }

    fn client_name(&self) -> String {
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
    async fn ask(&mut self, user: Option<&User>) -> Result<Option<Response<Body>>, CannotTell> {
        if !self.begun.save(self.engine, Batch::new()).await? {
            return self.lost().await;
        }
        Ok(Some(match self.place {
            Place::Page => self.show(consent::page(self.engine, &self.begun, user)),
            Place::Form => see_other(&consent::address(self.engine, &self.begun)),
        }))
    }

    /// Somebody was faster: looks at what they did.
    async fn lost(&mut self) -> Result<Option<Response<Body>>, CannotTell> {
        match self.begun.reload(self.engine).await? {
            Some(now) => {
                self.begun = now;
                Ok(None)
            }
            None => Ok(Some(self.show(stale()))),
        }
    }

    /// Asks the sign-in, and does what it says. `None` if there is more to do at once.
    async fn step(&mut self, request: BrowserRequest) -> Result<Option<Response<Body>>, CannotTell> {
        let begins = request.begins();
        let mut state = self.begun.for_sign_in(self.engine, self.visit, self.client_name());
        let step = self.engine.sign_in.step(&mut state, request).await;
        match step {
            Step::Page(page) => self.keep(state.memory, begins, |flow| flow.show(page)).await,
            Step::Redirect(url) => self.keep(state.memory, begins, |_| see_other(url.as_str())).await,
            Step::Done(user) => self.signed_in(state.memory, user).await,
            Step::Refused(text) => self.refused(Some(text)).await,
            Step::Cancelled => self.refused(None).await,
            Step::Unavailable => Err(CannotTell),
        }
    }

    /// Stores what the sign-in wrote down, before its page or redirect goes out.
    async fn keep(
        &mut self,
        memory: Value,
        begins: bool,
        answer: impl FnOnce(&Self) -> Response<Body>,
    ) -> Result<Option<Response<Body>>, CannotTell> {
        let changed =
            !self.begun.is_stored() || self.consent.is_some() || memory != self.begun.transaction.memory;
        self.begun.transaction.memory = memory;
        if changed && !self.begun.save(self.engine, Batch::new()).await? {
            if begins {
                // Nothing has happened anywhere yet: it can begin once more, with what the other wrote down.
                return self.lost().await;
            }
            // Two steps at once: what this one wrote down is lost, so what it would send the browser to is not good either.
            let again = consent::address(self.engine, &self.begun);
            let text = "Two windows went on with this sign-in at the same moment.";
            let page = Page::message("Please go on here", text).status(StatusCode::CONFLICT);
            return Ok(Some(self.show(page.link(&again, "Continue"))));
        }
        Ok(Some(answer(self)))
    }

    /// The user is known.
    async fn signed_in(&mut self, memory: Value, user: User) -> Result<Option<Response<Body>>, CannotTell> {
        let engine = self.engine;
        let transaction = &self.begun.transaction;
        let ago = engine.now().since(user.authenticated_at);
        let request = &transaction.request;
        let is_new = user.authenticated_at >= transaction.created_at;
        if (transaction.fresh || request.is_too_old(ago)) && !is_new {
            let error = AuthorizationError::new("login_required", "the user did not sign in anew");
            let text = "You would have had to sign in anew, and were let through without.";
            let outcome = Outcome { said: Some(text.to_owned()), ..told(engine, transaction, error) };
            return self.finish(outcome, Batch::new()).await;
        }
        if user.stay && engine.sign_in.order() == ConsentOrder::AfterSignIn {
            Session::begin(engine, self.visit, &user).await?;
        }
        loop {
            let transaction = &mut self.begun.transaction;
            // Of two requests that proved the same, either answer may reach the browser: both give it the same secret.
            let secret = match (&transaction.proof, &transaction.user) {
                (Some(Proof::Cookie(secret)), Some(own)) if own.subject == user.subject => secret.clone(),
                _ => random_id(),
            };
            transaction.memory.clone_from(&memory);
            if self.consent.is_some() {
                transaction.consent.clone_from(&self.consent);
            }
            transaction.proof = Some(Proof::Cookie(secret));
            transaction.user = Some(user.clone());
            transaction.csrf = random_id();
            transaction.fresh = false;
            if self.begun.save(engine, Batch::new()).await? {
                self.give_proof();
                let done = event(engine, "sign_in", Decided::Allowed, self.visit, &self.begun.transaction);
                engine.audit.record(done);
                return Ok(None);
            }
            if let Some(response) = self.lost().await? {
                return Ok(Some(response));
            }
            if let Some(outcome) = self.ended() {
                return Ok(Some(self.repeat(outcome)));
            }
        }
    }

    /// The sign-in lets nobody in: said to the user, if there are words for it, and to the client.
    async fn refused(&mut self, text: Option<String>) -> Result<Option<Response<Body>>, CannotTell> {
        let refused = event(self.engine, "sign_in", Decided::Denied, self.visit, &self.begun.transaction);
        self.engine.audit.record(refused.because("refused by the sign-in"));
        let denied = consent::denied(self.engine, &self.begun.transaction);
        let said = text.map(|text| inert(&text, 500)).or_else(|| denied.said.clone());
        self.finish(Outcome { said, ..denied }, Batch::new()).await
    }

    /// Ends it in this way, unless it has ended in another.
    async fn finish(&mut self, outcome: Outcome, batch: Batch) -> Result<Option<Response<Body>>, CannotTell> {
        if self.end(outcome.clone(), batch).await? {
            return Ok(Some(self.repeat(outcome)));
        }
        self.lost().await
    }

    /// The same, without an answer: `false` if somebody else was faster.
    async fn end(&mut self, outcome: Outcome, batch: Batch) -> Result<bool, CannotTell> {
        let transaction = &mut self.begun.transaction;
        transaction.outcome = Some(outcome);
        transaction.user = None;
        transaction.memory = Value::Null;
        Ok(self.begun.save(self.engine, batch).await?)
    }

    /// Everything is there: the grant begins, and the browser takes the code back.
    async fn grant(&mut self, consent: Consent, user: User) -> Result<Option<Response<Body>>, CannotTell> {
        let engine = self.engine;
        let transaction = self.begun.transaction.clone();
        let request = &transaction.request;
        let scopes = consent.scopes.clone();
        let refreshable = transaction.client.may(GrantType::RefreshToken)
            && (!engine.offline_only || scopes.has("offline_access"));
        let client = &transaction.client;
        let (partition, resources) = (self.begun.partition(), request.resources.clone());
        let (batch, outcome) = match (&request.device, &request.challenge) {
            (Some(device), _) => {
                let allowed = Allowed {
                    partition,
                    client,
                    user: &user,
                    scopes: scopes.clone(),
                    resources,
                    refreshable,
                };
                let until = device.expires_at;
                let (batch, answer) =
                    grant::begin_for_device(engine, Batch::new(), allowed, until, witness(&consent)).await?;
                self.begun.answer = answer;
                (batch, connected(client, &user))
            }
            (None, Some(challenge)) => {
                let new = NewGrant {
                    partition,
                    client,
                    user: &user,
                    scopes: scopes.clone(),
                    resources,
                    redirect_uri: request.redirect_uri.clone(),
                    challenge: challenge.clone(),
                    jkt: request.jkt.clone(),
                    refreshable,
                };
                let (batch, code) = grant::begin(engine, Batch::new(), new, witness(&consent)).await?;
                let parameters = [("code", code.expose())];
                let state = request.state.as_deref();
                let location = back(&request.redirect_uri, engine.issuer.as_str(), state, &parameters);
                (batch, Outcome::to(location))
            }
            (None, None) => return Err(StoreError::corrupt("a request that nobody waits for").into()),
        };
        let kind = if request.device.is_some() { "device_approved" } else { "code_issued" };
        if !self.end(outcome.clone(), batch).await? {
            return self.lost().await;
        }
        engine.audit.record(event(engine, kind, Decided::Allowed, self.visit, &transaction));
        if consent.now {
            self.remember(&user, &scopes).await;
        }
        Ok(Some(self.repeat(outcome)))
    }

    /// Keeps a consent for the next time. That it was given does not depend on it.
    async fn remember(&self, user: &User, scopes: &mcp_core::Scopes) {
        let transaction = &self.begun.transaction;
        let mut keepers = vec![Keeper::User(&user.subject)];
        let secrets = self.visit.cookies(self.engine, CookieName::Browser);
        if self.engine.sign_in.order() == ConsentOrder::BeforeSignIn {
            keepers.extend(secrets.first().map(|secret| Keeper::Browser(secret)));
        }
        if let Err(error) = remembered::keep(self.engine, transaction, &keepers, &user.subject, scopes).await
        {
            tracing::warn!(%error, "a consent could not be remembered");
        }
    }
}

/// What a client is told, as the outcome of its request.
pub(super) fn told(engine: &Engine, transaction: &Transaction, error: AuthorizationError) -> Outcome {
    let request = &transaction.request;
    if request.device.is_none() {
        return Outcome::to(error.location(engine, &request.redirect_uri, request.state.as_deref()));
    }
    // The device finds out by itself.
    let text = "Nothing was allowed. You can close this window.";
    Outcome {
        location: String::new(),
        said: Some(text.to_owned()),
        title: Some("The device was not connected".to_owned()),
    }
}

/// What the user is told who connected a device.
fn connected(client: &Client, user: &User) -> Outcome {
    let (client, user) = (consent::client_name(client), inert(&user.display, 100));
    let text =
        format!("{client} has access now, in the name of {user}. Go on there: you can close this window.");
    Outcome { location: String::new(), said: Some(text), title: Some("The device is connected".to_owned()) }
}

/// The one place that says so: a consent in hand was given on our page in this browser, or was found remembered and still
/// holds, or the operator does not want anybody to be asked.
fn witness(_: &Consent) -> ConsentGranted {
    ConsentGranted::witnessed()
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
