//! The simplest sign-in: one owner, one password.
//!
//! ```
//! use mcp_auth_provider::{OAuthProvider, OwnerSignIn};
//!
//! // Made at the first start, and shown once:
//! let sign_in = OwnerSignIn::generated(|password| println!("Your password: {password}"));
//! let provider = OAuthProvider::new(sign_in.name("Ada"));
//! # let _ = provider;
//! ```

mod hash;
mod password;
mod throttle;

use std::fmt;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use http::{Method, StatusCode};
use mcp_core::ConfigError;
use mcp_store::Vault;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{
    BrowserRequest, GrantView, Refreshed, Resumed, SignIn, SignInContext, SignInRoute, SignInState, Step,
    User,
};
use crate::{Field, Page};

use hash::Hasher;
use password::Password;
use throttle::{Origin, Throttle};

/// Lets in whoever knows one password: for a server that has one owner.
///
/// The store keeps an argon2id hash of it and nothing else. When the password changes, every browser has to sign in again,
/// and every grant ends at its next refresh (attack RT15): whoever changes a password most often has a reason.
///
/// Guesses are counted in the store, so by all servers on it together: five at once from one address and then ever slower, down to
/// one a minute; and a hundred from everywhere, then one in ten seconds. A browser that the owner signed in with before is counted
/// by itself, so nobody can lock the owner out of it. Behind a reverse proxy the site has to know it
/// ([`trusted_proxies`](mcp_core::SiteBuilder::trusted_proxies)), or everybody has one address.
pub struct OwnerSignIn {
    source: Source,
    subject: String,
    name: String,
    path: String,
    stay: bool,
    running: OnceLock<Running>,
}

enum Source {
    Configured(Zeroizing<String>),
    Generated(Arc<dyn Fn(&str) + Send + Sync>),
}

struct Running {
    vault: Vault,
    hasher: Hasher,
    throttle: Throttle,
}

impl OwnerSignIn {
    /// With a password of the operator's own, of at least 12 characters. Where it is another than at the last start, the new
    /// one is good from now on.
    pub fn with_password(password: impl Into<String>) -> Self {
        Self::new(Source::Configured(Zeroizing::new(password.into())))
    }

    /// With a password of 125 random bits, made when the store has none yet, and told once: by the server that made it, where
    /// several start at once. Nobody can read it afterwards.
    pub fn generated(told: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self::new(Source::Generated(Arc::new(told)))
    }

    /// The subject that tools see, `owner` unless said. It must never change: data hangs on it.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = subject.into();
        self
    }

    /// What pages call the owner, and tools find as `name`.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The path of the form, `/sign-in` unless said.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Asks for the password each time, instead of once per
    /// [browser session](crate::Lifetimes::browser_session).
    #[must_use]
    pub fn ask_each_time(mut self) -> Self {
        self.stay = false;
        self
    }

    fn new(source: Source) -> Self {
        Self {
            source,
            subject: "owner".to_owned(),
            name: "Owner".to_owned(),
            path: "/sign-in".to_owned(),
            stay: true,
            running: OnceLock::new(),
        }
    }

    fn form(&self, state: &SignInState) -> Page {
        Page::form("Sign in", self.path.as_str(), state)
            .hidden("username", &self.subject)
            .field(Field::password("password", "Password").autocomplete("current-password").focus())
            .submit("Sign in")
    }

    async fn check(&self, running: &Running, state: &SignInState, request: &BrowserRequest) -> Step {
        let guess = request.param("password").unwrap_or_default();
        if guess.is_empty() || guess.chars().count() > MOST || guess.contains('\0') {
            let page = self.form(state).error("That cannot be a password.");
            return Step::Page(page.status(StatusCode::BAD_REQUEST));
        }
        let now = running.vault.now();
        let from = Origin { address: request.address, browser: state.browser.as_deref() };
        // Counted before it is looked at, so that many guesses at once are many.
        match running.throttle.take(from).await {
            Ok(None) => {}
            Ok(Some(wait)) => {
                let seconds = wait.as_secs().saturating_add(1);
                let text = format!("There were too many wrong passwords. Try again in {seconds} seconds.");
                let page = self.form(state).error(text).retry_after(seconds);
                return Step::Page(page.status(StatusCode::TOO_MANY_REQUESTS));
            }
            Err(error) => return cannot_tell(&error),
        }
        let password = match Password::read(&running.vault).await {
            Ok(Some(password)) => password,
            Ok(None) => return Step::Unavailable,
            Err(error) => return cannot_tell(&error),
        };
        match running.hasher.fits(guess, &password).await {
            Some(true) => {}
            Some(false) => {
                let page = self.form(state).error("That is not the password.");
                return Step::Page(page.status(StatusCode::FORBIDDEN));
            }
            None => return Step::Unavailable,
        }
        if let Err(error) = running.throttle.forgive(from).await {
            tracing::warn!(%error, "a count of wrong passwords could not be taken back");
        }
        let user = User::new(self.subject.as_str(), self.name.as_str(), now)
            .props(json!({ "name": self.name }))
            .memory(json!({ "password": password.version }));
        Step::Done(if self.stay { user.stay_signed_in() } else { user })
    }

    /// Whether the password is still the one that was typed then. `None` if we cannot tell.
    async fn is_same(&self, memory: &Value) -> Option<bool> {
        let running = self.running.get()?;
        match Password::read(&running.vault).await {
            Ok(Some(password)) => Some(memory["password"] == password.version.as_str()),
            Ok(None) => Some(false),
            Err(error) => {
                tracing::warn!(%error, "the owner's password cannot be read");
                None
            }
        }
    }
}

#[async_trait]
impl SignIn for OwnerSignIn {
    async fn start(&self, context: &SignInContext) -> Result<(), ConfigError> {
        let vault = context.vault().clone();
        let hasher = Hasher::new();
        match &self.source {
            Source::Configured(password) => {
                if password.chars().count() < LEAST {
                    return Err(ConfigError::new(format!(
                        "the owner's password has fewer than {LEAST} characters: take a longer one, or \
                         OwnerSignIn::generated(…)"
                    )));
                }
                if password.chars().count() > MOST || password.contains('\0') {
                    return Err(ConfigError::new("the owner's password is too long, or has a NUL in it"));
                }
                password::configure(&vault, &hasher, password).await?;
            }
            Source::Generated(told) => password::generate(&vault, &hasher, &**told).await?,
        }
        let running = Running { throttle: Throttle::new(vault.clone()), vault, hasher };
        self.running
            .set(running)
            .map_err(|_| ConfigError::new("one OwnerSignIn serves one provider: make another for this one"))
    }

    fn routes(&self) -> Vec<SignInRoute> {
        vec![SignInRoute::form(self.path.as_str())]
    }

    async fn step(&self, state: &mut SignInState, request: BrowserRequest) -> Step {
        match self.running.get() {
            Some(running) if request.method == Method::POST && !request.begins() => {
                self.check(running, state, &request).await
            }
            Some(_) => Step::Page(self.form(state)),
            None => Step::Unavailable,
        }
    }

    async fn resume(&self, user: &User) -> Resumed {
        match self.is_same(&user.memory).await {
            Some(true) if user.subject == self.subject => Resumed::Keep,
            Some(_) => Resumed::Ended,
            None => Resumed::Unavailable,
        }
    }

    async fn refresh(&self, grant: &GrantView, memory: &Value) -> Refreshed {
        match self.is_same(memory).await {
            Some(true) if grant.subject == self.subject => Refreshed::Keep,
            Some(_) => Refreshed::Ended,
            None => Refreshed::Unavailable,
        }
    }
}

impl fmt::Debug for OwnerSignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnerSignIn").field("subject", &self.subject).finish_non_exhaustive()
    }
}

fn cannot_tell(error: &mcp_store::StoreError) -> Step {
    tracing::warn!(%error, "the store did not answer");
    Step::Unavailable
}

/// The fewest characters a password may have (NIST SP 800-63B asks for 15 where it is all there is, or 8 beside something else;
/// guesses are few here).
const LEAST: usize = 12;
/// The most, so that nobody makes the server hash megabytes.
const MOST: usize = 4096;
