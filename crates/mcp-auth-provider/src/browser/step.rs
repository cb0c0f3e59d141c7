//! Asking the sign-in, and doing what it says.

use http::{Response, StatusCode};
use mcp_core::audit::Outcome as Decided;
use mcp_core::{Body, random_id};
use mcp_store::Batch;
use serde_json::Value;

use crate::pages::{Page, inert};
use crate::sign_in::{BrowserRequest, ConsentOrder, Step, User};

use super::consent;
use super::finish::told;
use super::flow::{CannotTell, Flow};
use super::redirect::see_other;
use super::request::AuthorizationError;
use super::session::Session;
use super::trail::event;
use super::transaction::{Outcome, Proof};

impl Flow<'_> {
    /// Asks the sign-in, and does what it says. `None` if there is more to do at once.
    pub(super) async fn step(
        &mut self,
        request: BrowserRequest,
    ) -> Result<Option<Response<Body>>, CannotTell> {
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
    pub(super) async fn keep(
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
    pub(super) async fn signed_in(
        &mut self,
        memory: Value,
        user: User,
    ) -> Result<Option<Response<Body>>, CannotTell> {
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
        let marks = self.begun.marks(engine, self.visit, &user).await?;
        if user.stay && engine.sign_in.order() == ConsentOrder::AfterSignIn {
            Session::begin(engine, self.visit, &user, &marks).await?;
        }
        loop {
            let transaction = &mut self.begun.transaction;
            // Of two requests that proved the same, either answer may reach the browser: both give it the same secret. One from
            // before somebody signed out is worth nothing any more.
            let secret = match (&transaction.proof, &transaction.user) {
                (Some(Proof::Cookie(secret)), Some(own))
                    if own.subject == user.subject && transaction.marks.hold(&marks) =>
                {
                    secret.clone()
                }
                _ => random_id(),
            };
            transaction.marks.clone_from(&marks);
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
    pub(super) async fn refused(
        &mut self,
        text: Option<String>,
    ) -> Result<Option<Response<Body>>, CannotTell> {
        let refused = event(self.engine, "sign_in", Decided::Denied, self.visit, &self.begun.transaction);
        self.engine.audit.record(refused.because("refused by the sign-in"));
        let denied = consent::denied(self.engine, &self.begun.transaction);
        let said = text.map(|text| inert(&text, 500)).or_else(|| denied.said.clone());
        self.finish(Outcome { said, ..denied }, Batch::new()).await
    }
}
