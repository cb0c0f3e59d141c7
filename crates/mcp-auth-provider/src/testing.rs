//! A server over real sockets with grants that nobody had to consent to, for tests inside the crate.

use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{SHA256, digest};
use base64ct::{Base64UrlUnpadded, Encoding};
use mcp_auth_testkit::{Client as Http, FakeClock, Server};
use mcp_core::audit::{AuditEvent, AuditSink};
use mcp_core::{Authenticator, Body, BoxService, Clock, Identity, Scopes, SecretKey, Site};
use mcp_store::testkit::FaultyStore;
use mcp_store::{Batch, MemoryStore, Partition, RootKey};
use serde_json::{Map, Value, json};

use crate::client::{Client, ClientAuthentication, ClientOrigin, GrantType};
use crate::engine::Engine;
use crate::grant::{self, ConsentGranted, NewGrant, TokenAnswer};
use crate::sign_in::{BrowserRequest, SignIn, SignInRoute, SignInState, Step, User};
use crate::wire::{CodeChallenge, Params};
use crate::{OAuthProvider, ScopeInfo};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CALLBACK: &str = "https://c.test/cb";

/// A sign-in that nobody gets to.
#[derive(Debug)]
struct Nobody;

#[async_trait::async_trait]
impl SignIn for Nobody {
    fn routes(&self) -> Vec<SignInRoute> {
        Vec::new()
    }

    async fn step(&self, _: &mut SignInState, _: BrowserRequest) -> Step {
        Step::Unavailable
    }
}

/// All that was audited.
#[derive(Debug, Default)]
pub(crate) struct Events(Mutex<Vec<AuditEvent>>);

impl AuditSink for Events {
    fn record(&self, event: &AuditEvent) {
        self.0.lock().unwrap().push(event.clone());
    }
}

impl Events {
    pub(crate) fn of(&self, kind: &str) -> Vec<AuditEvent> {
        self.0.lock().unwrap().iter().filter(|event| event.kind.as_str() == kind).cloned().collect()
    }
}

/// A running server.
pub(crate) struct Running {
    pub(crate) provider: OAuthProvider,
    pub(crate) http: Http,
    pub(crate) url: String,
    pub(crate) clock: FakeClock,
    pub(crate) store: FaultyStore,
    pub(crate) events: Arc<Events>,
    _server: Server,
}

impl Running {
    /// A server with two resources, `/mcp` and `/other`, whose configuration is changed like this. Each answers with what
    /// it knows of its caller.
    pub(crate) async fn start(change: impl FnOnce(OAuthProvider) -> OAuthProvider) -> Self {
        let clock = FakeClock::new();
        Self::on(store(&clock), clock, change).await
    }

    /// The same on a store that others use too.
    pub(crate) async fn on(
        store: FaultyStore,
        clock: FakeClock,
        change: impl FnOnce(OAuthProvider) -> OAuthProvider,
    ) -> Self {
        Self::at(store, clock, |provider, _| change(provider)).await
    }

    /// The same, for a configuration that needs to know the public URL.
    pub(crate) async fn at(
        store: FaultyStore,
        clock: FakeClock,
        change: impl FnOnce(OAuthProvider, &str) -> OAuthProvider,
    ) -> Self {
        let listener = Server::listener().await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let provider = OAuthProvider::new(Nobody)
            .store(store.clone())
            .root_key(RootKey::from_secret(&SecretKey::new(vec![7; 32]).unwrap()))
            .scope(ScopeInfo::new("mcp:read").unwrap())
            .scope(ScopeInfo::new("mcp:write").unwrap());
        let provider = change(provider, &url);
        let events = Arc::new(Events::default());
        let site = Site::new(&url)
            .clock(Arc::new(clock.clone()))
            .audit(events.clone())
            .resource("/mcp", whoami())
            .resource("/other", whoami())
            .auth(provider.clone())
            .build()
            .await
            .unwrap();
        let server = Server::start_on(listener, site);
        Self { provider, http: Http::new(&url), url, clock, store, events, _server: server }
    }

    pub(crate) fn engine(&self) -> &Engine {
        self.provider.engine().unwrap()
    }

    /// The identifier of a resource.
    pub(crate) fn resource(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// A code of a new grant for a user, at `/mcp`.
    pub(crate) async fn code(&self, client: &Client, subject: &str) -> String {
        self.code_for(client, subject, &self.resource("/mcp")).await
    }

    /// A code of a new grant for a user, at this resource.
    async fn code_for(&self, client: &Client, subject: &str, resource: &str) -> String {
        let hash = Base64UrlUnpadded::encode_string(digest(&SHA256, VERIFIER.as_bytes()).as_ref());
        let now = self.clock.now();
        let user =
            User::new(subject, subject, now).props(json!({ "email": "secret@example.com", "iss": "evil" }));
        let partition = Partition::random();
        let new = NewGrant {
            partition: &partition,
            client,
            user: &user,
            scopes: Scopes::from("mcp:read mcp:write"),
            resources: vec![resource.to_owned()],
            redirect_uri: CALLBACK.into(),
            challenge: CodeChallenge::read(Some(&hash), Some("S256")).unwrap(),
            jkt: None,
            refreshable: true,
        };
        let consent = ConsentGranted::witnessed();
        let (batch, code) = grant::begin(self.engine(), Batch::new(), new, consent).await.unwrap();
        assert!(self.engine().vault.commit(&partition, batch).await.unwrap().is_done());
        code.expose().to_owned()
    }

    /// The tokens of a new grant.
    pub(crate) async fn tokens(&self, client: &Client, subject: &str) -> TokenAnswer {
        self.bound_tokens(client, subject, None).await
    }

    /// The same, bound to a key.
    pub(crate) async fn bound_tokens(
        &self,
        client: &Client,
        subject: &str,
        jkt: Option<&str>,
    ) -> TokenAnswer {
        self.redeem(client, &self.code(client, subject).await, jkt).await
    }

    /// The tokens of a new grant for a resource.
    pub(crate) async fn tokens_for(&self, client: &Client, subject: &str, resource: &str) -> TokenAnswer {
        self.redeem(client, &self.code_for(client, subject, resource).await, None).await
    }

    async fn redeem(&self, client: &Client, code: &str, jkt: Option<&str>) -> TokenAnswer {
        let pairs = [("code", code), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];
        if let Some(keys) = &self.engine().keys {
            keys.keep_up().await.unwrap();
        }
        let key = jkt.map(crate::dpop::ProvenKey::for_tests);
        grant::redeem(self.engine(), client, &params(&pairs), key.as_ref()).await.unwrap()
    }

    /// The status of a call to a resource with a token.
    pub(crate) async fn status(&self, path: &str, token: &str) -> u16 {
        self.http.post(path).bearer(token).send().await.status()
    }
}

/// A store in memory, which several servers may share (its clones are one) and which fails when it is told to.
pub(crate) fn store(clock: &FakeClock) -> FaultyStore {
    FaultyStore::new(Arc::new(MemoryStore::new()), Arc::new(clock.clone()))
}

pub(crate) fn params(pairs: &[(&str, &str)]) -> Params {
    Params::from_pairs(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

/// A public client.
pub(crate) fn client(id: &str) -> Client {
    Client {
        id: id.into(),
        origin: ClientOrigin::Operator,
        name: None,
        redirect_uris: vec![CALLBACK.into()],
        authentication: ClientAuthentication::None,
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        scopes: None,
        resources: None,
        application_type: None,
        client_uri: None,
        dpop_bound: false,
        require_par: false,
        digest: String::new(),
        created_at: mcp_core::Timestamp::default(),
        extra: Map::new(),
    }
}

/// Says who called.
pub(crate) fn whoami() -> BoxService {
    BoxService::from_fn(|request: http::Request<Body>| async move {
        let caller = request.extensions().get::<Identity>().unwrap();
        let said = json!({
            "sub": caller.subject().as_str(),
            "client": caller.client().map(ToString::to_string),
            "jti": caller.token_id().map(ToString::to_string),
            "props": caller.props::<Value>().unwrap_or_default(),
        });
        http::Response::new(Body::from(said.to_string()))
    })
}

/// A site elsewhere, whose only resource is guarded like this.
pub(crate) async fn elsewhere(clock: &FakeClock, auth: impl Authenticator) -> (Server, Http) {
    elsewhere_on(Server::listener().await.unwrap(), clock, auth).await
}

/// The same, where its URL had to be known before.
pub(crate) async fn elsewhere_on(
    listener: tokio::net::TcpListener,
    clock: &FakeClock,
    auth: impl Authenticator,
) -> (Server, Http) {
    let url = format!("http://{}", listener.local_addr().unwrap());
    let site = Site::new(&url)
        .clock(Arc::new(clock.clone()))
        .resource("/elsewhere", whoami())
        .auth(auth)
        .build()
        .await
        .unwrap();
    (Server::start_on(listener, site), Http::new(&url))
}

/// The claims of a JWT, unverified.
pub(crate) fn claims(token: &str) -> Value {
    part(token, 1)
}

/// The header or the claims of a JWT, unverified.
pub(crate) fn part(token: &str, index: usize) -> Value {
    let text = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&Base64UrlUnpadded::decode_vec(text).unwrap()).unwrap()
}
