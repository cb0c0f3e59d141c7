//! The authorization server as a value: what a user configures and hands to a site.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use http::HeaderName;
use mcp_core::{
    AtOnce, AuthError, AuthErrorKind, Authenticator, ConfigError, Credential, Identity, Issuer,
    ProtectedResource, RequestHead, ResourceMetadata, Route, SiteContext,
};
use mcp_store::{RootKey, Store, Sweeper, Vault};

use crate::browser::BrowserLimits;
use crate::client::{Clients, ClientsConfig};
use crate::dpop::{self, DpopChecks, DpopPolicy};
use crate::endpoints;
use crate::engine::Engine;
use crate::grant::{self, KnownTokens, TokenPlace};
use crate::idp::{Idps, TrustedIdp};
use crate::keys::{JwtTokens, SigningKeys};
use crate::pages::Pages;
use crate::resource_server::{ResourceServer, all_resources};
use crate::scope_info::{ScopeCatalogue, ScopeInfo};
use crate::settings::{Lifetimes, Paths};
use crate::sign_in::{SignIn, SignInContext};

/// An OAuth 2.1 authorization server for the MCP endpoints of one site, and the [`Authenticator`] of the tokens it issues.
///
/// Cheap to clone; a clone kept aside is the operator's hand on the running server.
#[derive(Clone)]
pub struct OAuthProvider {
    config: Config,
    running: Arc<OnceLock<Arc<Engine>>>,
}

#[derive(Clone)]
struct Config {
    sign_in: Arc<dyn SignIn>,
    store: Option<Arc<dyn Store>>,
    root_key: Option<RootKey>,
    scopes: ScopeCatalogue,
    lifetimes: Lifetimes,
    paths: Paths,
    clients: ClientsConfig,
    dpop: DpopPolicy,
    idps: Vec<TrustedIdp>,
    pages: Pages,
    jwt: Option<JwtTokens>,
    resource_servers: Vec<ResourceServer>,
    elsewhere: Vec<ProtectedResource>,
    device_grant: bool,
    pushed_only: bool,
    offline_only: bool,
    skip_consent: bool,
}

/// How many tokens are remembered for the moment that [`Lifetimes::notice_revocations_within`] allows.
const KNOWN: usize = 8192;

impl OAuthProvider {
    /// A server whose users this sign-in knows.
    pub fn new(sign_in: impl SignIn) -> Self {
        Self {
            config: Config {
                sign_in: Arc::new(sign_in),
                store: None,
                root_key: None,
                scopes: ScopeCatalogue::default(),
                lifetimes: Lifetimes::new(),
                paths: Paths::new(),
                clients: ClientsConfig::default(),
                dpop: DpopPolicy::new(),
                idps: Vec::new(),
                pages: Pages::default(),
                jwt: None,
                resource_servers: Vec::new(),
                elsewhere: Vec::new(),
                device_grant: false,
                pushed_only: false,
                offline_only: false,
                skip_consent: false,
            },
            running: Arc::new(OnceLock::new()),
        }
    }

    /// Where everything is kept. A shared store needs a [`root_key`](Self::root_key) besides.
    #[must_use]
    pub fn store(mut self, store: impl Store) -> Self {
        self.config.store = Some(Arc::new(store));
        self
    }

    /// The key that everything in the store is sealed under. Without, a file beside the database is used, and made if it is
    /// not there.
    #[must_use]
    pub fn root_key(mut self, key: RootKey) -> Self {
        self.config.root_key = Some(key);
        self
    }

    /// One more scope that can be granted, with what it means.
    #[must_use]
    pub fn scope(mut self, scope: ScopeInfo) -> Self {
        self.config.scopes.add(scope);
        self
    }

    /// How long things live.
    #[must_use]
    pub fn lifetimes(mut self, lifetimes: Lifetimes) -> Self {
        self.config.lifetimes = lifetimes;
        self
    }

    /// Where the endpoints are.
    #[must_use]
    pub fn paths(mut self, paths: Paths) -> Self {
        self.config.paths = paths;
        self
    }

    /// Gives refresh tokens only to clients that were granted the scope `offline_access` (attack RT22).
    #[must_use]
    pub fn refresh_needs_offline_access(mut self) -> Self {
        self.config.offline_only = true;
        self
    }

    /// Takes authorization requests only that the client pushed (RFC 9126 §5): then nobody who sends a browser here chooses any
    /// part of one. Most MCP clients of today cannot push; those that must can also be told apart by their own metadata
    /// (`require_pushed_authorization_requests`).
    #[must_use]
    pub fn require_pushed_requests(mut self) -> Self {
        self.config.pushed_only = true;
        self
    }

    /// What weakens the server.
    pub fn dangerous(self) -> ProviderDangerous {
        ProviderDangerous(self)
    }

    /// Changes what is known of clients.
    pub(crate) fn with_clients(mut self, change: impl FnOnce(&mut ClientsConfig)) -> Self {
        change(&mut self.config.clients);
        self
    }

    /// Makes access tokens JWTs.
    pub(crate) fn with_jwt_tokens(mut self, tokens: JwtTokens) -> Self {
        self.config.jwt = Some(tokens);
        self
    }

    /// Issues tokens for a resource of another site.
    pub(crate) fn with_resource_elsewhere(mut self, resource: ProtectedResource) -> Self {
        self.config.elsewhere.push(resource);
        self
    }

    /// Lets a resource server introspect.
    pub(crate) fn with_resource_server(mut self, server: ResourceServer) -> Self {
        self.config.resource_servers.push(server);
        self
    }

    /// Changes how proofs of possession are handled.
    pub(crate) fn with_dpop(mut self, policy: DpopPolicy) -> Self {
        self.config.dpop = policy;
        self
    }

    /// Answers to devices.
    pub(crate) fn with_device_grant(mut self) -> Self {
        self.config.device_grant = true;
        self
    }

    /// Trusts an identity provider.
    pub(crate) fn with_idp(mut self, idp: TrustedIdp) -> Self {
        self.config.idps.push(idp);
        self
    }

    /// Changes how pages look.
    pub(crate) fn with_pages(mut self, change: impl FnOnce(&mut Pages)) -> Self {
        change(&mut self.config.pages);
        self
    }

    /// The engine, once it runs.
    pub(crate) fn engine(&self) -> Option<&Arc<Engine>> {
        self.running.get()
    }

    fn started(&self) -> Result<&Arc<Engine>, AuthError> {
        self.engine().ok_or_else(|| {
            AuthError::unavailable(Duration::from_secs(5))
                .log("OAuthProvider was asked before start() was called")
        })
    }
}

/// What weakens a server, each with what it costs.
#[derive(Debug)]
pub struct ProviderDangerous(pub(crate) OAuthProvider);

impl ProviderDangerous {
    /// Asks nobody for consent. Then every client that a user's browser can be sent to `/authorize` by has that user's
    /// access: only for servers whose clients are all the operator's own.
    #[must_use]
    pub fn skip_consent(mut self) -> OAuthProvider {
        self.0.config.skip_consent = true;
        self.0
    }
}

#[async_trait]
impl Authenticator for OAuthProvider {
    async fn start(&self, site: &SiteContext) -> Result<(), ConfigError> {
        let config = &self.config;
        config.lifetimes.check()?;
        config.pages.check()?;
        let Some(store) = config.store.clone() else {
            return Err(ConfigError::new(
                "the provider has nowhere to keep its grants: add .store(SqliteStore::open(\"auth.db\")?), or \
                 .store(MemoryStore::new()) to forget everything at a restart",
            ));
        };
        if site.resources().is_empty() {
            return Err(ConfigError::new(
                "the provider has no resource to give tokens for: add one to the site",
            ));
        }
        let vault = Vault::open(store, config.root_key.clone(), site.clock().clone()).await?;
        Sweeper::new().start(&vault);
        config.sign_in.start(&SignInContext { site: site.clone(), vault: vault.clone() }).await?;
        let resources = all_resources(site.resources(), &config.elsewhere)?;
        for server in &config.resource_servers {
            server.check(&resources)?;
        }
        let issuer = Issuer::new(site.url().as_str());
        let keys = match &config.jwt {
            Some(jwt) => {
                Some(SigningKeys::start(&vault, site.audit(), &issuer, jwt, config.lifetimes.access).await?)
            }
            None => None,
        };
        let engine = Engine {
            url: site.url().clone(),
            issuer,
            resources,
            clock: site.clock().clone(),
            audit: site.audit().clone(),
            dpop: DpopChecks::start(&config.dpop, &vault)?,
            idps: Idps::start(&config.idps, site).await?,
            vault,
            sign_in: config.sign_in.clone(),
            clients: Clients::start(&config.clients, site)?,
            pages: config.pages.clone(),
            browser: BrowserLimits::default(),
            site: site.clone(),
            scopes: config.scopes.clone(),
            lifetimes: config.lifetimes.clone(),
            paths: config.paths.clone(),
            keys,
            resource_servers: config.resource_servers.clone(),
            known: KnownTokens::new(KNOWN, config.lifetimes.notice),
            device_grant: config.device_grant,
            pushed_only: config.pushed_only,
            offline_only: config.offline_only,
            skip_consent: config.skip_consent,
        };
        let fresh = self.running.set(Arc::new(engine)).is_ok();
        if fresh {
            Ok(())
        } else {
            Err(ConfigError::new("one OAuthProvider serves one site: make another for this one"))
        }
    }

    async fn authenticate(
        &self,
        request: &RequestHead<'_>,
        resource: &ProtectedResource,
    ) -> Result<Identity, AuthError> {
        let credential = request.credential()?;
        let (Credential::Bearer(token) | Credential::Dpop(token)) = credential else {
            return Err(AuthError::not_mine());
        };
        let engine = self.started()?;
        let digest = request.credential_digest();
        let known = match engine.known.get(digest, engine.now()) {
            Some(known) => known,
            None => {
                let place = grant::place_of(engine, token)?;
                in_time(grant::look_up(engine, &place, token, digest)).await?
            }
        };
        if !known.is_for(resource) {
            return Err(AuthError::invalid_token("the token is for another resource"));
        }
        match credential {
            Credential::Dpop(_) => engine.dpop.admit(engine, request, token, &known)?,
            _ => engine.dpop.admit_bearer(&known)?,
        }
        Ok(known.identity.clone())
    }

    fn authenticate_now(&self, request: &RequestHead<'_>, resource: &ProtectedResource) -> AtOnce {
        let Some(engine) = self.engine() else { return AtOnce::Ask };
        if request.is_bearer()
            && let Some(known) = engine.known.get(request.credential_digest(), engine.now())
            && known.is_for(resource)
            && engine.dpop.admit_bearer(&known).is_ok()
        {
            return AtOnce::Known(known.identity.clone());
        }
        match request.credential() {
            Ok(Credential::Bearer(token) | Credential::Dpop(token))
                if grant::place_of(engine, token).is_err() =>
            {
                AtOnce::NotMine
            }
            Err(error) if *error.kind() == AuthErrorKind::Missing => AtOnce::NotMine,
            Ok(Credential::Other) => AtOnce::NotMine,
            _ => AtOnce::Ask,
        }
    }

    fn metadata(&self, resource: &ProtectedResource) -> ResourceMetadata {
        let mut metadata = ResourceMetadata::issued_by([Issuer::new(resource.site().as_str())]);
        if let Some(engine) = self.engine() {
            metadata.dpop_algorithms = engine.dpop.algorithms().to_vec();
            metadata.dpop_required = engine.dpop.is_required();
        }
        metadata
    }

    fn credential_headers(&self) -> Vec<HeaderName> {
        vec![dpop::DPOP]
    }

    fn routes(&self) -> Vec<Route> {
        self.engine().map(endpoints::routes).unwrap_or_default()
    }

    async fn still_valid(&self, identity: &Identity) -> Result<(), AuthError> {
        let engine = self.started()?;
        match identity.extension::<TokenPlace>() {
            Some(place) if *identity.issuer() == engine.issuer => {
                in_time(grant::still_good(engine, place)).await
            }
            _ => Err(AuthError::not_mine()),
        }
    }
}

/// What the store says of a token, or that it says nothing: a store that hangs must not hang every call.
async fn in_time<T>(answer: impl Future<Output = Result<T, AuthError>>) -> Result<T, AuthError> {
    match tokio::time::timeout(endpoints::PATIENCE, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(AuthError::unavailable(Duration::from_secs(5)).log("the store did not answer in time")),
    }
}

impl fmt::Debug for OAuthProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthProvider").field("sign_in", &self.config.sign_in).finish_non_exhaustive()
    }
}
