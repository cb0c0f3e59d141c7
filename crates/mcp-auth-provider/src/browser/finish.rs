//! The end of a transaction: a grant and its code, or whatever else the client is told.

use http::Response;
use mcp_core::audit::Outcome as Decided;
use mcp_core::{Body, Scopes};
use mcp_store::Batch;
use serde_json::Value;

use crate::client::GrantType;
use crate::grant::{self, ConsentGranted, NewGrant};
use crate::sign_in::{ConsentOrder, User};

use super::cookies::CookieName;
use super::flow::{CannotTell, Flow};
use super::redirect::back;
use super::remembered::{self, Keeper};
use super::trail::event;
use super::transaction::{Consent, Outcome};

impl Flow<'_> {
    /// Ends it in this way, unless it has ended in another.
    pub(super) async fn finish(
        &mut self,
        outcome: Outcome,
        batch: Batch,
    ) -> Result<Option<Response<Body>>, CannotTell> {
        let transaction = &mut self.begun.transaction;
        transaction.outcome = Some(outcome.clone());
        transaction.user = None;
        transaction.memory = Value::Null;
        if self.begun.save(self.engine, batch).await? {
            return Ok(Some(self.repeat(outcome)));
        }
        self.lost().await
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
        let new = NewGrant {
            partition: self.begun.partition(),
            client: &transaction.client,
            user: &user,
            scopes: scopes.clone(),
            resources: request.resources.clone(),
            redirect_uri: request.redirect_uri.clone(),
            challenge: request.challenge.clone(),
            jkt: request.jkt.clone(),
            refreshable,
        };
        let (batch, code) = grant::begin(engine, Batch::new(), new, witness(&consent)).await?;
        let parameters = [("code", code.expose())];
        let location =
            back(&request.redirect_uri, engine.issuer.as_str(), request.state.as_deref(), &parameters);
        let mine = location.clone();
        let answer = self.finish(Outcome { location, said: None }, batch).await?;
        let won = self.begun.transaction.outcome.as_ref().is_some_and(|outcome| outcome.location == mine);
        if won {
            engine.audit.record(event(engine, "code_issued", Decided::Allowed, self.visit, &transaction));
            if consent.now {
                self.remember(&user, &scopes).await;
            }
        }
        Ok(answer)
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

/// The one place that says so: a consent in hand was given on our page in this browser, or was found remembered and still
/// holds, or the operator does not want anybody to be asked.
fn witness(_: &Consent) -> ConsentGranted {
    ConsentGranted::witnessed()
}
