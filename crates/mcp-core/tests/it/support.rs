//! A server with tokens that are plain words, on a real socket.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use mcp_auth_testkit::{Client, FakeClock, Server};
use mcp_core::audit::{AuditEvent, AuditSink};
use mcp_core::{
    AuthError, Authenticator, Body, BoxService, Credential, Identity, Issuer, ProtectedResource, RequestHead,
    ResourceMetadata, Site, SiteBuilder, async_trait,
};

/// Knows tokens by heart. `down` makes it unable to tell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tokens(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    known: HashMap<String, Identity>,
    down: bool,
    hang: bool,
    revoked: Vec<String>,
}

impl Tokens {
    pub(crate) fn with(self, token: &str, identity: Identity) -> Self {
        self.0.lock().unwrap().known.insert(token.to_owned(), identity);
        self
    }

    pub(crate) fn go_down(&self, down: bool) {
        self.0.lock().unwrap().down = down;
    }

    /// Lets `still_valid` wait for an answer that never comes.
    pub(crate) fn hang(&self) {
        self.0.lock().unwrap().hang = true;
    }

    /// Withdraws all tokens of a subject, or the one with this id.
    pub(crate) fn revoke(&self, name: &str) {
        self.0.lock().unwrap().revoked.push(name.to_owned());
    }
}

#[async_trait]
impl Authenticator for Tokens {
    async fn authenticate(
        &self,
        request: &RequestHead<'_>,
        _resource: &ProtectedResource,
    ) -> Result<Identity, AuthError> {
        let state = self.0.lock().unwrap();
        let Credential::Bearer(token) = request.credential()? else {
            return Err(AuthError::not_mine());
        };
        if state.down {
            return Err(AuthError::unavailable(std::time::Duration::from_secs(7)));
        }
        state.known.get(token).cloned().ok_or_else(|| AuthError::invalid_token("the token is unknown"))
    }

    fn metadata(&self, _resource: &ProtectedResource) -> ResourceMetadata {
        ResourceMetadata::issued_by([Issuer::new("https://idp.example.com")])
    }

    async fn still_valid(&self, identity: &Identity) -> Result<(), AuthError> {
        let hang = self.0.lock().unwrap().hang;
        if hang {
            std::future::pending::<()>().await;
        }
        let state = self.0.lock().unwrap();
        if state.down {
            return Err(AuthError::unavailable(std::time::Duration::from_secs(7)));
        }
        let id = identity.token_id().map(mcp_core::TokenId::as_str);
        if state.revoked.iter().any(|name| identity.subject() == name.as_str() || id == Some(name)) {
            return Err(AuthError::invalid_token("the token was revoked"));
        }
        Ok(())
    }
}

/// A caller called `name` with these scopes.
pub(crate) fn caller(name: &str, scopes: &str) -> Identity {
    builder(name, scopes).build()
}

pub(crate) fn builder(name: &str, scopes: &str) -> mcp_core::IdentityBuilder {
    Identity::new("https://idp.example.com", name).client("cli").scopes(mcp_core::Scopes::parse(scopes))
}

/// Answers with what reached it, as JSON: method, path, caller, headers, body.
pub(crate) fn mirror() -> BoxService {
    BoxService::from_fn(|request: http::Request<Body>| async move {
        use http_body_util::BodyExt;
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let headers: HashMap<String, String> = parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let identity = parts.extensions.get::<Identity>();
        let seen = serde_json::json!({
            "method": parts.method.as_str(),
            "path": parts.uri.path(),
            "caller": identity.map(|identity| identity.subject().as_str()),
            "anonymous": identity.map(Identity::is_anonymous),
            "headers": headers,
            "body": String::from_utf8_lossy(&body),
        });
        let mut response = http::Response::new(Body::from(seen.to_string()));
        response.headers_mut().insert("content-type", "application/json".parse().unwrap());
        response
    })
}

/// Remembers events.
#[derive(Debug, Default)]
pub(crate) struct Events(pub(crate) Mutex<Vec<AuditEvent>>);

impl AuditSink for Events {
    fn record(&self, event: &AuditEvent) {
        self.0.lock().unwrap().push(event.clone());
    }
}

/// A served site.
pub(crate) struct Served {
    pub(crate) client: Client,
    pub(crate) site: Site,
    pub(crate) url: String,
    pub(crate) clock: FakeClock,
    pub(crate) events: Arc<Events>,
    _server: Server,
}

/// Serves a site on a free port under `http://127.0.0.1:port` and this path.
pub(crate) async fn serve(path: &str, set_up: impl FnOnce(SiteBuilder) -> SiteBuilder) -> Served {
    let listener = Server::listener().await.unwrap();
    let address = listener.local_addr().unwrap();
    let url = format!("http://{address}{path}");
    let clock = FakeClock::new();
    let events = Arc::new(Events::default());
    let site = set_up(Site::new(&url).listener(address).clock(Arc::new(clock.clone())).audit(events.clone()))
        .build()
        .await
        .unwrap();
    let server = Server::start_on(listener, site.clone());
    Served { client: Client::new(&url), site, url, clock, events, _server: server }
}

/// Begins and never goes on.
pub(crate) struct Endless {
    begun: bool,
}

impl Endless {
    pub(crate) fn new() -> Self {
        Self { begun: false }
    }
}

impl http_body::Body for Endless {
    type Data = bytes::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, Self::Error>>> {
        if std::mem::replace(&mut self.begun, true) {
            return std::task::Poll::Pending;
        }
        let event = http_body::Frame::data(bytes::Bytes::from_static(b"data: begun\n\n"));
        std::task::Poll::Ready(Some(Ok(event)))
    }
}
