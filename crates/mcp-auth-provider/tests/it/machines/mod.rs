//! Clients without a browser: for themselves, in exchange, by an assertion, and with keys that they prove.

mod client_credentials;
mod dpop;
mod exchange;
#[cfg(feature = "fetch")]
mod id_jag;

use std::sync::Arc;

use base64ct::{Base64, Encoding};
use mcp_auth_provider::{
    BrowserRequest, GrantType, OAuthProvider, PreRegistered, ScopeInfo, SignIn, SignInRoute, SignInState,
    Step,
};
use mcp_auth_testkit::{Answer, Client, FakeClock, RequestBuilder, Server};
use mcp_core::limits::{Limits, Rate};
use mcp_core::{Body, BoxService, Clock, Identity, Site, Timestamp, async_trait};
use mcp_store::MemoryStore;
use serde_json::{Value, json};

/// A secret of every client here.
pub(crate) const SECRET: &str = "VJ0Q3lP9cY4mE2rT7uW1xZ6aB8dF5gH0";

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

/// A running server with the resources `/mcp` and `/other`.
pub(crate) struct Machines {
    pub(crate) http: Client,
    pub(crate) url: String,
    pub(crate) clock: FakeClock,
    _server: Server,
}

/// A client that proves itself by the secret and may use these grants.
pub(crate) fn client(id: &str, grants: impl IntoIterator<Item = GrantType>) -> PreRegistered {
    PreRegistered::with_secret(id, SECRET).unwrap().grants(grants)
}

impl Machines {
    pub(crate) async fn start(change: impl FnOnce(OAuthProvider) -> OAuthProvider) -> Self {
        Self::on(FakeClock::new(), change).await
    }

    pub(crate) async fn on(clock: FakeClock, change: impl FnOnce(OAuthProvider) -> OAuthProvider) -> Self {
        let listener = Server::listener().await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let provider = OAuthProvider::new(Nobody)
            .store(MemoryStore::new())
            .scope(ScopeInfo::new("mcp:read").unwrap())
            .scope(ScopeInfo::new("mcp:write").unwrap())
            .client(client("ci", [GrantType::ClientCredentials]));
        let site = Site::new(&url)
            .clock(Arc::new(clock.clone()))
            .resource("/mcp", whoami())
            .resource("/other", whoami())
            .auth(change(provider))
            // What is wrong here is wrong on purpose.
            .limits(Limits::new().failures_per_credential(Rate::per_minute(1000)))
            .build()
            .await
            .unwrap();
        let server = Server::start_on(listener, site);
        Self { http: Client::new(&url), url, clock, _server: server }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn resource(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// A request to the token endpoint by a client, by HTTP Basic.
    pub(crate) fn ask(&self, client: &str, form: &[(&str, &str)]) -> RequestBuilder {
        let basic = Base64::encode_string(format!("{client}:{SECRET}").as_bytes());
        self.http.post("/token").header("authorization", &format!("Basic {basic}")).form(form.iter().copied())
    }

    /// A token of a client for itself.
    pub(crate) async fn token_of(&self, client: &str) -> String {
        let answer =
            self.ask(client, &[("grant_type", "client_credentials")]).send().await.expect_status(200);
        text(&answer, "access_token")
    }

    /// What a resource knows of who presents a token.
    pub(crate) async fn whoami(&self, path: &str, token: &str) -> Value {
        self.http.post(path).bearer(token).json(&json!({})).send().await.expect_status(200).json()
    }
}

/// A member of an answer that is a text.
pub(crate) fn text(answer: &Answer, name: &str) -> String {
    answer.json()[name].as_str().unwrap_or_else(|| panic!("{}", answer.text())).to_owned()
}

/// Asserts what a refusal of the token endpoint must be (attack TK05).
pub(crate) fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status(), status, "{}", answer.text());
    let body = answer.json();
    assert_eq!(body["error"], code, "{body}");
    assert!(body.get("access_token").is_none());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("pragma"), Some("no-cache"));
}

/// Says who called, and with which headers.
fn whoami() -> BoxService {
    BoxService::from_fn(|request: http::Request<Body>| async move {
        let caller = request.extensions().get::<Identity>().unwrap();
        let headers: Vec<&str> = request.headers().keys().map(http::HeaderName::as_str).collect();
        let said = json!({
            "sub": caller.subject().as_str(),
            "client": caller.client().map(ToString::to_string),
            "scope": caller.scopes().to_string(),
            "method": format!("{:?}", caller.method()),
            "act": caller.claims().get("act"),
            "headers": headers,
        });
        http::Response::new(Body::from(said.to_string()))
    })
}
