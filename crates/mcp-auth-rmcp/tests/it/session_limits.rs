//! Sessions of streamable HTTP are bounded, in all and for each principal, and their places come back.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mcp_auth_rmcp::{Running, SessionLimits, serve};
use mcp_auth_testkit::{Client, Era, Mcp, RequestBuilder};
use mcp_core::{NoAuth, Policy};
use rmcp::ServerHandler;
use rmcp::model::{InitializeRequestParams, InitializeResult, ProtocolVersion, ServerConfig};
use rmcp::service::RequestContext;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::server::{Names, Tools, eventually, server};

/// A request that wants a session.
fn opening(client: &Client, token: Option<&str>) -> RequestBuilder {
    let request = client.post("/mcp").json(&json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": { "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } },
    }));
    match token {
        Some(token) => request.bearer(token),
        None => request,
    }
}

async fn refused(client: &Client, token: Option<&str>, status: u16) {
    let answer = opening(client, token).send().await.expect_status(status);
    answer.expect_header("retry-after", "7").expect_no_header("mcp-session-id");
}

/// Opens a session that its client says no more in.
async fn abandoned(client: &Client, token: &str) {
    opening(client, Some(token)).send().await.expect_status(200);
}

async fn open(client: &Client, token: &str) -> Mcp {
    let mut mcp = client.mcp("/mcp").bearer(token);
    mcp.open().await;
    mcp
}

fn limits() -> SessionLimits {
    SessionLimits::default().retry_after(Duration::from_secs(7))
}

async fn start(limits: SessionLimits) -> (Running, Client) {
    let running = server(Tools::new()).session_limits(limits).start().await.unwrap();
    let client = Client::new(running.url().as_str());
    (running, client)
}

#[tokio::test]
async fn a_principal_has_so_many_sessions() {
    let (running, client) = start(limits().sessions_per_principal(2)).await;
    let (first, mut second) = (open(&client, "ada").await, open(&client, "ada").await);
    refused(&client, Some("ada"), 429).await;
    assert_eq!(running.mcp_sessions(), 2);
    // What is open works on, others are others, and 2026-07-28 has no sessions.
    assert_eq!(second.call_text("whoami", json!({})).await, "ada");
    abandoned(&client, "bob").await;
    let mut stateless = client.mcp("/mcp").era(Era::Stateless).bearer("ada");
    assert_eq!(stateless.call_text("whoami", json!({})).await, "ada");

    first.close().await.expect_status(202);
    eventually("the place is given back", || running.mcp_sessions() == 2).await;
    abandoned(&client, "ada").await;
    refused(&client, Some("ada"), 429).await;
}

#[tokio::test]
async fn a_server_has_so_many_sessions() {
    let limits = limits().sessions(2);
    let running = serve(Tools::new()).at("http://127.0.0.1:0").auth(NoAuth::new()).session_limits(limits);
    let running = running.start().await.unwrap();
    let client = Client::new(running.url().as_str());
    let mut mcp = client.mcp("/mcp");
    mcp.open().await;
    opening(&client, None).send().await.expect_status(200);
    for _ in 0..3 {
        refused(&client, None, 503).await;
    }
    mcp.close().await.expect_status(202);
    eventually("the place is given back", || running.mcp_sessions() == 1).await;
    opening(&client, None).send().await.expect_status(200);
    refused(&client, None, 503).await;
}

#[tokio::test]
async fn an_anonymous_session_gives_way_to_somebody_who_signed_in() {
    let policy = Policy::new().allow_anonymous_tool("hello");
    let running =
        server(Tools::new()).policy(policy).session_limits(limits().sessions(2)).start().await.unwrap();
    let client = Client::new(running.url().as_str());
    let (mut oldest, mut other) = (client.mcp("/mcp"), client.mcp("/mcp"));
    oldest.open().await;
    other.open().await;
    refused(&client, None, 503).await;

    let mut ada = open(&client, "ada").await;
    assert_eq!(running.mcp_sessions(), 2);
    assert_eq!(ada.call_text("whoami", json!({})).await, "ada");
    assert_eq!(other.call_text("hello", json!({})).await, "hello");
    for _ in 0..500 {
        if oldest.call("hello", json!({})).await.status() == 404 {
            return;
        }
    }
    panic!("the oldest session goes on");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_nobody_uses_ends() {
    let limits = limits().sessions(1).idle(Duration::from_secs(100));
    let server = server(Tools::new()).at("http://127.0.0.1:8000").session_limits(limits);
    let (site, shutdown) = server.into_parts().await.unwrap();
    let client = Client::in_memory("http://127.0.0.1:8000", site);
    let mut mcp = open(&client, "ada").await;
    tokio::time::sleep(Duration::from_secs(70)).await;
    mcp.call("whoami", json!({})).await.expect_status(200);
    tokio::time::sleep(Duration::from_secs(70)).await;
    refused(&client, Some("bob"), 503).await;
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!(shutdown.mcp_sessions(), 0);
    mcp.call("whoami", json!({})).await.expect_status(404);
    abandoned(&client, "bob").await;
}

/// A handler that breaks outside of what is caught, or does not answer `initialize` until it may.
#[derive(Clone)]
struct Difficult {
    breaks: Arc<AtomicBool>,
    gate: Arc<Semaphore>,
}

impl ServerHandler for Difficult {
    async fn initialize(
        &self,
        request: InitializeRequestParams,
        _: RequestContext<rmcp::RoleServer>,
    ) -> Result<InitializeResult, rmcp::ErrorData> {
        self.gate.acquire().await.unwrap().forget();
        // What breaks in here is caught.
        let breaks = self.breaks.swap(false, Ordering::Relaxed);
        let answer = self.negotiate_initialize(&request);
        self.breaks.store(breaks, Ordering::Relaxed);
        answer
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        assert!(!self.breaks.load(Ordering::Relaxed), "as the test wants it");
        Cow::Borrowed(ProtocolVersion::KNOWN_VERSIONS)
    }

    fn get_info(&self) -> ServerConfig {
        ServerConfig::default()
    }
}

#[tokio::test]
async fn places_come_back_from_handlers_that_panic_and_clients_that_go_too_early() {
    let handler = Difficult { breaks: Arc::new(AtomicBool::new(true)), gate: Arc::new(Semaphore::new(0)) };
    let server = serve(handler.clone()).at("http://127.0.0.1:0").auth(Names);
    let running = server.session_limits(limits().sessions(1)).start().await.unwrap();
    let client = Client::new(running.url().as_str());
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();

    handler.gate.add_permits(1);
    let answer = opening(&client, Some("ada")).send().await;
    assert_eq!(answer.status(), 500);
    eventually("the place is given back", || running.mcp_sessions() == 0).await;

    handler.breaks.store(false, Ordering::Relaxed);
    let gone = tokio::spawn(opening(&client, Some("ada")).send());
    eventually("the session is there", || running.mcp_sessions() == 1).await;
    gone.abort();
    refused(&client, Some("bob"), 503).await;
    handler.gate.add_permits(1);
    eventually("the place is given back", || running.mcp_sessions() == 0).await;
    eventually("no task is left", || tasks() <= before).await;

    handler.gate.add_permits(1);
    abandoned(&client, "ada").await;
    running.stop().await;
    assert!(tasks() <= before);
}
