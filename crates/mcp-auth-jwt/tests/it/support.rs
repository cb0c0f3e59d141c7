//! A site, requests to it, and keys made here.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mcp_auth_jwt::{JwtAuthenticator, Keys};
use mcp_auth_testkit::{Algorithm, FakeClock, TokenAuthority, TokenBuilder};
use mcp_core::audit::{Audit, AuditEvent, AuditSink};
use mcp_core::{
    AuthError, Authenticator, ConfigError, Identity, ProtectedResource, PublicUrl, RequestHead, SiteContext,
    Timestamp,
};

pub(crate) const MCP: &str = "https://mcp.test/mcp";
pub(crate) const START: Timestamp = Timestamp::from_secs(1_800_000_000);

/// An authenticator with a site of two resources around it, on a clock of its own.
pub(crate) struct Guarded {
    pub(crate) auth: JwtAuthenticator,
    pub(crate) clock: FakeClock,
    pub(crate) events: Arc<Events>,
    pub(crate) url: PublicUrl,
    pub(crate) mcp: ProtectedResource,
    pub(crate) sse: ProtectedResource,
}

#[derive(Debug, Default)]
pub(crate) struct Events(Mutex<Vec<AuditEvent>>);

impl AuditSink for Events {
    fn record(&self, event: &AuditEvent) {
        self.0.lock().unwrap().push(event.clone());
    }
}

impl Events {
    #[cfg(feature = "fetch")]
    pub(crate) fn all(&self) -> Vec<AuditEvent> {
        self.0.lock().unwrap().clone()
    }
}

impl Guarded {
    pub(crate) async fn start(auth: JwtAuthenticator, clock: &FakeClock) -> Result<Self, ConfigError> {
        let url: PublicUrl = "https://mcp.test".parse()?;
        let guarded = Self {
            auth,
            clock: clock.clone(),
            events: Arc::new(Events::default()),
            mcp: ProtectedResource::new(&url, "/mcp"),
            sse: ProtectedResource::new(&url, "/sse"),
            url,
        };
        let site = SiteContext::new(guarded.url.clone(), vec![guarded.mcp.clone(), guarded.sse.clone()])
            .with_clock(Arc::new(clock.clone()))
            .with_audit(Audit::default().to(guarded.events.clone()));
        guarded.auth.start(&site).await?;
        Ok(guarded)
    }

    pub(crate) async fn request(
        &self,
        resource: &ProtectedResource,
        headers: &[(&str, &str)],
    ) -> Result<Identity, AuthError> {
        let mut request = http::Request::post(resource.path());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let head = RequestHead::new(&parts, &self.url, resource.path());
        self.auth.authenticate(&head, resource).await
    }

    pub(crate) async fn bearer(&self, token: &str) -> Result<Identity, AuthError> {
        self.bearer_at(&self.mcp, token).await
    }

    pub(crate) async fn bearer_at(
        &self,
        resource: &ProtectedResource,
        token: &str,
    ) -> Result<Identity, AuthError> {
        self.request(resource, &[("authorization", &format!("Bearer {token}"))]).await
    }

    /// The status a request with this token is answered with: 200, or the error's.
    pub(crate) async fn status(&self, token: &str) -> u16 {
        match self.bearer(token).await {
            Ok(_) => 200,
            Err(error) => error.status().as_u16(),
        }
    }

    /// Asserts that the token is refused as invalid, in our own words.
    pub(crate) async fn refuses(&self, what: &str, token: &str) {
        match self.bearer(token).await {
            Ok(identity) => panic!("{what}: let in as {identity:?}"),
            Err(error) => {
                assert_eq!(error.status(), 401, "{what}: {error:?}");
                assert_eq!(error.code(), Some("invalid_token"), "{what}: {error:?}");
            }
        }
    }
}

/// An authority on a clock that stands still.
pub(crate) async fn authority() -> (TokenAuthority, FakeClock) {
    let clock = FakeClock::at(START);
    let authority = TokenAuthority::builder().clock(clock.clone()).start().await.unwrap();
    (authority, clock)
}

/// A good token for `/mcp`.
pub(crate) fn good(authority: &TokenAuthority) -> TokenBuilder {
    authority.token().audience(MCP).scopes("files:read")
}

/// An authenticator that has the authority's published keys.
pub(crate) fn with_keys(authority: &TokenAuthority) -> JwtAuthenticator {
    JwtAuthenticator::keys(authority.issuer(), Keys::jwks(authority.jwks().to_string()).unwrap())
}

/// An authority and an authenticator that has its keys.
pub(crate) async fn guarded() -> (TokenAuthority, Guarded) {
    let (authority, clock) = authority().await;
    let guarded = Guarded::start(with_keys(&authority), &clock).await.unwrap();
    (authority, guarded)
}

pub(crate) const ALGORITHMS: [Algorithm; 5] =
    [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa];

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[cfg(feature = "fetch")]
pub(crate) fn loopback() -> mcp_outbound::OutboundClient {
    mcp_outbound::OutboundClient::builder().dangerous().allow_loopback().build().unwrap()
}
