//! Whatever is refused is recorded.

use http::Method;
use mcp_core::NoAuth;
use mcp_core::audit::Outcome;
use mcp_core::policy::Policy;

use crate::support::{Served, Tokens, caller, mirror, serve};

async fn served() -> Served {
    let tokens = Tokens::default().with("ada", caller("ada", ""));
    let policy = Policy::new().tool("admin", "admin");
    serve("", |site| site.resource("/mcp", mirror()).auth(tokens).policy(policy).body_limit(4096)).await
}

/// Sends a body with these headers and expects a refusal that is recorded, once, in these words.
async fn check(body: &str, headers: &[(&'static str, &str)], status: u16, reason: &str) {
    let served = served().await;
    let mut request = served.client.post("/mcp").bearer("ada").body(body.to_owned());
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.send().await.expect_status(status);
    let events = served.events.0.lock().unwrap();
    let [event] = events.as_slice() else { panic!("{body}: {events:?}") };
    assert_eq!(event.outcome, Outcome::Denied, "{body}");
    let recorded = event.reason.as_deref().unwrap();
    assert!(recorded.contains(reason), "{body}: {recorded}");
}

// covers: TR-10
#[tokio::test]
async fn a_refusal_leaves_a_record() {
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"admin"}}"#;
    check(call, &[], 403, "scope").await;
    check(call, &[("mcp-method", "tools/list")], 400, "Header mismatch").await;
    check("{", &[], 400, "not a JSON-RPC message").await;
    check(r#"{"method":"tools/call","params":["admin"]}"#, &[], 400, "not a JSON-RPC message").await;
    check(&" ".repeat(5000), &[], 413, "too large").await;
}

#[tokio::test]
async fn who_signed_in_may_listen_where_everybody_may() {
    let tokens = Tokens::default().with("ada", caller("ada", ""));
    let open = Policy::new().require("mcp").allow_anonymous_tool("search");
    let served = serve("", |site| site.resource("/mcp", mirror()).auth(tokens).policy(open)).await;
    for method in [Method::GET, Method::DELETE] {
        served.client.request(method.clone(), "/mcp").send().await.expect_status(200);
        served.client.request(method, "/mcp").bearer("ada").send().await.expect_status(200);
    }
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"other"}}"#;
    served.client.post("/mcp").body(call).send().await.expect_status(401);
    served.client.post("/mcp").bearer("ada").body(call).send().await.expect_status(403);
}

// covers: AUTH-30
#[tokio::test]
async fn nobody_is_sent_to_sign_in_where_nobody_can() {
    let policy = Policy::new().tool("admin", "admin").allow_anonymous_tool("search");
    let served = serve("", |site| site.resource("/mcp", mirror()).auth(NoAuth::new()).policy(policy)).await;
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"admin"}}"#;
    let answer = served.client.post("/mcp").body(call).send().await.expect_status(403);
    assert_eq!(answer.header("www-authenticate"), None);
}
