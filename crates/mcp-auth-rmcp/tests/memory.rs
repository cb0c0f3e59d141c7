//! Sessions come and go, and the memory of the process stays as it is.
//!
//! A binary of its own: nothing else may allocate while it measures. The system's figure is used, since a counting
//! allocator would be unsafe code. It moves a little by itself; a leak of 1 KiB of each session is found.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "what helpers cannot unwrap is a failed test")]

use std::time::Duration;

use mcp_auth_rmcp::{Running, SessionLimits, serve};
use mcp_auth_testkit::Client;
use mcp_core::NoAuth;
use rmcp::ServerHandler;
use serde_json::json;

/// How many sessions are open at once.
const AT_ONCE: usize = 50;
/// How often they come and go before it is measured: buffers, caches and the allocator's own tables fill.
const BEFORE: usize = 10;
/// How often they come and go between two measurements.
const ROUNDS: usize = 20;
/// What may be more afterwards, in KiB: one for each session.
const MAY_GROW: usize = AT_ONCE * ROUNDS;

struct Tools;

impl ServerHandler for Tools {}

/// The resident memory of this process, in KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

async fn start(idle: Duration) -> (Running, Client) {
    let limits = SessionLimits::default().idle(idle);
    let server = serve(Tools).at("http://127.0.0.1:0").auth(NoAuth::new()).session_limits(limits);
    let running = server.start().await.unwrap();
    let client = Client::new(running.url().as_str());
    (running, client)
}

async fn all_gone(running: &Running) {
    for _ in 0..1000 {
        if running.sse_sessions() + running.mcp_sessions() + running.connections() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("sessions or connections are left");
}

async fn check(idle: Duration, round: impl AsyncFn(&Client)) {
    let (running, client) = start(idle).await;
    let mut before = 0;
    for number in 0..BEFORE + ROUNDS {
        if number == BEFORE {
            before = resident();
        }
        round(&client).await;
        all_gone(&running).await;
    }
    let grown = resident().saturating_sub(before);
    assert!(grown <= MAY_GROW, "{} sessions left {grown} KiB behind", AT_ONCE * ROUNDS);
}

// One test: two at a time would count each other's.
#[tokio::test]
async fn sessions_leave_no_memory_behind() {
    let never = Duration::from_secs(300);
    check(never, async |client| {
        let mut open = Vec::new();
        for _ in 0..AT_ONCE {
            let mut sse = client.sse("/sse").open().await;
            sse.initialize().await;
            open.push(sse);
        }
    })
    .await;
    // Ended by their client.
    check(never, async |client| {
        let mut open = Vec::new();
        for _ in 0..AT_ONCE {
            let mut mcp = client.mcp("/mcp");
            mcp.open().await;
            open.push(mcp);
        }
        for mcp in open {
            mcp.close().await.expect_status(202);
        }
    })
    .await;
    // Left by their client.
    check(Duration::from_millis(50), async |client| {
        for _ in 0..AT_ONCE {
            let initialize = json!({
                "jsonrpc": "2.0", "id": 1, "method": "initialize",
                "params": {
                    "protocolVersion": "2025-11-25", "capabilities": {},
                    "clientInfo": { "name": "t", "version": "1" },
                },
            });
            client.post("/mcp").json(&initialize).send().await.expect_status(200);
        }
    })
    .await;
}
