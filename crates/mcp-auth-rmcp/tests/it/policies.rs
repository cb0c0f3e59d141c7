//! Wherever a policy was said: what lists show and what may be called is the same.

use std::sync::Arc;

use mcp_auth_rmcp::Serve;
use mcp_auth_testkit::{Client, Era};
use mcp_core::policy::ChallengeForm;
use mcp_core::{Endpoint, Policy};
use serde_json::{Value, json};

use crate::server::{Tools, server};

/// What a listed tool says of itself by `_meta.securitySchemes`.
fn schemes<'a>(list: &'a Value, name: &str) -> Option<&'a Value> {
    let tool = list["tools"].as_array().unwrap().iter().find(|tool| tool["name"] == name)?;
    Some(&tool["_meta"]["securitySchemes"])
}

/// Asks, over both transports, which of two tools a caller sees and may call.
async fn check(server: Serve<Arc<Tools>>, token: &str, mcp: [bool; 2], sse: [bool; 2]) {
    let running = server.start().await.unwrap();
    let client = Client::new(running.url().as_str());
    let names = ["admin", "hello"];

    let mut over_mcp = client.mcp("/mcp").era(Era::Stateless).bearer(token);
    let seen = over_mcp.tools().await;
    assert_eq!(names.map(|name| seen.contains(&name.to_owned())), mcp, "seen over /mcp");
    for (name, open) in names.iter().zip(mcp) {
        over_mcp.call(name, json!({})).await.expect_status(if open { 200 } else { 403 });
    }

    let mut over_sse = client.sse("/sse").bearer(token).open().await;
    over_sse.initialize().await;
    let list = over_sse.request("tools/list", json!({})).await;
    assert_eq!(names.map(|name| schemes(&list["result"], name).is_some()), sse, "seen over /sse");
    for (name, open) in names.iter().zip(sse) {
        let call = json!({ "jsonrpc": "2.0", "id": 99, "method": "tools/call", "params": { "name": name } });
        over_sse.post(&call).await.expect_status(if open { 202 } else { 403 });
    }
}

// covers: SEC-12
#[tokio::test]
async fn an_endpoint_s_own_policy_decides_about_its_lists_too() {
    let own = || Endpoint::at("/mcp").policy(Policy::new().tool("hello", "greet"));
    check(server(Tools::new()).mcp(own()), "ada", [true, false], [true, true]).await;
    let server_s = Policy::new().tool("admin", "admin");
    check(server(Tools::new()).mcp(own()).policy(server_s.clone()), "ada", [true, false], [false, true])
        .await;
    let own = Endpoint::at("/sse").policy(Policy::new().tool("hello", "greet"));
    check(server(Tools::new()).sse(own, "/messages").policy(server_s), "ada", [false, true], [true, false])
        .await;
}

// covers: SEC-12
#[tokio::test]
async fn a_guard_holds_beside_every_policy() {
    let other = || Policy::new().tool("hello", "greet");
    let guarded = || server(Tools::new()).guard("admin", "admin");
    check(guarded().mcp(Endpoint::at("/mcp").policy(other())), "ada", [false, false], [false, true]).await;
    check(guarded().policy(other()), "ada", [false, false], [false, false]).await;
    check(guarded().site(move |site| site.policy(other())), "ada", [false, false], [false, false]).await;
    check(guarded(), "ada.admin", [true, true], [true, true]).await;
}

// covers: SEC-12
#[tokio::test]
async fn a_policy_said_to_the_site_decides_about_lists_too() {
    let policy = Policy::new().tool("hello", "greet");
    let said = server(Tools::new()).policy(Policy::new().tool("admin", "admin"));
    check(said.site(|site| site.policy(policy)), "ada", [true, false], [true, false]).await;
}

#[tokio::test]
async fn tools_say_how_to_sign_in_by_the_policy_that_counts() {
    let own = Policy::new().tool("admin", "admin").allow_anonymous_tool("hello");
    let running = server(Tools::new()).mcp(Endpoint::at("/mcp").policy(own)).start().await.unwrap();
    let client = Client::new(running.url().as_str());
    let mut mcp = client.mcp("/mcp").era(Era::Stateless).bearer("ada.admin");
    let list = mcp.request("tools/list", json!({})).await.message().await["result"].clone();
    assert_eq!(schemes(&list, "admin").unwrap(), &json!([{ "type": "oauth2", "scopes": ["admin"] }]));
}

// Clients of 2024-11-05 read answers from the stream, and nothing of the response to a POST but its status.
#[tokio::test]
async fn over_sse_a_call_that_needs_sign_in_is_401_in_whatever_form() {
    let policy = || Policy::new().allow_anonymous_tool("hello").challenge_form(ChallengeForm::ToolResult);
    let own = Endpoint::at("/sse").policy(policy());
    for server in [server(Tools::new()).policy(policy()), server(Tools::new()).sse(own, "/messages")] {
        let running = server.start().await.unwrap();
        let client = Client::new(running.url().as_str());
        let mut sse = client.sse("/sse").open().await;
        sse.initialize().await;
        let call =
            json!({ "jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": { "name": "whoami" } });
        sse.post(&call).await.expect_status(401).expect_challenge(|c| c.scheme("Bearer").no_error());
        assert_eq!(sse.call("hello", json!({})).await["result"]["content"][0]["text"], "hello");
    }
    // Over streamable HTTP it is a tool result where that was chosen.
    let running = server(Tools::new()).policy(policy()).start().await.unwrap();
    let mut mcp = Client::new(running.url().as_str()).mcp("/mcp").era(Era::Stateless);
    let told = mcp.call("whoami", json!({})).await.expect_status(200).json();
    assert!(told["result"]["_meta"]["mcp/www_authenticate"][0].is_string(), "{told}");
}
