//! The choices of an [`AuthLayer`].

use std::sync::Arc;
use std::time::Duration;

use crate::audit::Audit;
use crate::challenge::Challenger;
use crate::gate::Gate;
use crate::limits::{Limits, TrustedProxies};
use crate::policy::Policy;
use crate::session::SessionBinding;
use crate::stream::Streams;
use crate::{Authenticator, Clock, ConfigError, ProtectedResource, SecretKey, SiteContext, SystemClock};

use super::AuthLayer;

/// An [`AuthLayer`] being put together.
#[derive(Debug)]
#[must_use = "a layer is made by `build`"]
pub struct AuthLayerBuilder {
    authenticator: Arc<dyn Authenticator>,
    resource: ProtectedResource,
    pub(crate) policy: Policy,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) audit: Audit,
    pub(crate) limits: Limits,
    pub(crate) proxies: TrustedProxies,
    pub(crate) session_key: Option<SecretKey>,
    pub(crate) streams: Arc<Streams>,
    pub(crate) check_every: Duration,
    pub(crate) body_limit: usize,
}

impl AuthLayerBuilder {
    pub(crate) fn new(authenticator: Arc<dyn Authenticator>, resource: ProtectedResource) -> Self {
        Self {
            authenticator,
            resource,
            policy: Policy::new(),
            clock: Arc::new(SystemClock),
            audit: Audit::default(),
            limits: Limits::default(),
            proxies: TrustedProxies::default(),
            session_key: None,
            streams: Arc::default(),
            check_every: Duration::from_secs(30),
            body_limit: 4 * 1024 * 1024,
        }
    }

    /// What callers may do.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// The clock to go by.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Where decisions are recorded.
    pub fn audit(mut self, audit: Audit) -> Self {
        self.audit = audit;
        self
    }

    /// How many attempts are answered.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The reverse proxies whose word on a client's address counts.
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.proxies = proxies;
        self
    }

    /// The key sessions are bound with. Random per process unless nodes share sessions.
    pub fn session_key(mut self, key: SecretKey) -> Self {
        self.session_key = Some(key);
        self
    }

    /// Checks the set-up and starts the authenticator.
    ///
    /// # Errors
    /// When the authenticator finds the set-up unsafe.
    pub async fn build(self) -> Result<AuthLayer, ConfigError> {
        let context = SiteContext::new(self.resource.site().clone(), vec![self.resource.clone()])
            .with_clock(self.clock.clone())
            .with_audit(self.audit.clone());
        self.authenticator.start(&context).await?;
        Ok(self.started())
    }

    /// The layer, its authenticator started by the caller.
    pub(crate) fn started(self) -> AuthLayer {
        let metadata = self.authenticator.metadata(&self.resource);
        let challenger = Challenger::new(&self.resource, &metadata, self.policy.required());
        let sessions = SessionBinding::new(&self.session_key.unwrap_or_else(SecretKey::random));
        AuthLayer {
            gate: Arc::new(Gate {
                credential_headers: self.authenticator.credential_headers(),
                authenticator: self.authenticator,
                resource: self.resource,
                policy: self.policy,
                challenger,
                sessions,
                streams: self.streams,
                clock: self.clock,
                audit: self.audit,
                limits: self.limits,
                proxies: self.proxies,
                check_every: self.check_every,
                body_limit: self.body_limit,
                open: metadata.open,
            }),
        }
    }
}
