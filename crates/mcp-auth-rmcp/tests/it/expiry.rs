//! A stream ends with its caller's credential, and goes on with a later one.

use std::sync::Arc;
use std::time::Duration;

use mcp_auth_rmcp::{Running, serve};
use mcp_auth_testkit::{Client, FakeClock};
use mcp_core::{
    AuthError, Authenticator, Clock, Credential, Identity, ProtectedResource, RequestHead, Timestamp,
    async_trait,
};
use serde_json::json;

use crate::server::{Tools, eventually};

/// Every token is Ada's and says how many seconds after the start it ends.
#[derive(Debug)]
struct Expiring {
    clock: FakeClock,
    start: Timestamp,
}

#[async_trait]
impl Authenticator for Expiring {
    async fn authenticate(
        &self,
        request: &RequestHead<'_>,
        _: &ProtectedResource,
    ) -> Result<Identity, AuthError> {
        let Credential::Bearer(token) = request.credential()? else {
            return Err(AuthError::not_mine());
        };
        let end = self.start + Duration::from_secs(token.parse().unwrap());
        if end <= self.clock.now() {
            return Err(AuthError::invalid_token("the token has expired"));
        }
        let props = json!({ "login": "ada" });
        Ok(Identity::new("https://idp.example.com", "ada").expires_at(end).props(props).build())
    }
}

async fn start() -> (Running, Client, FakeClock) {
    let clock = FakeClock::new();
    let tokens = Expiring { clock: clock.clone(), start: clock.now() };
    let server = serve(Tools::new()).at("http://127.0.0.1:0").auth(tokens).clock(Arc::new(clock.clone()));
    let running = server.start().await.unwrap();
    let client = Client::new(running.url().as_str());
    (running, client, clock)
}

// covers: U-08
#[tokio::test]
async fn a_session_ends_with_its_token() {
    let (running, client, clock) = start().await;
    let mut sse = client.sse("/sse").bearer("60").open().await;
    sse.initialize().await;
    clock.advance(Duration::from_secs(59));
    sse.call("whoami", json!({})).await;
    clock.advance(Duration::from_secs(1));
    assert!(sse.next().await.is_none());
    eventually("no session is left", || running.sse_sessions() == 0).await;
    sse.post(&json!({})).await.expect_status(401);
}

// covers: U-08
#[tokio::test]
async fn a_later_token_of_the_same_principal_prolongs_it() {
    let (running, client, clock) = start().await;
    let mut sse = client.sse("/sse").bearer("60").open().await;
    sse.initialize().await;
    sse.set_bearer("120");
    sse.call("whoami", json!({})).await;
    clock.advance(Duration::from_secs(119));
    let answer = sse.call("whoami", json!({})).await;
    assert_eq!(answer["result"]["content"][0]["text"], "ada");
    clock.advance(Duration::from_secs(1));
    assert!(sse.next().await.is_none());
    eventually("no session is left", || running.sse_sessions() == 0).await;
}
