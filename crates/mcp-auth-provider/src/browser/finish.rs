//! The end of a transaction: a grant and its code, or whatever else the client is told.

use http::Response;
use mcp_core::audit::Outcome as Decided;
use mcp_core::{Body, Scopes};
use mcp_store::{Batch, StoreError};
use serde_json::Value;

use crate::client::{Client, GrantType};
use crate::engine::Engine;
use crate::grant::{self, Allowed, ConsentGranted, NewGrant};
use crate::pages::inert;
use crate::sign_in::{ConsentOrder, User};

use super::consent;
use super::cookies::CookieName;
use super::flow::{CannotTell, Flow};
use super::redirect::back;
use super::remembered::{self, Keeper};
use super::request::AuthorizationError;
use super::trail::event;
use super::transaction::{Consent, Outcome, Transaction};

impl Flow<'_> {
    /// Ends it in this way, unless it has ended in another.
    pub(super) async fn finish(
        &mut self,
        outcome: Outcome,
        batch: Batch,
    ) -> Result<Option<Response<Body>>, CannotTell> {
        if self.end(outcome.clone(), batch).await? {
            return Ok(Some(self.repeat(outcome)));
        }
        self.lost().await
    }

    /// The same, without an answer: `false` if somebody else was faster.
    pub(super) async fn end(&mut self, outcome: Outcome, batch: Batch) -> Result<bool, CannotTell> {
        let transaction = &mut self.begun.transaction;
        transaction.outcome = Some(outcome);
        transaction.user = None;
        transaction.memory = Value::Null;
        Ok(self.begun.save(self.engine, batch).await?)
    }

    /// Everything is there: the grant begins, and the browser takes the code back.
    pub(super) async fn grant(
        &mut self,
        consent: Consent,
        user: User,
    ) -> Result<Option<Response<Body>>, CannotTell> {
        let engine = self.engine;
        let transaction = self.begun.transaction.clone();
        let request = &transaction.request;
        let scopes = consent.scopes.clone();
        // Who was asked for offline access and did not tick it has said no to it.
        let offline = scopes.has("offline_access");
        let declined = !offline && (engine.offline_only || request.scopes.has("offline_access"));
        let refreshable = transaction.client.may(GrantType::RefreshToken) && !declined;
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
    pub(super) async fn remember(&self, user: &User, scopes: &Scopes) {
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
