//! One call from tools to a server.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mcp_core::audit::AuditSink;
use mcp_core::limits::{Limits, TrustedProxies};
use mcp_core::policy::ChallengeForm;
use mcp_core::{
    Authenticator, Clock, ConfigError, Endpoint, Policy, PublicUrl, Scopes, SecretKey, Site, SiteBuilder,
    SystemClock,
};
use mcp_transport_sse::SseLimits;
use rmcp::ServerHandler;
use tokio_util::sync::CancellationToken;

use crate::endpoint_policy::EndpointPolicy;
use crate::endpoints::{Factory, allowed_hosts, sse, streamable};
use crate::error::ServeError;
use crate::listen::{ListenLimits, Running, start};
use crate::sessions::{SessionLimits, Sessions, bounded};
use crate::shutdown::Shutdown;
use crate::signals;

/// Starts a server of these tools: any handler of rmcp. One handler serves all sessions.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// use mcp_auth_rmcp::serve;
/// use mcp_core::NoAuth;
///
/// struct Tools;
/// impl rmcp::ServerHandler for Tools {}
///
/// let site = serve(Tools).at("http://127.0.0.1:8000").auth(NoAuth::new()).into_service().await?;
/// let paths: Vec<&str> = site.routes().iter().map(|route| route.path.as_str()).collect();
/// for path in ["/mcp", "/sse", "/messages"] {
///     assert!(paths.contains(&path), "{path}");
/// }
/// # Ok(()) }
/// ```
pub fn serve<H: ServerHandler>(tools: H) -> Serve<Arc<H>> {
    let tools = Arc::new(tools);
    serve_each(move || tools.clone())
}

/// As [`serve`], with a handler of its own for each session, and for each request outside a session.
pub fn serve_each<H: ServerHandler>(make: impl Fn() -> H + Send + Sync + 'static) -> Serve<H> {
    Serve {
        make: Arc::new(make),
        url: None,
        bind: None,
        policy: Policy::new(),
        hosts: Vec::new(),
        mcp: Some("/mcp".into()),
        sse: Some(("/sse".into(), "/messages".to_owned())),
        session_limits: SessionLimits::default(),
        gather: true,
        sse_limits: SseLimits::default(),
        listen: ListenLimits::default(),
        clock: Arc::new(SystemClock),
        site: Vec::new(),
        authenticator: None,
    }
}

type Choice = Box<dyn FnOnce(SiteBuilder) -> SiteBuilder + Send>;

/// A server being put together: see [`serve`].
#[must_use = "a server runs by `listen`, `start` or `into_service`"]
pub struct Serve<H> {
    make: Factory<H>,
    url: Option<String>,
    bind: Option<String>,
    policy: Policy,
    hosts: Vec<String>,
    mcp: Option<Endpoint>,
    sse: Option<(Endpoint, String)>,
    session_limits: SessionLimits,
    gather: bool,
    sse_limits: SseLimits,
    listen: ListenLimits,
    clock: Arc<dyn Clock>,
    site: Vec<Choice>,
    authenticator: Option<Arc<dyn Authenticator>>,
}

impl<H: ServerHandler> Serve<H> {
    fn site_choice(mut self, choice: impl FnOnce(SiteBuilder) -> SiteBuilder + Send + 'static) -> Self {
        self.site.push(Box::new(choice));
        self
    }

    /// The public URL: the one clients use, without `/mcp`. It is never read from a request.
    ///
    /// A loopback URL with port 0 stands for whatever port is free, for tests.
    pub fn at(mut self, public_url: impl Into<String>) -> Self {
        self.url = Some(public_url.into());
        self
    }

    /// Who says who is calling.
    pub fn auth(mut self, authenticator: impl Authenticator) -> Self {
        self.authenticator = Some(Arc::new(authenticator));
        self
    }

    /// What callers may do on every endpoint without a policy of its own ([`Endpoint::policy`]). It also decides what they
    /// see of the lists. What [`guard`](Self::guard) says holds beside it.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Lets only callers with these scopes use a tool; others do not see it, and get 403 when they call it. This holds on
    /// both transports, beside every policy.
    ///
    /// With [`NoAuth`](mcp_core::NoAuth) nobody holds a scope, so that a guarded tool is closed to everybody.
    ///
    /// # Panics
    /// When a literal is not a scope.
    pub fn guard(self, tool: &str, scopes: impl Into<Scopes>) -> Self {
        let (tool, scopes) = (tool.to_owned(), scopes.into());
        self.site_choice(|site| site.guard_tool(tool, scopes))
    }

    /// The address to listen on, `host:port`. Without it, that of a loopback public URL, and `127.0.0.1:8000` for any
    /// other: behind a reverse proxy on the same machine.
    pub fn bind(mut self, address: impl Into<String>) -> Self {
        self.bind = Some(address.into());
        self
    }

    /// Lets pages of another origin (`https://app.example.com`) use the server.
    pub fn allow_origin(self, origin: impl Into<String>) -> Self {
        let origin = origin.into();
        self.site_choice(|site| site.allow_origin(origin))
    }

    /// Lets pages of these origins use the server.
    pub fn allow_origins(self, origins: impl IntoIterator<Item = impl Into<String>>) -> Self {
        origins.into_iter().fold(self, Self::allow_origin)
    }

    /// Answers requests with this `Host` too: `name` or `name:port`.
    pub fn allow_host(mut self, host: impl Into<String>) -> Self {
        let host = host.into();
        self.hosts.push(host.clone());
        self.site_choice(|site| site.allow_host(host))
    }

    /// Adds a place for audit events.
    pub fn audit(self, sink: Arc<dyn AuditSink>) -> Self {
        self.site_choice(|site| site.audit(sink))
    }

    /// How many attempts are answered.
    pub fn limits(self, limits: Limits) -> Self {
        self.site_choice(|site| site.limits(limits))
    }

    /// The reverse proxies whose word on a client's address counts.
    pub fn trusted_proxies(self, proxies: TrustedProxies) -> Self {
        self.site_choice(|site| site.trusted_proxies(proxies))
    }

    /// The key sessions are bound with, where several nodes share sessions.
    pub fn session_key(self, key: SecretKey) -> Self {
        self.site_choice(|site| site.session_key(key))
    }

    /// The clock everything goes by, for tests.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Any other choice of a [`SiteBuilder`]: health probes, further public routes, the rhythm of stream checks.
    pub fn site(self, choice: impl FnOnce(SiteBuilder) -> SiteBuilder + Send + 'static) -> Self {
        self.site_choice(choice)
    }

    /// Puts streamable HTTP at another path, or describes it (`/mcp` unless said).
    pub fn mcp(mut self, endpoint: impl Into<Endpoint>) -> Self {
        self.mcp = Some(endpoint.into());
        self
    }

    /// Serves no streamable HTTP.
    pub fn without_mcp(mut self) -> Self {
        self.mcp = None;
        self
    }

    /// Puts HTTP+SSE at other paths: that of the stream and that of the messages (`/sse` and `/messages` unless said).
    pub fn sse(mut self, stream: impl Into<Endpoint>, messages: impl Into<String>) -> Self {
        self.sse = Some((stream.into(), messages.into()));
        self
    }

    /// Serves no HTTP+SSE, which the specification deprecates.
    pub fn without_sse(mut self) -> Self {
        self.sse = None;
        self
    }

    /// Bounds of the sessions of streamable HTTP.
    pub fn session_limits(mut self, limits: SessionLimits) -> Self {
        self.session_limits = limits;
        self
    }

    /// Sends each event of an answer over streamable HTTP as it comes. Otherwise what is there at once, which for a quick
    /// tool is all of it, goes out in one piece: less work for the server, and nothing comes later for it.
    pub fn send_each_event(mut self) -> Self {
        self.gather = false;
        self
    }

    /// Bounds of HTTP+SSE.
    pub fn sse_limits(mut self, limits: SseLimits) -> Self {
        self.sse_limits = limits;
        self
    }

    /// Bounds of the connections that [`listen`](Self::listen) accepts.
    pub fn listen_limits(mut self, limits: ListenLimits) -> Self {
        self.listen = limits;
        self
    }

    /// Serves until the process is told to stop (Ctrl-C, SIGTERM), then lets running calls finish and returns.
    ///
    /// # Errors
    /// When the set-up cannot work or cannot be safe, or when the address cannot be listened on.
    pub async fn listen(self) -> Result<(), ServeError> {
        self.listen_with(|_| {}).await
    }

    /// As [`listen`](Self::listen), and calls a function when clients can connect.
    ///
    /// # Errors
    /// As [`listen`](Self::listen).
    pub async fn listen_with(self, ready: impl FnOnce(&Running)) -> Result<(), ServeError> {
        let running = self.start().await?;
        ready(&running);
        signals::stop().await;
        // Whoever asks a second time does not want to wait.
        tokio::select! {
            () = running.stop() => {}
            () = signals::stop() => {}
        }
        Ok(())
    }

    /// As [`listen`](Self::listen), but stops when a future is ready.
    ///
    /// # Errors
    /// As [`listen`](Self::listen).
    pub async fn listen_until(self, stop: impl Future<Output = ()>) -> Result<(), ServeError> {
        let running = self.start().await?;
        stop.await;
        running.stop().await;
        Ok(())
    }

    /// Starts to serve, and returns as soon as clients can connect.
    ///
    /// # Errors
    /// As [`listen`](Self::listen).
    pub async fn start(mut self) -> Result<Running, ServeError> {
        let url = self.public_url()?;
        let address = match &self.bind {
            Some(address) => address.clone(),
            None if url.is_loopback() && !url.is_https() => {
                let host = if url.host() == "localhost" { "127.0.0.1" } else { url.host() };
                format!("{host}:{}", url.port())
            }
            None => "127.0.0.1:8000".to_owned(),
        };
        let bound = tokio::net::TcpListener::bind(&address).await;
        let listener = bound.map_err(|error| ServeError::listen(&address, error))?;
        let local = listener.local_addr().map_err(|error| ServeError::listen(&address, error))?;
        if url.is_loopback() && url.port() == 0 {
            let scheme = if url.is_https() { "https" } else { "http" };
            self.url = Some(format!("{scheme}://{}:{}{}", url.host(), local.port(), url.path()));
        }
        let limits = self.listen.clone();
        let (site, shutdown) = self.build(Some(local)).await?;
        Ok(start(listener, local, site, shutdown, limits))
    }

    /// The server as one tower service, for a serving loop of your own. The loop puts a
    /// [`Connection`](mcp_core::Connection) into the extensions of each request.
    ///
    /// # Errors
    /// When the set-up cannot work or cannot be safe.
    pub async fn into_service(self) -> Result<Site, ConfigError> {
        Ok(self.into_parts().await?.0)
    }

    /// As [`into_service`](Self::into_service), with what ends its sessions when your loop comes to an end.
    ///
    /// # Errors
    /// As [`into_service`](Self::into_service).
    pub async fn into_parts(self) -> Result<(Site, Shutdown), ConfigError> {
        self.build(None).await
    }

    fn public_url(&self) -> Result<PublicUrl, ConfigError> {
        match &self.url {
            Some(url) => PublicUrl::parse(url),
            None => Err(ConfigError::new(
                "the server does not know its public URL: add .at(\"http://127.0.0.1:8000\"), or the https URL that \
                 clients use",
            )),
        }
    }

    async fn build(self, listener: Option<SocketAddr>) -> Result<(Site, Shutdown), ConfigError> {
        let url = self.public_url()?;
        if self.mcp.is_none() && self.sse.is_none() {
            return Err(ConfigError::new(
                "without_mcp() and without_sse() together leave nothing to serve: take one of them away",
            ));
        }
        let end = CancellationToken::new();
        let mut site = Site::new(url.as_str()).policy(self.policy).clock(self.clock.clone());
        if let Some(authenticator) = self.authenticator {
            site = site.auth(authenticator);
        }
        if let Some(address) = listener {
            site = site.listener(address);
        }
        let mut policies = Vec::new();
        let mut places = None;
        if let Some(endpoint) = self.mcp {
            let policy = EndpointPolicy::at(endpoint.path());
            policies.push(policy.clone());
            let hosts = allowed_hosts(&url, &self.hosts);
            let sessions = Arc::new(Sessions::new(&self.session_limits));
            places = Some(sessions.places().clone());
            let service = streamable(self.make.clone(), policy, sessions, hosts, end.clone(), self.gather);
            site = site.resource(endpoint, bounded(service, self.session_limits.retry_after));
        }
        let mut sse_sessions = None;
        if let Some((endpoint, messages)) = self.sse {
            let public = format!("{}{messages}", url.path());
            if public.ends_with(endpoint.path()) {
                return Err(ConfigError::new(format!(
                    "the SSE stream at {} cannot be told apart from its messages at {public}: give the messages a path \
                     that does not end like that of the stream, such as /messages",
                    endpoint.path()
                )));
            }
            let policy = EndpointPolicy::at(endpoint.path());
            policies.push(policy.clone());
            let service = sse(self.make, policy, public, self.sse_limits, self.clock.clone());
            let stream = endpoint.path().to_owned();
            // Answers to messages are read from the stream only: a tool result in the response to a POST reaches nobody.
            let endpoint = endpoint.challenge_form(ChallengeForm::Http);
            site = site.resource(endpoint, service.clone()).belongs(messages, stream);
            sse_sessions = Some(service);
        }
        for choice in self.site {
            site = choice(site);
        }
        let site = site.build().await?;
        for policy in policies {
            policy.learn(&site);
        }
        Ok((site, Shutdown::new(end, places, sse_sessions, self.clock)))
    }
}

impl<H> fmt::Debug for Serve<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve")
            .field("url", &self.url)
            .field("bind", &self.bind)
            .field("policy", &self.policy)
            .field("authenticator", &self.authenticator)
            .finish_non_exhaustive()
    }
}

/// How long a stopping server waits for calls that run, unless said.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
