//! A provider on a store that survives it, its clients, and what they ask for.

use std::sync::{Arc, Mutex};

use mcp_auth_provider::{OAuthProvider, Registration, ScopeInfo, SignIn};
use mcp_auth_testkit::{Answer, Client, FakeClock, Server};
use mcp_core::audit::{AuditEvent, AuditSink};
use mcp_core::{Body, BoxService, Endpoint, Identity, Site, Timestamp};
use mcp_store::testkit::FaultyStore;
use mcp_store::{MemoryStore, Store};
use serde_json::{Value, json};
use url::Url;

use super::agent::Agent;

pub(crate) const URL: &str = "https://mcp.test";
pub(crate) const RS: &str = "https://mcp.test/mcp";
pub(crate) const CALLBACK: &str = "https://c.test/cb";
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

#[derive(Debug, Default)]
pub(crate) struct Events(pub(crate) Mutex<Vec<AuditEvent>>);

impl AuditSink for Events {
    fn record(&self, event: &AuditEvent) {
        self.0.lock().unwrap().push(event.clone());
    }
}

pub(crate) struct World {
    /// Fails when it is told to.
    pub(crate) store: FaultyStore,
    pub(crate) clock: FakeClock,
    pub(crate) events: Arc<Events>,
    pub(crate) provider: OAuthProvider,
    pub(crate) client: Client,
    server: Server,
    make: Box<dyn Fn() -> OAuthProvider + Send + Sync>,
    open: Box<dyn Fn() -> Arc<dyn Store> + Send + Sync>,
}

impl World {
    pub(crate) async fn with(sign_in: impl SignIn + Clone) -> Self {
        Self::of(move || OAuthProvider::new(sign_in.clone())).await
    }

    /// A provider made anew at each start; the store is added to it.
    pub(crate) async fn of(make: impl Fn() -> OAuthProvider + Send + Sync + 'static) -> Self {
        let memory = Arc::new(MemoryStore::new());
        Self::on(move || memory.clone(), make).await
    }

    /// On a store that is opened anew at each start.
    pub(crate) async fn on(
        open: impl Fn() -> Arc<dyn Store> + Send + Sync + 'static,
        make: impl Fn() -> OAuthProvider + Send + Sync + 'static,
    ) -> Self {
        let clock = FakeClock::at(Timestamp::from_secs(1_800_000_000));
        let store = FaultyStore::new(open(), Arc::new(clock.clone()));
        let events = Arc::<Events>::default();
        let (provider, server, client) = start(&make, &store, &clock, &events).await;
        let (make, open) = (Box::new(make), Box::new(open));
        Self { store, clock, events, provider, client, server, make, open }
    }

    /// Another process takes over, with nothing but the store.
    pub(crate) async fn restart(&mut self) {
        self.store = FaultyStore::new((self.open)(), Arc::new(self.clock.clone()));
        let (provider, server, client) = start(&self.make, &self.store, &self.clock, &self.events).await;
        (self.provider, self.server, self.client) = (provider, server, client);
    }

    pub(crate) fn browser(&self) -> Agent {
        Agent::new(self.client.clone())
    }

    /// Registers a public client and gives its id.
    pub(crate) async fn register(&self, name: &str, redirect_uris: &[&str]) -> String {
        self.register_as(json!({
            "client_name": name, "redirect_uris": redirect_uris, "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"],
        }))
        .await["client_id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub(crate) async fn register_as(&self, metadata: Value) -> Value {
        self.client.post("/register").json(&metadata).send().await.expect_status(201).json()
    }

    pub(crate) async fn redeem(&self, client_id: &str, code: &str) -> Answer {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", client_id),
            ("code", code),
            ("code_verifier", VERIFIER),
        ];
        self.client.post("/token").form(form).send().await
    }

    /// Whether there was an event of this kind and outcome.
    pub(crate) fn recorded(&self, kind: &str, outcome: &str) -> usize {
        let events = self.events.0.lock().unwrap();
        events.iter().filter(|event| event.kind.as_str() == kind && event.outcome.as_str() == outcome).count()
    }
}

async fn start(
    make: &(dyn Fn() -> OAuthProvider + Send + Sync),
    store: &FaultyStore,
    clock: &FakeClock,
    events: &Arc<Events>,
) -> (OAuthProvider, Server, Client) {
    let provider = make()
        .store(store.clone())
        .root_key(mcp_store::RootKey::from_secret(&mcp_core::SecretKey::new([7; 32]).unwrap()))
        .registration(Registration::open())
        .scope(ScopeInfo::new("mcp:read").unwrap().describe("Read your notes"))
        .scope(ScopeInfo::new("mcp:write").unwrap().describe("Change your notes"));
    let mcp = BoxService::from_fn(|request: http::Request<Body>| async move {
        let identity = request.extensions().get::<Identity>().unwrap();
        let body = json!({ "sub": identity.subject().as_str(), "scope": identity.scopes().to_string() });
        http::Response::new(Body::from(body.to_string()))
    });
    let site = Site::new(URL)
        .resource(Endpoint::at("/mcp").basic_scopes("mcp:read"), mcp.clone())
        .resource("/other", mcp)
        .auth(provider.clone())
        .clock(Arc::new(clock.clone()))
        .audit(events.clone())
        .build()
        .await
        .unwrap();
    let server = Server::start(site).await.unwrap();
    let client = Client::new(URL).via(server.address());
    (provider, server, client)
}

/// An authorization request of a client, as its address below the site.
#[derive(Clone)]
pub(crate) struct Authz(Vec<(String, String)>);

impl Authz {
    pub(crate) fn of(client_id: &str) -> Self {
        let pairs = [
            ("response_type", "code"),
            ("client_id", client_id),
            ("redirect_uri", CALLBACK),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("state", "s1"),
            ("resource", RS),
            ("scope", "mcp:read"),
        ];
        Self(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec())
    }

    /// Says something else in a parameter, or says it besides.
    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        self.without(name).and(name, value)
    }

    pub(crate) fn and(mut self, name: &str, value: &str) -> Self {
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.retain(|(own, _)| own != name);
        self
    }

    pub(crate) fn path(&self) -> String {
        format!("/authorize?{}", self.query())
    }

    pub(crate) fn get(&self, name: &str) -> &str {
        value(&self.0, name).unwrap()
    }

    pub(crate) fn query(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }
}

/// What a redirect to the client says, each parameter once.
#[track_caller]
pub(crate) fn said(answer: &Answer) -> Vec<(String, String)> {
    assert!([302, 303].contains(&answer.status()), "{answer}");
    let url = Url::parse(answer.header("location").unwrap()).unwrap();
    assert_eq!(url.fragment(), None);
    let pairs: Vec<_> = url.query_pairs().into_owned().collect();
    let mut names: Vec<_> = pairs.iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    let before = names.len();
    names.dedup();
    assert_eq!(names.len(), before, "every parameter once: {url}");
    assert_eq!(value(&pairs, "iss"), Some(URL), "{url}");
    pairs
}

pub(crate) fn value<'p>(pairs: &'p [(String, String)], name: &str) -> Option<&'p str> {
    pairs.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
}

/// The code in a redirect to the client.
#[track_caller]
pub(crate) fn code(answer: &Answer) -> String {
    match value(&said(answer), "code") {
        Some(code) => code.to_owned(),
        None => panic!("there is no code in {answer}"),
    }
}

/// Asserts that the client is told of this error, and gets no code.
#[track_caller]
pub(crate) fn expect_back(answer: &Answer, error: &str) {
    let pairs = said(answer);
    assert_eq!(value(&pairs, "error"), Some(error), "{answer}");
    assert_eq!(value(&pairs, "code"), None, "{answer}");
    assert!(answer.header("location").unwrap().starts_with(CALLBACK), "{answer}");
}

/// Asserts a page of this server that leads nowhere.
#[track_caller]
pub(crate) fn expect_local(answer: &Answer) {
    assert_eq!(answer.status(), 400, "{answer}");
    assert_eq!(answer.header("location"), None, "{answer}");
    assert_eq!(answer.header("set-cookie"), None, "{answer}");
    assert!(answer.header("content-type").unwrap().starts_with("text/html"), "{answer}");
}
