//! What an operator may choose: lifetimes and paths.
//!
//! ```
//! use std::time::Duration;
//! use mcp_auth_provider::Lifetimes;
//!
//! let short = Lifetimes::new().access_token(Duration::from_secs(300));
//! assert!(short.check().is_ok());
//! assert!(Lifetimes::new().access_token(Duration::from_secs(90_000)).check().is_err());
//! ```

use std::time::Duration;

use mcp_core::ConfigError;

/// How long things live.
///
/// | what | default | bounds |
/// |---|---|---|
/// | authorization code | 60 s | 10 s to 10 min (RFC 6749 §4.1.2) |
/// | access token | 1 h | 1 min to 24 h |
/// | refresh token that is not used | 30 d | 1 h to 1 year |
/// | grant, however often refreshed | 180 d | 1 h to 10 years |
/// | replay window of a rotated refresh token | 60 s | 0 to 30 min |
/// | sign-in and consent, from begin to end | 10 min | 1 to 60 min |
/// | pushed authorization request that no browser has come with | 90 s | 5 s to 10 min |
/// | device code, to be polled with and typed in | 10 min | 1 to 30 min |
/// | browser session: unused, at most | 12 h, 7 d | 5 min to 90 d |
/// | how late a revocation may be noticed | 1 s | 0 to 60 s |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    pub(crate) code: Duration,
    pub(crate) access: Duration,
    pub(crate) refresh_idle: Duration,
    pub(crate) grant: Duration,
    pub(crate) replay: Duration,
    pub(crate) transaction: Duration,
    pub(crate) pushed: Duration,
    pub(crate) device: Duration,
    pub(crate) session_idle: Duration,
    pub(crate) session: Duration,
    pub(crate) notice: Duration,
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

impl Default for Lifetimes {
    fn default() -> Self {
        Self::new()
    }
}

impl Lifetimes {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self {
            code: MINUTE,
            access: HOUR,
            refresh_idle: 30 * DAY,
            grant: 180 * DAY,
            replay: MINUTE,
            transaction: 10 * MINUTE,
            pushed: Duration::from_secs(90),
            device: 10 * MINUTE,
            session_idle: 12 * HOUR,
            session: 7 * DAY,
            notice: Duration::from_secs(1),
        }
    }

    /// How long an authorization code can be redeemed.
    #[must_use]
    pub fn code(mut self, span: Duration) -> Self {
        self.code = span;
        self
    }

    /// How long an access token is good. Short, because servers that check signatures alone learn of no revocation.
    #[must_use]
    pub fn access_token(mut self, span: Duration) -> Self {
        self.access = span;
        self
    }

    /// How long a refresh token is good that nobody uses.
    #[must_use]
    pub fn unused_refresh_token(mut self, span: Duration) -> Self {
        self.refresh_idle = span;
        self
    }

    /// After what time a user has to sign in and consent again, however often the client has refreshed.
    #[must_use]
    pub fn grant(mut self, span: Duration) -> Self {
        self.grant = span;
        self
    }

    /// How long the answer to a refresh is given again to a client that did not get it.
    #[must_use]
    pub fn replay_window(mut self, span: Duration) -> Self {
        self.replay = span;
        self
    }

    /// How long a user may take from `/authorize` to the end of consent.
    #[must_use]
    pub fn sign_in(mut self, span: Duration) -> Self {
        self.transaction = span;
        self
    }

    /// How long after a request was pushed a browser may come with it (`expires_in`, RFC 9126 §2.2).
    #[must_use]
    pub fn pushed_request(mut self, span: Duration) -> Self {
        self.pushed = span;
        self
    }

    /// How long a user may take to type the code of a device and to say yes (`expires_in`, RFC 8628 §3.2).
    #[must_use]
    pub fn device_code(mut self, span: Duration) -> Self {
        self.device = span;
        self
    }

    /// How long a browser stays signed in: without being used, and at most.
    #[must_use]
    pub fn browser_session(mut self, unused: Duration, at_most: Duration) -> Self {
        self.session_idle = unused;
        self.session = at_most;
        self
    }

    /// How long a process may go by what it read before, so how late it may notice a revocation by another. Zero asks the
    /// store about every request.
    #[must_use]
    pub fn notice_revocations_within(mut self, span: Duration) -> Self {
        self.notice = span;
        self
    }

    /// Whether all of them are within their bounds.
    ///
    /// # Errors
    /// The first that is not, and what it may be.
    pub fn check(&self) -> Result<(), ConfigError> {
        let bounds = [
            ("authorization code", self.code, Duration::from_secs(10), 10 * MINUTE),
            ("access token", self.access, MINUTE, DAY),
            ("unused refresh token", self.refresh_idle, HOUR, 366 * DAY),
            ("grant", self.grant, HOUR, 3660 * DAY),
            ("replay window", self.replay, Duration::ZERO, 30 * MINUTE),
            ("sign-in", self.transaction, MINUTE, HOUR),
            ("pushed authorization request", self.pushed, Duration::from_secs(5), 10 * MINUTE),
            ("device code", self.device, MINUTE, 30 * MINUTE),
            ("unused browser session", self.session_idle, 5 * MINUTE, 90 * DAY),
            ("browser session", self.session, 5 * MINUTE, 90 * DAY),
            ("notice of revocations", self.notice, Duration::ZERO, MINUTE),
        ];
        for (what, span, least, most) in bounds {
            if span < least || span > most {
                return Err(ConfigError::new(format!(
                    "the lifetime of the {what} is {} s: choose between {} and {} s",
                    span.as_secs(),
                    least.as_secs(),
                    most.as_secs()
                )));
            }
        }
        Ok(())
    }
}

/// Where the endpoints are, below the public URL. The defaults are those that clients of 2025-03-26 try (AUTH-90).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    pub(crate) authorize: String,
    pub(crate) consent: String,
    pub(crate) sign_out: String,
    pub(crate) token: String,
    pub(crate) register: String,
    pub(crate) revoke: String,
    pub(crate) introspect: String,
    pub(crate) jwks: String,
    pub(crate) par: String,
    pub(crate) device_authorization: String,
    pub(crate) device: String,
}

impl Default for Paths {
    fn default() -> Self {
        Self::new()
    }
}

macro_rules! path {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[must_use]
        pub fn $name(mut self, path: impl Into<String>) -> Self {
            self.$name = path.into();
            self
        }
    };
}

impl Paths {
    /// The defaults: `/authorize`, `/consent`, `/sign-out`, `/token`, `/register`, `/revoke`, `/introspect`, `/jwks`, `/par`,
    /// `/device_authorization`, `/device`.
    #[must_use]
    pub fn new() -> Self {
        Self {
            authorize: "/authorize".into(),
            consent: "/consent".into(),
            sign_out: "/sign-out".into(),
            token: "/token".into(),
            register: "/register".into(),
            revoke: "/revoke".into(),
            introspect: "/introspect".into(),
            jwks: "/jwks".into(),
            par: "/par".into(),
            device_authorization: "/device_authorization".into(),
            device: "/device".into(),
        }
    }

    path! {
        /// The authorization endpoint (RFC 6749 §3.1).
        authorize
    }
    path! {
        /// The consent page.
        consent
    }
    path! {
        /// Where a browser signs out that stayed signed in.
        sign_out
    }
    path! {
        /// The token endpoint (RFC 6749 §3.2).
        token
    }
    path! {
        /// Dynamic registration (RFC 7591 §3); managing a registration is below it (RFC 7592 §2).
        register
    }
    path! {
        /// Revocation (RFC 7009 §2).
        revoke
    }
    path! {
        /// Introspection (RFC 7662 §2).
        introspect
    }
    path! {
        /// The key set (RFC 7517 §5).
        jwks
    }
    path! {
        /// Pushed authorization requests (RFC 9126 §2).
        par
    }
    path! {
        /// Where a device begins (RFC 8628 §3.1).
        device_authorization
    }
    path! {
        /// Where its user types the code (RFC 8628 §3.3).
        device
    }
}
