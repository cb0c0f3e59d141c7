//! A server whose clients matter and whose users do not.

use std::sync::{Arc, Mutex};

use mcp_auth_provider::{
    BrowserRequest, OAuthProvider, ScopeInfo, SignIn, SignInRoute, SignInState, Step, async_trait,
};
use mcp_auth_testkit::{Answer, Client, FakeClock, Server};
use mcp_core::audit::{AuditEvent, AuditSink};
use mcp_core::limits::TrustedProxies;
use mcp_core::{Body, BoxService, ConfigError, SecretKey, Site, Timestamp};
use mcp_store::testkit::FaultyStore;
use mcp_store::{MemoryStore, RootKey};
use serde_json::{Value, json};

pub(crate) const URL: &str = "https://mcp.test";
pub(crate) const START: Timestamp = Timestamp::from_secs(1_800_000_000);

/// A sign-in that nobody gets to.
#[derive(Debug)]
struct Nobody;

#[async_trait]
impl SignIn for Nobody {
    fn routes(&self) -> Vec<SignInRoute> {
        Vec::new()
    }

    async fn step(&self, _: &mut SignInState, _: BrowserRequest) -> Step {
        Step::Unavailable
    }
}

#[derive(Debug, Default)]
pub(crate) struct Events(Mutex<Vec<AuditEvent>>);

impl AuditSink for Events {
    fn record(&self, event: &AuditEvent) {
        self.0.lock().unwrap().push(event.clone());
    }
}

impl Events {
    pub(crate) fn reasons(&self, kind: &str) -> Vec<String> {
        let events = self.0.lock().unwrap();
        let of_kind = events.iter().filter(|event| event.kind.as_str() == kind);
        of_kind.map(|event| event.reason.clone().unwrap_or_default()).collect()
    }

    pub(crate) fn text(&self) -> String {
        format!("{:?}", self.0.lock().unwrap())
    }
}

/// What survives a server: several can stand on it.
#[derive(Clone)]
pub(crate) struct Ground {
    pub(crate) clock: FakeClock,
    pub(crate) store: FaultyStore,
}

impl Ground {
    pub(crate) fn new() -> Self {
        let clock = FakeClock::at(START);
        let store = FaultyStore::new(Arc::new(MemoryStore::new()), Arc::new(clock.clone()));
        Self { clock, store }
    }

    pub(crate) async fn try_stand(
        &self,
        change: impl FnOnce(OAuthProvider) -> OAuthProvider,
    ) -> Result<Stand, ConfigError> {
        let provider = OAuthProvider::new(Nobody)
            .store(self.store.clone())
            .root_key(RootKey::from_secret(&SecretKey::new([7; 32]).unwrap()))
            .scope(ScopeInfo::new("mcp:read").unwrap())
            .scope(ScopeInfo::new("mcp:write").unwrap());
        let events = Arc::new(Events::default());
        let mcp = BoxService::from_fn(|_| async { http::Response::new(Body::empty()) });
        let site = Site::new(URL)
            .resource("/mcp", mcp)
            .auth(change(provider))
            .clock(Arc::new(self.clock.clone()))
            .audit(events.clone())
            // So that tests can come from several addresses.
            .trusted_proxies(TrustedProxies::new(["127.0.0.1"]).unwrap())
            .build()
            .await?;
        let server = Server::start(site.clone()).await.unwrap();
        let client = Client::new(URL).via(server.address());
        Ok(Stand { ground: self.clone(), client, events, site, _server: server })
    }

    pub(crate) async fn stand(&self, change: impl FnOnce(OAuthProvider) -> OAuthProvider) -> Stand {
        self.try_stand(change).await.unwrap()
    }
}

/// A running server.
pub(crate) struct Stand {
    pub(crate) ground: Ground,
    pub(crate) client: Client,
    pub(crate) events: Arc<Events>,
    pub(crate) site: Site,
    _server: Server,
}

impl Stand {
    pub(crate) async fn start(change: impl FnOnce(OAuthProvider) -> OAuthProvider) -> Self {
        Ground::new().stand(change).await
    }

    pub(crate) fn clock(&self) -> &FakeClock {
        &self.ground.clock
    }

    /// Registers, from one address.
    pub(crate) async fn register(&self, metadata: &Value) -> Answer {
        self.register_from("192.0.2.1", metadata).await
    }

    pub(crate) async fn register_from(&self, address: &str, metadata: &Value) -> Answer {
        self.client.post("/register").header("x-forwarded-for", address).json(metadata).send().await
    }

    /// Registers a client that must be taken.
    pub(crate) async fn registered(&self, metadata: &Value) -> Value {
        self.register(metadata).await.expect_status(201).json()
    }

    /// Asks for tokens with a code that there is not: `invalid_grant` says that the client was let in.
    pub(crate) async fn try_in(&self, form: &[(&str, &str)]) -> Answer {
        self.try_with(None, form).await
    }

    /// The same from another address.
    pub(crate) async fn try_from(&self, address: &str, form: &[(&str, &str)]) -> Answer {
        let request = self.client.post("/token").header("x-forwarded-for", address);
        request.form(tries(form)).send().await
    }

    pub(crate) async fn try_with(&self, authorization: Option<&str>, form: &[(&str, &str)]) -> Answer {
        let mut request = self.client.post("/token").form(tries(form));
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        request.send().await
    }
}

fn tries<'a>(form: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut pairs = vec![("grant_type", "authorization_code"), ("code", "none"), ("code_verifier", "none")];
    pairs.extend(form);
    pairs
}

/// Asserts that a client was let in.
#[track_caller]
pub(crate) fn expect_in(answer: &Answer) {
    assert_eq!((answer.status(), answer.json()["error"].as_str()), (400, Some("invalid_grant")), "{answer}");
}

/// Asserts that a client was not let in, and learns nothing by how it is told.
#[track_caller]
pub(crate) fn expect_out(answer: &Answer) {
    let expected = json!({
        "error": "invalid_client", "error_description": "the client is unknown or did not prove itself",
    });
    assert_eq!((answer.status(), answer.json()), (401, expected), "{answer}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer}");
}

/// Asserts an error of this status and code, as JSON that nobody keeps.
#[track_caller]
pub(crate) fn expect_error(answer: &Answer, status: u16, error: &str) {
    assert_eq!((answer.status(), answer.json()["error"].as_str()), (status, Some(error)), "{answer}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer}");
    assert_eq!(answer.header("content-type"), Some("application/json"), "{answer}");
    let description = answer.json()["error_description"].as_str().unwrap().to_owned();
    let plain = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    assert!(description.bytes().all(plain), "{description}");
    assert!(answer.json().get("client_id").is_none() && answer.json().get("access_token").is_none());
}

/// A public client, as most register.
pub(crate) fn public() -> Value {
    json!({
        "client_name": "Notes", "redirect_uris": ["https://c.test/cb"], "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
    })
}

/// The same with something else in it.
pub(crate) fn with(mut metadata: Value, name: &str, value: impl Into<Value>) -> Value {
    metadata[name] = value.into();
    metadata
}

/// HTTP Basic.
pub(crate) fn basic(id: &str, secret: &str) -> String {
    use base64ct::{Base64, Encoding};
    format!("Basic {}", Base64::encode_string(format!("{id}:{secret}").as_bytes()))
}
