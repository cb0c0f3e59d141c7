//! One authorization under way: its record, its handle, and whose browser it is.

use std::time::Duration;

use mcp_core::{Scopes, Timestamp, constant_time_eq, random_id};
use mcp_store::{Batch, Committed, Name, Partition, Revision, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::as_text;
use crate::client::{Client, ClientAuthentication};
use crate::engine::Engine;
use crate::grant::{Answered, answered_name};
use crate::sign_in::{ConsentOrder, SignInState, User};
use crate::wire::{TokenKind, TokenText};

use super::answered::answered;
use super::cookies::CookieName;
use super::flow::{CannotTell, OVER};
use super::request::{AuthorizationRequest, Checked};
use super::session::Session;
use super::signed_out::Marks;
use super::visit::Visit;

/// What is stored of it, sealed, until its end.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Transaction {
    /// The client as it was when it asked.
    pub(crate) client: Client,
    pub(crate) request: AuthorizationRequest,
    /// A keyed hash of the browser's secret.
    browser: String,
    /// What forms have to carry, in this transaction and since its last sign-in.
    pub(super) csrf: String,
    /// Whether the browser was sent here by its user or a program on the device, and not by a page of somebody else: only then is
    /// consent that was given before used.
    pub(super) unprompted: bool,
    /// What the sign-in wrote down.
    pub(super) memory: Value,
    /// Whether the user has to prove anew who it is.
    pub(super) fresh: bool,
    pub(super) user: Option<User>,
    /// How a browser shows that it is the one in which the user signed in.
    pub(super) proof: Option<Proof>,
    /// What had been signed out when the user signed in.
    #[serde(default)]
    pub(super) marks: Marks,
    pub(super) consent: Option<Consent>,
    pub(super) outcome: Option<Outcome>,
    /// Whether others may be about the same request, in the same partition: one of them has an outcome.
    #[serde(default)]
    shared: bool,
    #[serde(with = "as_text::millis")]
    pub(super) created_at: Timestamp,
    #[serde(with = "as_text::millis")]
    pub(super) expires_at: Timestamp,
}

/// What only the browser has in which the user signed in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Proof {
    /// The secret in the cookie that the answer to the sign-in set. Whoever got hold of the browser's first cookie before the
    /// sign-in has not this one (attack LG16).
    Cookie(String),
    /// The session it stays signed in by: the name of its record.
    Session(String),
}

/// A user said yes.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Consent {
    #[serde(with = "as_text::scopes")]
    pub(super) scopes: Scopes,
    /// Who said so; `None` if nobody was signed in yet, and then it is whoever signs in next in this browser.
    pub(super) of: Option<String>,
    /// Whether it was said now, and not found remembered.
    pub(super) now: bool,
}

/// How it ended: what is answered to every further step.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Outcome {
    /// Where the browser goes.
    pub(super) location: String,
    /// What its user is told before, if anything.
    pub(super) said: Option<String>,
    /// What stands above that, where it is good news and leads nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) title: Option<String>,
}

impl Outcome {
    /// The browser goes there at once.
    pub(super) fn to(location: String) -> Self {
        Self { location, said: None, title: None }
    }

    /// It is over, and leads nowhere.
    pub(super) fn over() -> Self {
        Self { location: String::new(), said: Some(OVER.to_owned()), title: None }
    }
}

/// A transaction in hand, as it was at one revision.
pub(crate) struct Begun {
    pub(super) handle: TokenText,
    pub(crate) transaction: Transaction,
    /// `None` before it is stored.
    revision: Option<Revision>,
    /// How a kept request is answered by the outcome that is stored next. A no, unless said.
    pub(super) answer: Answered,
}

impl Begun {
    /// A new transaction, bound to the browser with this secret. Not stored yet. It is in the partition in which the request
    /// is kept already, or in a new one.
    pub(crate) fn new(
        engine: &Engine,
        checked: Checked,
        browser: &str,
        unprompted: bool,
        kept_in: Option<&Partition>,
    ) -> Self {
        let now = engine.now();
        let handle = match kept_in {
            Some(partition) => TokenText::new(TokenKind::Transaction, partition),
            None => TokenText::new(TokenKind::Transaction, &Partition::random()),
        };
        let transaction = Transaction {
            client: without_ballast(&checked.client),
            browser: browser_hash(engine, &handle, browser),
            csrf: random_id(),
            unprompted,
            memory: Value::Null,
            fresh: checked.request.prompt.login || checked.request.max_age == Some(0),
            user: None,
            proof: None,
            marks: Marks::default(),
            consent: None,
            outcome: None,
            shared: kept_in.is_some(),
            created_at: now,
            expires_at: match &checked.request.device {
                // Nobody is to say yes to a device that has given up.
                Some(device) => (now + engine.lifetimes.transaction).min(device.expires_at),
                None => now + engine.lifetimes.transaction,
            },
            request: checked.request,
        };
        Self { handle, transaction, revision: None, answer: Answered::default() }
    }

    /// The transaction with this handle, if there is one and it is of this browser.
    pub(crate) async fn load(
        engine: &Engine,
        visit: &Visit,
        handle: &str,
    ) -> Result<Option<Self>, CannotTell> {
        let Some(handle) = TokenText::parse(TokenKind::Transaction, handle) else { return Ok(None) };
        let begun = Self::read(engine, handle).await?;
        Ok(begun.filter(|begun| begun.is_of(engine, visit)))
    }

    /// What has become of it meanwhile.
    pub(super) async fn reload(&self, engine: &Engine) -> Result<Option<Self>, StoreError> {
        Self::read(engine, self.handle.clone()).await
    }

    async fn read(engine: &Engine, handle: TokenText) -> Result<Option<Self>, StoreError> {
        let names = [handle.name(), answered_name()];
        let mut found = engine.vault.get(handle.partition(), &names).await?.into_iter();
        let (Some(Some(record)), answered) = (found.next(), found.next().flatten()) else { return Ok(None) };
        let mut transaction: Transaction = record.json()?;
        if answered.is_some() && transaction.outcome.is_none() {
            // Another window was faster with the same request.
            transaction.outcome = Some(Outcome::over());
        }
        let revision = Some(record.revision());
        Ok(Some(Self { handle, transaction, revision, answer: Answered::default() }))
    }

    /// Stores it as it is now, together with the batch, unless somebody else was faster: then `false`, and nothing has happened.
    pub(super) async fn save(&mut self, engine: &Engine, batch: Batch) -> Result<bool, StoreError> {
        let name = self.name();
        let batch = match self.revision {
            Some(revision) => batch.require(name.clone(), revision),
            None => batch.require_absent(name.clone()),
        };
        let batch = batch.put_json(name.clone(), &self.transaction, Some(self.transaction.expires_at))?;
        let batch = match (&self.transaction.outcome, self.transaction.shared) {
            (Some(_), true) => answered(batch, &self.answer, engine.now())?,
            _ => batch,
        };
        let revision = batch.revision();
        let done = match engine.vault.commit(self.partition(), batch).await {
            Ok(Committed::Done(_)) => true,
            Ok(_) => false,
            // The answer was lost: ask what became of it.
            Err(error) if error.is_unknown() => {
                let found = engine.vault.get_one(self.partition(), &name).await?;
                if found.is_none_or(|record| record.revision() != revision) {
                    return Err(error);
                }
                true
            }
            Err(error) => return Err(error),
        };
        if done {
            self.revision = Some(revision);
        }
        Ok(done)
    }

    /// Whether anything of it is in the store yet.
    pub(super) fn is_stored(&self) -> bool {
        self.revision.is_some()
    }

    /// Whether the browser shows what it got when the user signed in. True before anybody has.
    pub(super) fn has_proof(&self, engine: &Engine, visit: &Visit) -> bool {
        match &self.transaction.proof {
            None => true,
            Some(Proof::Cookie(secret)) => {
                let name = CookieName::Transaction(self.partition().as_str());
                visit.cookies(engine, name).iter().any(|value| constant_time_eq(value, secret))
            }
            Some(Proof::Session(name)) => {
                Session::names(engine, visit).iter().any(|own| constant_time_eq(own, name))
            }
        }
    }

    /// What has been signed out, of this user and of the browser.
    pub(super) async fn marks(
        &self,
        engine: &Engine,
        visit: &Visit,
        user: &User,
    ) -> Result<Marks, StoreError> {
        Marks::read(engine, &user.subject, self.secret(engine, visit)).await
    }

    /// The user, as this browser may act for it: signed in for this transaction and not out since, or in the session that the browser stays signed
    /// in by.
    pub(super) async fn user(&mut self, engine: &Engine, visit: &Visit) -> Result<Option<User>, CannotTell> {
        let transaction = &self.transaction;
        if matches!(transaction.proof, Some(Proof::Cookie(_))) {
            let Some(user) = transaction.user.clone().filter(|_| self.has_proof(engine, visit)) else {
                return Ok(None);
            };
            let marks = self.marks(engine, visit, &user).await?;
            return Ok(transaction.marks.hold(&marks).then_some(user));
        }
        if engine.sign_in.order() == ConsentOrder::BeforeSignIn || transaction.fresh {
            return Ok(None);
        }
        let Some(session) = Session::find(engine, visit).await? else { return Ok(None) };
        if transaction.request.is_too_old(engine.now().since(session.user.authenticated_at)) {
            return Ok(None);
        }
        let transaction = &mut self.transaction;
        let proof = Some(Proof::Session(session.name));
        if transaction.proof != proof {
            // Another session than the page was shown in that is in front of the user.
            transaction.proof = proof;
            transaction.csrf = random_id();
        }
        transaction.user = Some(session.user.clone());
        Ok(Some(session.user))
    }

    pub(super) fn partition(&self) -> &Partition {
        self.handle.partition()
    }

    fn name(&self) -> Name {
        self.handle.name()
    }

    /// Whether this is the browser that began it.
    pub(super) fn is_of(&self, engine: &Engine, visit: &Visit) -> bool {
        self.secret(engine, visit).is_some()
    }

    /// The secret of the browser that began it, if this is the one.
    fn secret<'v>(&self, engine: &Engine, visit: &'v Visit) -> Option<&'v str> {
        visit.cookies(engine, CookieName::Browser).into_iter().find(|secret| {
            constant_time_eq(browser_hash(engine, &self.handle, secret), &self.transaction.browser)
        })
    }

    /// How long it goes on.
    pub(super) fn time_left(&self, now: Timestamp) -> Duration {
        self.transaction.expires_at.since(now)
    }

    /// What the sign-in sees of it.
    pub(super) fn for_sign_in(&self, engine: &Engine, visit: &Visit, client_name: String) -> SignInState {
        let Transaction { request, memory, fresh, consent, .. } = &self.transaction;
        SignInState {
            memory: memory.clone(),
            transaction: self.handle.expose().to_owned(),
            scopes: request.scopes.clone(),
            login_hint: request.login_hint.clone(),
            client_name,
            consented: consent.is_some(),
            fresh: *fresh,
            browser: visit
                .known_browser_secret(engine)
                .map(|secret| engine.vault.keyed_name("browser-name", &[secret.as_bytes()])),
        }
    }
}

fn browser_hash(engine: &Engine, handle: &TokenText, secret: &str) -> String {
    engine.vault.keyed_name("browser", &[handle.expose().as_bytes(), secret.as_bytes()])
}

/// A client without what may be large and is not asked about here.
fn without_ballast(client: &Client) -> Client {
    let mut client = client.clone();
    client.extra = Map::new();
    client.redirect_uris = Vec::new();
    if let ClientAuthentication::PrivateKeyJwt { jwks, .. } = &mut client.authentication {
        *jwks = None;
    }
    client
}
