//! The trait at which the four patterns meet.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use http::{Extensions, HeaderMap, HeaderName};

use crate::audit::Audit;
use crate::limits::TrustedProxies;
use crate::{
    AuthError, Clock, ConfigError, Connection, Identity, ProtectedResource, PublicUrl, RequestHead,
    ResourceMetadata, Route, SystemClock,
};

/// Says who sent a request. Everything behind it cannot tell the four patterns apart.
///
/// ```
/// use mcp_core::{async_trait, AuthError, Authenticator, Credential, Identity, ProtectedResource, RequestHead};
///
/// /// Lets in whoever knows one word.
/// #[derive(Debug)]
/// struct Password(&'static str);
///
/// #[async_trait]
/// impl Authenticator for Password {
///     async fn authenticate(
///         &self,
///         request: &RequestHead<'_>,
///         _resource: &ProtectedResource,
///     ) -> Result<Identity, AuthError> {
///         match request.credential()? {
///             Credential::Bearer(token) if mcp_core::constant_time_eq(token, self.0) => {
///                 Ok(Identity::new("urn:example", "friend").build())
///             }
///             _ => Err(AuthError::invalid_token("that is not the word")),
///         }
///     }
/// }
/// ```
#[async_trait]
pub trait Authenticator: fmt::Debug + Send + Sync + 'static {
    /// Called once, before the first request. Refuses what cannot be safe.
    ///
    /// An issuer that cannot be reached is no error here: its requests are answered 503 until it can. One that answers
    /// wrongly is.
    ///
    /// # Errors
    /// When the set-up cannot be safe or cannot work, in a sentence that says what to write instead.
    async fn start(&self, site: &SiteContext) -> Result<(), ConfigError> {
        let _ = site;
        Ok(())
    }

    /// Who sent this, and may they speak to this resource at all? Sees the request's head, never its body.
    ///
    /// # Errors
    /// Why not: see [`AuthError`]. A credential of another kind is [`AuthError::not_mine`], so that a composition can
    /// try the next authenticator; doubt about one's own state is [`AuthError::unavailable`], never an invalid token.
    async fn authenticate(
        &self,
        request: &RequestHead<'_>,
        resource: &ProtectedResource,
    ) -> Result<Identity, AuthError>;

    /// The same without waiting, where that is possible: a credential seen before, or nobody asked for one.
    ///
    /// Lets in only whom [`authenticate`](Self::authenticate) would let in at this moment. [`AtOnce::Ask`] leaves the answer,
    /// and every refusal, to it; that is always right.
    fn authenticate_now(&self, request: &RequestHead<'_>, resource: &ProtectedResource) -> AtOnce {
        let _ = (request, resource);
        AtOnce::Ask
    }

    /// What the metadata of a resource says of the tokens it takes.
    fn metadata(&self, resource: &ProtectedResource) -> ResourceMetadata {
        let _ = resource;
        ResourceMetadata::default()
    }

    /// Endpoints of its own. None by default.
    fn routes(&self) -> Vec<Route> {
        Vec::new()
    }

    /// Headers beside `Authorization` that carry its credentials. They are taken off before a request goes on.
    fn credential_headers(&self) -> Vec<HeaderName> {
        Vec::new()
    }

    /// Is an identity given earlier still good? Asked again by long streams; their expiry is watched besides.
    ///
    /// # Errors
    /// As [`authenticate`](Self::authenticate). [`AuthError::unavailable`] keeps the stream until the next asking.
    async fn still_valid(&self, identity: &Identity) -> Result<(), AuthError> {
        let _ = identity;
        Ok(())
    }
}

/// What an authenticator can say of a request without waiting for anything.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AtOnce {
    /// Who sent it.
    Known(Identity),
    /// There is no credential here that it judges: [`authenticate`](Authenticator::authenticate) would say
    /// [`not_mine`](AuthError::not_mine) or [`missing`](AuthError::missing), without a doubt. So a composition need not wait
    /// for it before it goes on to the next.
    NotMine,
    /// Only [`authenticate`](Authenticator::authenticate) can tell.
    Ask,
}

#[async_trait]
impl<A: Authenticator + ?Sized> Authenticator for Arc<A> {
    async fn start(&self, site: &SiteContext) -> Result<(), ConfigError> {
        (**self).start(site).await
    }

    async fn authenticate(
        &self,
        request: &RequestHead<'_>,
        resource: &ProtectedResource,
    ) -> Result<Identity, AuthError> {
        (**self).authenticate(request, resource).await
    }

    fn authenticate_now(&self, request: &RequestHead<'_>, resource: &ProtectedResource) -> AtOnce {
        (**self).authenticate_now(request, resource)
    }

    fn metadata(&self, resource: &ProtectedResource) -> ResourceMetadata {
        (**self).metadata(resource)
    }

    fn routes(&self) -> Vec<Route> {
        (**self).routes()
    }

    fn credential_headers(&self) -> Vec<HeaderName> {
        (**self).credential_headers()
    }

    async fn still_valid(&self, identity: &Identity) -> Result<(), AuthError> {
        (**self).still_valid(identity).await
    }
}

/// What an authenticator learns at start of the site it guards.
#[derive(Clone, Debug)]
pub struct SiteContext {
    url: PublicUrl,
    resources: Vec<ProtectedResource>,
    clock: Arc<dyn Clock>,
    audit: Audit,
    listener: Option<SocketAddr>,
    proxies: TrustedProxies,
}

impl SiteContext {
    /// The context of a site with these resources, on the system's clock and without an audit sink.
    #[must_use]
    pub fn new(url: PublicUrl, resources: Vec<ProtectedResource>) -> Self {
        Self {
            url,
            resources,
            clock: Arc::new(SystemClock),
            audit: Audit::default(),
            listener: None,
            proxies: TrustedProxies::default(),
        }
    }

    /// With another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// With a place to record decisions.
    #[must_use]
    pub fn with_audit(mut self, audit: Audit) -> Self {
        self.audit = audit;
        self
    }

    /// With the address the server listens on.
    #[must_use]
    pub fn with_listener(mut self, address: SocketAddr) -> Self {
        self.listener = Some(address);
        self
    }

    /// With the reverse proxies whose word on a client's address counts.
    #[must_use]
    pub fn with_trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.proxies = proxies;
        self
    }

    /// Where a request comes from, by its [`Connection`] and the headers of trusted proxies: for limits and records of an
    /// authenticator's own routes. `None` if whoever accepted the connection did not say.
    #[must_use]
    pub fn client_address(&self, extensions: &Extensions, headers: &HeaderMap) -> Option<IpAddr> {
        let peer = extensions.get::<Connection>()?.peer().ip();
        Some(self.proxies.client_address(peer, headers))
    }

    /// The address the server listens on, if whoever starts it said.
    #[must_use]
    pub fn listener(&self) -> Option<SocketAddr> {
        self.listener
    }

    /// The public URL.
    #[must_use]
    pub fn url(&self) -> &PublicUrl {
        &self.url
    }

    /// The resources, in the order they were declared.
    #[must_use]
    pub fn resources(&self) -> &[ProtectedResource] {
        &self.resources
    }

    /// The clock everything of this site goes by.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Where decisions are recorded.
    #[must_use]
    pub fn audit(&self) -> &Audit {
        &self.audit
    }
}
