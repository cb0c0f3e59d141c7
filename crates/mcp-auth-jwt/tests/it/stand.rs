//! A whole site around any authenticator, called in memory; and the authenticator asked directly.

use std::sync::Arc;

use mcp_auth_testkit::{Client, FakeClock};
use mcp_core::{
    AtOnce, AuthError, Authenticator, Body, BoxService, Clock, ConfigError, Identity, ProtectedResource,
    PublicUrl, RequestHead, Site, SiteContext,
};

/// An authenticator that was started for a site of two resources.
pub(crate) struct Stand<A> {
    pub(crate) auth: Arc<A>,
    pub(crate) mcp: ProtectedResource,
    pub(crate) sse: ProtectedResource,
    url: PublicUrl,
}

impl<A: Authenticator> Stand<A> {
    pub(crate) async fn start(auth: A, clock: &FakeClock) -> Result<Self, ConfigError> {
        Self::start_on(auth, clock.clone()).await
    }

    pub(crate) fn not_started(auth: A) -> Self {
        let url: PublicUrl = "https://mcp.test".parse().unwrap();
        Self {
            auth: Arc::new(auth),
            mcp: ProtectedResource::new(&url, "/mcp"),
            sse: ProtectedResource::new(&url, "/sse"),
            url,
        }
    }

    pub(crate) async fn start_on(auth: A, clock: impl Clock) -> Result<Self, ConfigError> {
        let stand = Self::not_started(auth);
        let resources = vec![stand.mcp.clone(), stand.sse.clone()];
        let site = SiteContext::new(stand.url.clone(), resources).with_clock(Arc::new(clock));
        stand.auth.start(&site).await?;
        Ok(stand)
    }

    pub(crate) async fn with_headers(&self, headers: &[(&str, &str)]) -> Result<Identity, AuthError> {
        self.at(&self.mcp, headers).await
    }

    pub(crate) async fn at(
        &self,
        resource: &ProtectedResource,
        headers: &[(&str, &str)],
    ) -> Result<Identity, AuthError> {
        let parts = parts(resource, headers);
        self.auth.authenticate(&RequestHead::new(&parts, &self.url, resource.path()), resource).await
    }

    /// What is said of a request to `/mcp` without waiting.
    pub(crate) fn at_once(&self, headers: &[(&str, &str)]) -> AtOnce {
        let parts = parts(&self.mcp, headers);
        self.auth.authenticate_now(&RequestHead::new(&parts, &self.url, self.mcp.path()), &self.mcp)
    }

    pub(crate) fn bearer_at_once(&self, token: &str) -> AtOnce {
        self.at_once(&[("authorization", &format!("Bearer {token}"))])
    }

    pub(crate) async fn bearer(&self, token: &str) -> Result<Identity, AuthError> {
        self.with_headers(&[("authorization", &format!("Bearer {token}"))]).await
    }

    pub(crate) async fn bearer_at(
        &self,
        resource: &ProtectedResource,
        token: &str,
    ) -> Result<Identity, AuthError> {
        self.at(resource, &[("authorization", &format!("Bearer {token}"))]).await
    }

    /// The status a request with this token is answered with: 200, or the error's.
    pub(crate) async fn status(&self, token: &str) -> u16 {
        self.bearer(token).await.map_or_else(|error| error.status().as_u16(), |_| 200)
    }
}

fn parts(resource: &ProtectedResource, headers: &[(&str, &str)]) -> http::request::Parts {
    let mut request = http::Request::post(resource.path());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (parts, ()) = request.body(()).unwrap().into_parts();
    parts
}

/// A site whose `/mcp` and `/sse` answer with the caller's name and the headers they got.
pub(crate) async fn site(auth: impl Authenticator, clock: &FakeClock) -> Client {
    let mirror = BoxService::from_fn(|request: http::Request<Body>| async move {
        let caller = request.extensions().get::<Identity>().unwrap().subject().to_string();
        let headers: Vec<String> = request.headers().keys().map(ToString::to_string).collect();
        let answer = serde_json::json!({ "caller": caller, "headers": headers });
        http::Response::new(Body::from(answer.to_string()))
    });
    let site = Site::new("https://mcp.test")
        .resource("/mcp", mirror.clone())
        .resource("/sse", mirror)
        .auth(auth)
        .clock(Arc::new(clock.clone()))
        .build()
        .await
        .unwrap();
    Client::in_memory("https://mcp.test", site)
}
