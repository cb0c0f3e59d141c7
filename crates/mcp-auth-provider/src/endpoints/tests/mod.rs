//! Endpoints over real sockets, with clients that registered there.

mod introspect;
mod outages;
mod revoke;
mod until;

use std::sync::Arc;

use mcp_auth_testkit::{Answer, FakeClock, RequestBuilder};
use serde_json::{Value, json};

use crate::client::Client;
use crate::grant::TokenAnswer;
use crate::testing::{Running, store};
use crate::{OAuthProvider, Registration, ResourceServer};

/// A client that registered over the wire.
struct Known {
    id: String,
    secret: Option<String>,
    client: Arc<Client>,
}

impl Known {
    async fn register(running: &Running, method: &str) -> Self {
        // The name makes two public clients two: those that register the same are one.
        let metadata = json!({
            "redirect_uris": ["https://c.test/cb"],
            "client_name": mcp_core::random_id(),
            "token_endpoint_auth_method": method,
            "grant_types": ["authorization_code", "refresh_token"],
        });
        let answer = running.http.post("/register").json(&metadata).send().await.expect_status(201);
        let answer: Value = serde_json::from_slice(answer.body()).unwrap();
        let id = answer["client_id"].as_str().unwrap().to_owned();
        let client = running.engine().clients.find(running.engine(), &id, None).await.unwrap();
        Self { id, secret: answer["client_secret"].as_str().map(str::to_owned), client }
    }

    /// Proves itself in the header, if it can; names itself in the form otherwise.
    async fn post(&self, running: &Running, path: &str, form: &[(&str, &str)]) -> Answer {
        let request = running.http.post(path);
        match &self.secret {
            Some(_) => self.proven(request).form(form.iter().copied()).send().await,
            None => {
                let own = form.iter().copied().chain([("client_id", &*self.id)]);
                request.form(own).send().await
            }
        }
    }

    fn proven(&self, request: RequestBuilder) -> RequestBuilder {
        let pair = format!("{}:{}", self.id, self.secret.as_deref().unwrap());
        request.header("authorization", &format!("Basic {}", base64(&pair)))
    }
}

fn base64(text: &str) -> String {
    use base64ct::Encoding;
    base64ct::Base64::encode_string(text.as_bytes())
}

fn refresh_of(tokens: &TokenAnswer) -> &str {
    tokens.refresh_token.as_deref().unwrap()
}

/// A server where clients can register, and two of them that introspect: one for `/mcp` and one for `/other`.
async fn with_resource_servers(
    change: impl FnOnce(OAuthProvider) -> OAuthProvider,
) -> (Running, Known, Known) {
    let clock = FakeClock::new();
    let store = store(&clock);
    // Their names are known only once they have registered.
    let before = Running::on(store.clone(), clock.clone(), |p| p.registration(Registration::open())).await;
    let mcp = Known::register(&before, "client_secret_basic").await;
    let other = Known::register(&before, "client_secret_basic").await;
    let (mcp_id, other_id) = (mcp.id.clone(), other.id.clone());
    let running = Running::at(store, clock, |provider, url| {
        change(
            provider
                .registration(Registration::open())
                .resource_server(ResourceServer::new(mcp_id).resource(format!("{url}/mcp")))
                .resource_server(ResourceServer::new(other_id).resource(format!("{url}/other"))),
        )
    })
    .await;
    (running, mcp, other)
}
