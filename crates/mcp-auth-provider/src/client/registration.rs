//! Whether and how clients may register themselves.
//!
//! ```
//! use std::time::Duration;
//! use mcp_auth_provider::Registration;
//!
//! // Whoever asks becomes a client, as the clients of MCP expect.
//! let open = Registration::open();
//! // Only those an administrator gave a token to; they may change and delete what they registered.
//! let closed = Registration::with_initial_access_token("Zk8Q0s5tq8V4vXo1cN2fYb3pLr7uWm9d")?
//!     .manageable()
//!     .forget_unused_after(Duration::from_secs(90 * 24 * 3600));
//! assert!(Registration::with_initial_access_token("guess me").is_err());
//! # let _ = (open, closed);
//! # Ok::<(), mcp_core::ConfigError>(())
//! ```

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mcp_core::limits::Rate;
use mcp_core::{ConfigError, SecretKey};

use super::metadata::{Metadata, Method};
use super::stored::hash;

/// How clients register themselves (RFC 7591).
///
/// | | default |
/// |---|---|
/// | who may | everybody, or holders of an initial access token |
/// | from one address | 20 a minute; a twentieth of what there is for a day (250), where everybody may |
/// | in all | 5,000 a day, on all nodes together |
/// | unused | forgotten after 30 days, but never before its last refresh token |
/// | secrets | end with the registration |
/// | changes (RFC 7592) | none; with [`manageable`](Self::manageable) by a token of their own |
///
/// Public clients that register the same are one client with one identifier, and count only once. That is safe, since they
/// have nothing that another could not have, and it keeps a thousand installations of one program from being a thousand
/// records.
#[derive(Clone)]
#[must_use]
pub struct Registration {
    tokens: Vec<Vec<u8>>,
    policy: Option<Policy>,
    pub(super) manageable: bool,
    pub(super) per_address: Rate,
    pub(super) per_day: u32,
    per_address_and_day: Option<u32>,
    pub(super) unused_for: Duration,
    pub(super) secrets_for: Option<Duration>,
}

/// After what time a client that nobody uses is forgotten, unless said.
pub(super) const UNUSED_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

/// What one address may register in a day, however few there are for all: what it may in a minute.
const LEAST_SHARE: u32 = 20;

type Policy = Arc<dyn Fn(&RegistrationRequest) -> bool + Send + Sync>;

impl Registration {
    /// Everybody may register.
    pub fn open() -> Self {
        Self {
            tokens: Vec::new(),
            policy: None,
            manageable: false,
            per_address: Rate::per_minute(20),
            per_day: 5000,
            per_address_and_day: None,
            unused_for: UNUSED_FOR,
            secrets_for: None,
        }
    }

    /// Only who presents this token may register (RFC 7591 §3).
    ///
    /// # Errors
    /// When it is too short or too well known to be a secret: see [`SecretKey::new`].
    pub fn with_initial_access_token(token: impl AsRef<str>) -> Result<Self, ConfigError> {
        Self::open().or_initial_access_token(token)
    }

    /// One more such token: one for each administrator, or the next one while they are rotated.
    ///
    /// # Errors
    /// As [`with_initial_access_token`](Self::with_initial_access_token).
    pub fn or_initial_access_token(mut self, token: impl AsRef<str>) -> Result<Self, ConfigError> {
        let token = token.as_ref();
        SecretKey::new(token.as_bytes())?;
        self.tokens.push(hash(token));
        Ok(self)
    }

    /// Gives each client a token by which it may read, change and delete its registration (RFC 7592). Then each registration
    /// is a client of its own.
    pub fn manageable(mut self) -> Self {
        self.manageable = true;
        self
    }

    /// Asks this function about each registration that is otherwise in order; `false` refuses it.
    pub fn policy(mut self, policy: impl Fn(&RegistrationRequest) -> bool + Send + Sync + 'static) -> Self {
        self.policy = Some(Arc::new(policy));
        self
    }

    /// How many clients may be registered from one address. Counted in each process by itself.
    pub fn per_address(mut self, rate: Rate) -> Self {
        self.per_address = rate;
        self
    }

    /// How many clients may be registered from one address in a day, so that nobody uses up what there is for all. Counted in
    /// each process by itself. A whole IPv6 /48, which costs its owner no more than a /64, has five times as many.
    ///
    /// Unless said it is a twentieth of [`per_day`](Self::per_day), and 20 at least; where a token is needed to register, as
    /// many as there are.
    pub fn per_address_and_day(mut self, count: u32) -> Self {
        self.per_address_and_day = Some(count);
        self
    }

    /// How many clients may be registered in a day (UTC), by all processes that share the store.
    pub fn per_day(mut self, count: u32) -> Self {
        self.per_day = count;
        self
    }

    /// After what time a client that nobody uses is forgotten.
    pub fn forget_unused_after(mut self, span: Duration) -> Self {
        self.unused_for = span;
        self
    }

    /// After what time a secret ends (`client_secret_expires_at`). Without, it does not end by itself.
    pub fn secrets_expire_after(mut self, span: Duration) -> Self {
        self.secrets_for = Some(span);
        self
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let hour = Duration::from_secs(3600);
        if self.unused_for < hour || self.secrets_for.is_some_and(|span| span < hour) {
            return Err(ConfigError::new(
                "registered clients or their secrets end before anybody can use them: give them an hour at least",
            ));
        }
        Ok(())
    }

    /// How many clients one address may register in a day.
    pub(super) fn share(&self) -> u32 {
        match self.per_address_and_day {
            Some(count) => count,
            None if self.needs_token() => self.per_day,
            None => (self.per_day / 20).max(LEAST_SHARE),
        }
    }

    /// Whether clients get a token for their registration.
    pub(crate) fn is_manageable(&self) -> bool {
        self.manageable
    }

    /// Whether a token is needed to register.
    pub(crate) fn needs_token(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// Whether this is such a token. Compares with each, so that the time does not tell which it is like.
    pub(crate) fn knows_token(&self, token: &str) -> bool {
        let hash = hash(token);
        self.tokens.iter().fold(false, |found, own| found | mcp_core::constant_time_eq(own, &hash))
    }

    pub(super) fn allows(&self, request: &RegistrationRequest) -> bool {
        self.policy.as_ref().is_none_or(|policy| policy(request))
    }
}

// Hashes of tokens are left out: they are of no use to a reader.
impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration")
            .field("needs_token", &self.needs_token())
            .field("manageable", &self.manageable)
            .field("per_day", &self.per_day)
            .field("unused_for", &self.unused_for)
            .finish_non_exhaustive()
    }
}

/// A registration that a [policy](Registration::policy) decides about. All texts are of the client's own making.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RegistrationRequest {
    /// What it calls itself.
    pub client_name: Option<String>,
    /// Where its users will be sent back to. Each was checked.
    pub redirect_uris: Vec<String>,
    /// Whether it will have a way to prove itself.
    pub confidential: bool,
    /// Where the request comes from, as far as known.
    pub address: Option<IpAddr>,
}

impl RegistrationRequest {
    pub(super) fn of(metadata: &Metadata, address: Option<IpAddr>) -> Self {
        Self {
            client_name: metadata.name.clone(),
            redirect_uris: metadata.redirect_uris.clone(),
            confidential: !matches!(metadata.method, Method::None),
            address,
        }
    }
}
