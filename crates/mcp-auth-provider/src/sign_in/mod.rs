//! The seam: *given an authorization request, get me a user*.
//!
//! The engine does everything else: it validates the request, keeps the transaction in the store and bound to its browser,
//! asks for consent, issues the code. A [`SignIn`] says who the user is, in as many pages and redirects as it takes. It keeps
//! what it must remember in the [transaction's memory](SignInState::memory), so the flow survives a restart and goes on at any node.

mod owner;

use std::fmt;

use async_trait::async_trait;
use http::{HeaderMap, Method, Uri};
use mcp_core::{ConfigError, Scopes, SiteContext, Timestamp};
use mcp_store::Vault;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Page;

pub use owner::OwnerSignIn;

/// Says who the user of a browser is.
#[async_trait]
pub trait SignIn: fmt::Debug + Send + Sync + 'static {
    /// Called once, before the first request.
    ///
    /// # Errors
    /// When the set-up cannot be safe or cannot work.
    async fn start(&self, context: &SignInContext) -> Result<(), ConfigError> {
        let _ = context;
        Ok(())
    }

    /// Whether consent is asked for before or after it.
    fn order(&self) -> ConsentOrder {
        ConsentOrder::AfterSignIn
    }

    /// The paths its pages post to and its redirects come back to.
    fn routes(&self) -> Vec<SignInRoute>;

    /// Goes one step on: with the request that [begins](BrowserRequest::begins) it, or with one to a route of its own.
    ///
    /// It may be asked to begin more than once: pages are loaded again, and two windows can be at it at the same time. A
    /// beginning must change nothing but its [memory](SignInState::memory), and can go on with what it finds there.
    async fn step(&self, state: &mut SignInState, request: BrowserRequest) -> Step;

    /// Asked before a browser that stayed signed in is let through: is this user still one of ours, by the same proof? Only
    /// where consent is asked for [after the sign-in](ConsentOrder::AfterSignIn); elsewhere no browser stays signed in.
    async fn resume(&self, user: &User) -> Resumed {
        let _ = user;
        Resumed::Keep
    }

    /// Asked at each refresh: is this user still one of ours, and did anything change?
    async fn refresh(&self, grant: &GrantView, memory: &Value) -> Refreshed {
        let _ = (grant, memory);
        Refreshed::Keep
    }

    /// Told once when a grant has ended, to clean up elsewhere.
    async fn ended(&self, grant: &GrantView, memory: &Value) {
        let _ = (grant, memory);
    }
}

/// When consent is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConsentOrder {
    /// Before anybody else is contacted: the order of a proxy (attack PX01).
    BeforeSignIn,
    /// When the user is known, and can be shown who that is.
    AfterSignIn,
}

/// What a sign-in learns at start.
#[derive(Clone, Debug)]
pub struct SignInContext {
    pub(crate) site: SiteContext,
    pub(crate) vault: Vault,
}

impl SignInContext {
    /// The site: its URL, clock and audit trail.
    #[must_use]
    pub fn site(&self) -> &SiteContext {
        &self.site
    }

    /// Where it may keep what must survive: under partitions of its own, whose names begin with `signin.`.
    #[must_use]
    pub fn vault(&self) -> &Vault {
        &self.vault
    }
}

/// A path of a sign-in, below the public URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInRoute {
    pub(crate) path: String,
    pub(crate) methods: Vec<Method>,
    pub(crate) transaction: &'static str,
}

impl SignInRoute {
    /// A path for forms, which carry the transaction in their field `tx`.
    pub fn form(path: impl Into<String>) -> Self {
        Self { path: path.into(), methods: vec![Method::GET, Method::POST], transaction: "tx" }
    }

    /// A path that another server sends the browser back to, with the transaction in `state`.
    pub fn callback(path: impl Into<String>) -> Self {
        Self { path: path.into(), methods: vec![Method::GET], transaction: "state" }
    }
}

/// The part of a transaction that a sign-in sees.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SignInState {
    /// What it wrote down in an earlier step. Sealed in the store, gone with the transaction.
    pub memory: Value,
    /// The value that forms carry in `tx` and callbacks in `state`.
    pub transaction: String,
    /// What the client asked for.
    pub scopes: Scopes,
    /// Whom the client thinks it is (`login_hint`). Hostile text.
    pub login_hint: Option<String>,
    /// What the client is called, for pages. Hostile text.
    pub client_name: String,
    /// Whether consent was given already ([`ConsentOrder::BeforeSignIn`]).
    pub consented: bool,
    /// Whether the user has to prove anew who it is, though somebody may be signed in here or elsewhere: the client wants it
    /// (`prompt=login`), or the user wants to be somebody else.
    pub fresh: bool,
    /// A name of this browser: the same in all its transactions, and no secret. Whoever signed in with it before is most likely
    /// in front of it again.
    pub browser: Option<String>,
}

/// What a browser sent, after the engine has made sure that it is the browser of this transaction.
#[derive(Clone)]
#[non_exhaustive]
pub struct BrowserRequest {
    /// The method.
    pub method: Method,
    /// The URI, below the origin.
    pub uri: Uri,
    /// Its path below the public URL: which route this is.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The parameters of the query, or of the form that was posted. None stands there twice.
    pub params: Vec<(String, String)>,
    /// Where it came from, as far as known.
    pub address: Option<std::net::IpAddr>,
    pub(crate) begins: bool,
}

impl BrowserRequest {
    /// Whether the sign-in is to begin, or to begin anew: this is no request to a route of its own, and has no parameters.
    #[must_use]
    pub fn begins(&self) -> bool {
        self.begins
    }

    /// The value of a parameter.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for BrowserRequest {
    // Passwords and codes are among the parameters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrowserRequest")
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// What comes next.
#[derive(Debug)]
#[non_exhaustive]
pub enum Step {
    /// A page, most often with a form.
    Page(Page),
    /// Another server. Possible only once consent was given ([`SignInState::consented`]), or for a sign-in that is asked first.
    Redirect(url::Url),
    /// It is this user.
    Done(User),
    /// It is nobody who may come in: said to the user in these words, and to the client as `access_denied`.
    Refused(String),
    /// The user does not want to after all, or could not elsewhere: the browser goes back to the client with `access_denied`.
    Cancelled,
    /// We cannot tell at the moment: 503, and the transaction stays as it is.
    Unavailable,
}

/// Who signed in.
#[derive(Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct User {
    /// A name that never changes and is never given to another.
    pub subject: String,
    /// What consent pages call the user.
    pub display: String,
    /// What tools may know (login, e-mail, …). Sealed so that only a token of the grant opens it.
    pub props: Value,
    /// What [`SignIn::refresh`] needs to know. Sealed in the store.
    pub memory: Value,
    /// When the user proved who it is.
    #[serde(with = "crate::as_text::millis")]
    pub authenticated_at: Timestamp,
    /// Whether the browser stays signed in, so that the next client need not ask again.
    pub stay: bool,
}

impl User {
    /// A user who proved it at this moment.
    pub fn new(subject: impl Into<String>, display: impl Into<String>, now: Timestamp) -> Self {
        Self {
            subject: subject.into(),
            display: display.into(),
            props: Value::Null,
            memory: Value::Null,
            authenticated_at: now,
            stay: false,
        }
    }

    /// What tools may know.
    #[must_use]
    pub fn props(mut self, props: Value) -> Self {
        self.props = props;
        self
    }

    /// What [`SignIn::refresh`] needs.
    #[must_use]
    pub fn memory(mut self, memory: Value) -> Self {
        self.memory = memory;
        self
    }

    /// Keeps the browser signed in.
    #[must_use]
    pub fn stay_signed_in(mut self) -> Self {
        self.stay = true;
        self
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// What a sign-in says of a browser that stayed signed in.
#[derive(Debug)]
#[non_exhaustive]
pub enum Resumed {
    /// All is as it was.
    Keep,
    /// The same user, of whom something is known otherwise now.
    Changed(User),
    /// The user has to sign in again.
    Ended,
    /// We cannot tell at the moment: 503, and the browser stays signed in.
    Unavailable,
}

/// What a sign-in says at a refresh.
#[derive(Debug)]
#[non_exhaustive]
pub enum Refreshed {
    /// All is as it was.
    Keep,
    /// The user is the same, but something changed.
    Changed {
        /// What tools may know from now on; `None` for what they knew.
        props: Option<Value>,
        /// What the next refresh needs to know; `None` for the same.
        memory: Option<Value>,
        /// The most that tokens may carry from now on; `None` for what was granted.
        scopes: Option<Scopes>,
    },
    /// The user may not come in any more: the grant ends.
    Ended,
    /// We cannot tell at the moment: 503, and the grant stays as it is.
    Unavailable,
}

/// A grant, as sign-ins, operators and users see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GrantView {
    /// What it is called. Not a secret.
    pub id: String,
    /// Whose it is.
    pub subject: String,
    /// The client that holds it.
    pub client_id: String,
    /// What the client calls itself.
    pub client_name: Option<String>,
    /// What was granted, as the text of RFC 6749 §3.3.
    pub scopes: String,
    /// The resources it is for.
    pub resources: Vec<String>,
    /// When it was given.
    #[serde(with = "crate::as_text::millis")]
    pub created_at: Timestamp,
    /// When it ends by itself.
    #[serde(with = "crate::as_text::millis")]
    pub expires_at: Timestamp,
}
