//! The choices of a [`Site`].

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use tower_service::Service;

use crate::audit::{Audit, AuditSink};
use crate::guard::Guard;
use crate::layer::AuthLayerBuilder;
use crate::limits::{Limits, TrustedProxies};
use crate::policy::Policy;
use crate::stream::Streams;
use crate::{
    Access, Authenticator, Body, BoxError, BoxService, Clock, ConfigError, PublicUrl, Route, Scopes,
    SecretKey, SiteContext, SystemClock,
};

use super::endpoint::Endpoint;
use super::table::{Table, Target};
use super::{Shared, Site, metadata};

/// A [`Site`] being put together.
#[derive(Debug)]
#[must_use = "a site is made by `build`"]
pub struct SiteBuilder {
    url: String,
    endpoints: Vec<(Endpoint, BoxService)>,
    belongs: Vec<(String, String)>,
    routes: Vec<Route>,
    authenticator: Option<Arc<dyn Authenticator>>,
    policy: Policy,
    guarded_tools: Vec<(String, Scopes)>,
    hosts: Vec<String>,
    origins: Vec<String>,
    any_origin: bool,
    audit: Audit,
    clock: Arc<dyn Clock>,
    limits: Limits,
    proxies: TrustedProxies,
    session_key: Option<SecretKey>,
    listener: Option<SocketAddr>,
    health: Option<String>,
    check_every: Duration,
    body_limit: usize,
}

impl SiteBuilder {
    pub(super) fn new(url: String) -> Self {
        Self {
            url,
            endpoints: Vec::new(),
            belongs: Vec::new(),
            routes: Vec::new(),
            authenticator: None,
            policy: Policy::new(),
            guarded_tools: Vec::new(),
            hosts: Vec::new(),
            origins: Vec::new(),
            any_origin: false,
            audit: Audit::default(),
            clock: Arc::new(SystemClock),
            limits: Limits::default(),
            proxies: TrustedProxies::default(),
            session_key: None,
            listener: None,
            health: Some("/healthz".to_owned()),
            check_every: Duration::from_secs(30),
            body_limit: 4 * 1024 * 1024,
        }
    }

    /// Adds an MCP endpoint. It gets its own audience and its own metadata document.
    pub fn resource<S, B>(mut self, endpoint: impl Into<Endpoint>, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send + 'static,
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        self.endpoints.push((endpoint.into(), BoxService::new(service)));
        self
    }

    /// Says that a path is part of the endpoint at another: same service, same audience, same policy. The POST endpoint of
    /// HTTP+SSE is part of its stream's.
    pub fn belongs(mut self, path: impl Into<String>, to: impl Into<String>) -> Self {
        self.belongs.push((path.into(), to.into()));
        self
    }

    /// Adds a route that needs no token, on purpose.
    pub fn public(mut self, route: Route) -> Self {
        self.routes.push(route);
        self
    }

    /// Who says who is calling.
    pub fn auth(mut self, authenticator: impl Authenticator) -> Self {
        self.authenticator = Some(Arc::new(authenticator));
        self
    }

    /// What callers may do, on every endpoint without a policy of its own.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Lets only callers with these scopes use a tool, on every endpoint: this holds beside the site's policy and beside
    /// those of endpoints.
    ///
    /// # Panics
    /// When a literal is not a scope.
    pub fn guard_tool(mut self, name: impl Into<String>, scopes: impl Into<Scopes>) -> Self {
        self.guarded_tools.push((name.into(), scopes.into()));
        self
    }

    /// Answers requests with this `Host` too: `name` or `name:port`, as it stands in the header. For what is reached
    /// inside a network under another name than the public one.
    pub fn allow_host(mut self, host: impl Into<String>) -> Self {
        self.hosts.push(host.into());
        self
    }

    /// Lets pages of another origin (`https://app.example.com`) use the MCP endpoints.
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }

    /// Lets pages of any origin use the MCP endpoints. They cannot do more than any other client with a token can: no
    /// cookie counts here.
    pub fn allow_any_origin(mut self) -> Self {
        self.any_origin = true;
        self
    }

    /// Adds a place for audit events.
    pub fn audit(mut self, sink: Arc<dyn AuditSink>) -> Self {
        self.audit = self.audit.to(sink);
        self
    }

    /// The clock everything goes by.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
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

    /// The key sessions are bound with, where several nodes share sessions. Random per process otherwise.
    pub fn session_key(mut self, key: SecretKey) -> Self {
        self.session_key = Some(key);
        self
    }

    /// The address the server listens on, which some set-ups are checked against.
    pub fn listener(mut self, address: SocketAddr) -> Self {
        self.listener = Some(address);
        self
    }

    /// Where health probes ask (`/healthz` unless said). They may use any `Host`.
    pub fn health(mut self, path: impl Into<String>) -> Self {
        self.health = Some(path.into());
        self
    }

    /// Answers no health probes.
    pub fn without_health(mut self) -> Self {
        self.health = None;
        self
    }

    /// How often long streams ask whether their caller's credential is still good (30 s unless said; 1 s to 5 min).
    pub fn check_streams_every(mut self, span: Duration) -> Self {
        self.check_every = span.clamp(Duration::from_secs(1), Duration::from_secs(300));
        self
    }

    /// How many bytes of a body are read where a policy judges it (4 MiB unless said).
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// Checks the set-up and starts the authenticator.
    ///
    /// # Errors
    /// A sentence that says what to write instead, when the set-up is incomplete, contradicts itself or cannot be safe.
    pub async fn build(self) -> Result<Site, ConfigError> {
        let url = PublicUrl::parse(&self.url)?;
        let Some(authenticator) = self.authenticator.clone() else {
            return Err(ConfigError::new(
                "nobody says who may come in: add .auth(…), and write .auth(NoAuth::new()) if everybody on this machine \
                 may",
            ));
        };
        if self.endpoints.is_empty() {
            return Err(ConfigError::new(
                "the site has no MCP endpoint: add one with .resource(\"/mcp\", service)",
            ));
        }
        let resources: Vec<_> = self.endpoints.iter().map(|(endpoint, _)| endpoint.resource(&url)).collect();
        let guard = self.guard(&url, resources.iter().any(|r| authenticator.metadata(r).open))?;

        let mut context = SiteContext::new(url.clone(), resources.clone())
            .with_clock(self.clock.clone())
            .with_audit(self.audit.clone())
            .with_trusted_proxies(self.proxies.clone());
        if let Some(address) = self.listener {
            context = context.with_listener(address);
        }
        authenticator.start(&context).await?;

        let streams = Arc::new(Streams::default());
        let session_key = self.session_key.clone().unwrap_or_else(SecretKey::random);
        let mut table = Table::default();
        for ((endpoint, service), resource) in self.endpoints.iter().zip(&resources) {
            let gate = self.gate(&authenticator, endpoint, resource, &session_key, &streams);
            let parts = self.belongs.iter().filter(|(_, to)| same_path(to, endpoint.path()));
            for path in std::iter::once(endpoint.path()).chain(parts.map(|(path, _)| path.as_str())) {
                let path: Arc<str> = path.trim_end_matches('/').into();
                let target =
                    Target::Protected { gate: gate.clone(), service: service.clone(), path: path.clone() };
                let path = if path.is_empty() { "/" } else { &*path };
                table.add_below(&url, path, &target)?;
            }
        }
        for (path, to) in &self.belongs {
            if !self.endpoints.iter().any(|(endpoint, _)| same_path(to, endpoint.path())) {
                return Err(ConfigError::new(format!(
                    "{path} belongs to {to}, and there is no endpoint at {to}: add it with .resource({to:?}, …)"
                )));
            }
        }
        for route in self.routes.iter().cloned().chain(authenticator.routes()) {
            if route.access() == Access::Protected {
                let path = route.path();
                return Err(ConfigError::new(format!(
                    "the route {path} says Access::Protected, but routes are answered without a token: make it an \
                     endpoint with .resource({path:?}, …), or say who else may come"
                )));
            }
            let target = Target::Open(Arc::new(route.clone()));
            if route.is_at_origin() {
                table.add(route.path(), &target)?;
            } else {
                table.add_below(&url, route.path(), &target)?;
            }
        }
        metadata::mount(&mut table, &url, &resources, &*authenticator)?;
        if let Some(path) = &self.health {
            table.add_below(&url, path, &Target::Health)?;
        }
        let routes = std::mem::take(&mut table.routes);
        Ok(Site(Arc::new(Shared {
            url,
            guard,
            table,
            routes,
            resources,
            streams,
            clock: self.clock,
            audit: self.audit,
        })))
    }

    fn guard(&self, url: &PublicUrl, open: bool) -> Result<Guard, ConfigError> {
        if self.any_origin && open && url.is_loopback() {
            return Err(ConfigError::new(
                "allow_any_origin() with NoAuth lets every web page you open call your tools: name the pages with \
                 .allow_origin(\"https://…\"), or put an authenticator there",
            ));
        }
        let mut guard = Guard::new(url);
        for host in &self.hosts {
            guard.allow_host(host)?;
        }
        for origin in &self.origins {
            guard.allow_origin(origin)?;
        }
        if self.any_origin {
            guard.allow_any_origin();
        }
        Ok(guard)
    }

    /// The policy that decides at an endpoint: its own or the site's, and what holds everywhere.
    fn policy_of(&self, endpoint: &Endpoint) -> Policy {
        let policy = endpoint.own_policy().unwrap_or(&self.policy).clone();
        let policy = self
            .guarded_tools
            .iter()
            .fold(policy, |policy, (name, scopes)| policy.tool(name, scopes.clone()));
        match endpoint.own_challenge_form() {
            Some(form) => policy.challenge_form(form),
            None => policy,
        }
    }

    fn gate(
        &self,
        authenticator: &Arc<dyn Authenticator>,
        endpoint: &Endpoint,
        resource: &crate::ProtectedResource,
        session_key: &SecretKey,
        streams: &Arc<Streams>,
    ) -> Arc<crate::gate::Gate> {
        let mut layer = AuthLayerBuilder::new(authenticator.clone(), resource.clone())
            .policy(self.policy_of(endpoint))
            .clock(self.clock.clone())
            .audit(self.audit.clone())
            .session_key(session_key.clone());
        layer.limits = self.limits.clone();
        layer.proxies = self.proxies.clone();
        layer.streams = streams.clone();
        layer.check_every = self.check_every;
        layer.body_limit = self.body_limit;
        layer.started().gate
    }
}

fn same_path(a: &str, b: &str) -> bool {
    a.trim_end_matches('/') == b.trim_end_matches('/')
}
