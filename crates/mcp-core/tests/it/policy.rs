//! Policy and anonymous access on the wire.

use mcp_core::Endpoint;
use mcp_core::policy::{ChallengeForm, Item, Policy};
use serde_json::{Value, json};

use crate::support::{Endless, Served, Tokens, caller, mirror, serve};

async fn served(policy: Policy) -> Served {
    let tokens =
        Tokens::default().with("reader", caller("ada", "mcp")).with("admin", caller("eve", "mcp admin"));
    serve("", |site| site.resource("/mcp", mirror()).auth(tokens).policy(policy)).await
}

fn call(tool: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": { "name": tool, "arguments": {} } })
}

// covers: AUTH-13, AUTH-15, AUTH-22, AUTH-24, AUTH-25, AUTH-27, RS14
#[tokio::test]
async fn asks_for_every_scope_of_a_call_at_once() {
    let served = served(Policy::new().require("mcp").tool("drop", "admin")).await;
    let post = |token: &str, body: &Value| served.client.post("/mcp").bearer(token).json(body).send();
    let answer = post("reader", &call("drop")).await.expect_status(403);
    let metadata = format!("{}/.well-known/oauth-protected-resource/mcp", served.url);
    answer.expect_challenge(|c| {
        c.scheme("Bearer").error("insufficient_scope").scopes("admin mcp").has("resource_metadata", &metadata)
    });
    post("admin", &call("drop")).await.expect_status(200);
    // The body goes on as it came.
    let seen = post("reader", &call("look")).await.expect_status(200).json();
    assert_eq!(serde_json::from_str::<Value>(seen["body"].as_str().unwrap()).unwrap(), call("look"));
    // One bad apple in an array.
    post("reader", &json!([call("look"), call("drop")])).await.expect_status(403);
}

// covers: TR-10, TR-13
#[tokio::test]
async fn goes_by_the_body_when_headers_say_something_else() {
    let served = served(Policy::new().tool("drop", "admin")).await;
    let post = || served.client.post("/mcp").bearer("reader").json(&call("drop"));
    let lied = post().header("mcp-method", "tools/call").header("mcp-name", "look").send().await;
    lied.expect_status(400).expect_json("/error/code", -32020);
    let twice = post().header("mcp-name", "drop").header("mcp-name", "look").send().await;
    twice.expect_status(400).expect_json("/error/code", -32020);
    post().send().await.expect_status(403);
}

// covers: FT10
#[tokio::test]
async fn refuses_bodies_it_cannot_judge() {
    let served = served(Policy::new().tool("drop", "admin")).await;
    let post = |body: &'static str| served.client.post("/mcp").bearer("reader").body(body).send();
    post("").await.expect_status(400);
    post("{").await.expect_status(400);
    post("[]").await.expect_status(400);
    post(r#"{"method":"tools/call","params":{"name":"look"},"method":"ping"}"#).await.expect_status(400);
    post(r#"{"method":"tools/call","params":{"name":"look","name":"drop"}}"#).await.expect_status(400);
    post(r#"{"METHOD":"tools/call","params":{"name":"drop"}}"#).await.expect_status(400);
    // Each message asks for little, all of them for a lot.
    let listen = json!({ "method": "subscriptions/listen",
        "params": { "notifications": { "resourceSubscriptions": vec!["x:y"; 500] } } });
    for (messages, status) in [(2, 200), (3, 400), (800, 400)] {
        let answer = served.client.post("/mcp").bearer("reader").json(&json!(vec![&listen; messages])).send();
        answer.await.expect_status(status);
    }
    let large = served.client.post("/mcp").bearer("reader").body(vec![b' '; 5 << 20]).send().await;
    large.expect_status(413);
    // A compressed body is no JSON: nothing here unpacks what a peer packed.
    let packed = served.client.post("/mcp").bearer("reader").header("content-encoding", "gzip");
    packed.body(vec![0x1f, 0x8b, 8, 0]).send().await.expect_status(400);
}

#[tokio::test]
async fn lets_anybody_call_what_is_open_and_challenges_the_rest() {
    let served = served(Policy::new().tool("drop", "admin").allow_anonymous_tool("search")).await;
    let post = |body: &Value| served.client.post("/mcp").json(body).send();
    let seen = post(&call("search")).await.expect_status(200);
    seen.expect_json("/anonymous", true);
    post(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" })).await.expect_status(200);
    post(&call("drop"))
        .await
        .expect_status(401)
        .expect_challenge(|c| c.scheme("Bearer").no_error().scopes("admin"));
    post(&call("other")).await.expect_status(401);
    // A bad token is a bad token, whatever it is used for.
    let answer = served.client.post("/mcp").bearer("bad").json(&call("search")).send().await;
    answer.expect_status(401).expect_challenge(|c| c.error("invalid_token"));
}

#[tokio::test]
async fn what_is_open_to_everybody_is_open_to_whoever_signed_in_too() {
    let served = serve("", |site| {
        let tokens =
            Tokens::default().with("stranger", caller("kim", "other")).with("reader", caller("ada", "mcp"));
        let policy = Policy::new().require("mcp").allow_anonymous_tool("search");
        site.resource("/mcp", mirror()).auth(tokens).policy(policy)
    })
    .await;
    let post = |token: &str, body: &Value| served.client.post("/mcp").bearer(token).json(body).send();
    let rpc = |method: &str| json!({ "jsonrpc": "2.0", "id": 1, "method": method });
    for body in [call("search"), rpc("initialize"), rpc("tools/list")] {
        served.client.post("/mcp").json(&body).send().await.expect_status(200);
        post("stranger", &body).await.expect_status(200).expect_json("/caller", "kim");
        post("reader", &body).await.expect_status(200);
    }
    for body in [call("other"), rpc("logging/setLevel"), json!([call("search"), call("other")])] {
        let answer = post("stranger", &body).await.expect_status(403);
        answer.expect_challenge(|c| c.error("insufficient_scope").scopes("mcp"));
        post("reader", &body).await.expect_status(200);
    }
}

#[tokio::test]
async fn asks_to_sign_in_as_a_tool_result_where_that_was_chosen() {
    let policy = Policy::new().allow_anonymous_tool("search").challenge_form(ChallengeForm::ToolResult);
    let served = served(policy.tool("drop", "admin")).await;
    let answer = served.client.post("/mcp").json(&call("drop")).send().await.expect_status(200).json();
    assert_eq!(answer["id"], 7);
    assert_eq!(answer["result"]["isError"], true);
    let challenge = answer["result"]["_meta"]["mcp/www_authenticate"][0].as_str().unwrap();
    assert!(challenge.starts_with("Bearer ") && challenge.contains("resource_metadata="), "{challenge}");
    // Anything but a tool call gets the real thing.
    let read = json!({ "jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": { "uri": "x:y" } });
    served.client.post("/mcp").json(&read).send().await.expect_status(401);
}

// covers: TR-13
#[tokio::test]
async fn judges_a_body_whatever_the_method() {
    let served =
        served(Policy::new().require("mcp").tool("drop", "admin").allow_anonymous_tool("search")).await;
    let odd = http::Method::from_bytes(b"QUERY").unwrap();
    for method in [http::Method::GET, http::Method::DELETE, http::Method::PUT, odd] {
        let send = |tool: &str| served.client.request(method.clone(), "/mcp").json(&call(tool));
        send("drop").bearer("reader").send().await.expect_status(403);
        send("drop").bearer("admin").send().await.expect_status(200);
        send("drop").send().await.expect_status(401);
        send("search").send().await.expect_status(200);
    }
    // Without a body there is nothing to judge.
    served.client.get("/mcp").bearer("reader").send().await.expect_status(200);
    served.client.delete("/mcp").send().await.expect_status(200);
}

// covers: FT05
#[tokio::test]
async fn waits_for_a_body_only_so_long() {
    let served = served(Policy::new().tool("drop", "admin")).await;
    let client = mcp_auth_testkit::Client::in_memory(&served.url, served.site.clone());
    let slow = client.post("/mcp").bearer("reader").body(mcp_core::Body::new(Endless::new())).send();
    let (answer, ()) = tokio::join!(slow, async {
        served.clock.until_sleeping(1).await;
        served.clock.advance(std::time::Duration::from_secs(60));
    });
    answer.expect_status(408);
}

// covers: SEC-12
#[tokio::test]
async fn records_who_called_which_tool() {
    let served = served(Policy::new().tool("drop", "admin")).await;
    served.client.post("/mcp").bearer("admin").json(&call("drop")).send().await.expect_status(200);
    let events = served.events.0.lock().unwrap();
    let event = events.iter().find(|event| event.outcome.as_str() == "allowed").unwrap();
    assert_eq!(event.action.as_deref(), Some("tools/call drop"));
    assert_eq!(event.subject.as_deref(), Some("eve"));
}

/// Lets a caller of the own network in without a name.
#[derive(Debug)]
struct Neighbours;

#[mcp_core::async_trait]
impl mcp_core::Authenticator for Neighbours {
    async fn authenticate(
        &self,
        _: &mcp_core::RequestHead<'_>,
        _: &mcp_core::ProtectedResource,
    ) -> Result<mcp_core::Identity, mcp_core::AuthError> {
        Ok(mcp_core::Identity::anonymous())
    }
}

#[tokio::test]
async fn a_nameless_caller_has_no_scopes_on_any_method() {
    let served = serve("", |site| {
        site.resource("/mcp", mirror()).auth(Neighbours).policy(Policy::new().require("mcp"))
    })
    .await;
    for method in [http::Method::GET, http::Method::DELETE, http::Method::POST] {
        let answer = served.client.request(method, "/mcp").json(&call("look")).send().await;
        answer.expect_status(401).expect_challenge(|c| c.no_error().scopes("mcp"));
    }
    served.client.get("/mcp").send().await.expect_status(401);
}

#[tokio::test]
async fn a_guarded_tool_is_guarded_whatever_policy_counts() {
    let tokens =
        Tokens::default().with("reader", caller("ada", "mcp")).with("admin", caller("eve", "mcp admin"));
    let served = serve("/below", |site| {
        site.resource("/mcp", mirror())
            .resource(Endpoint::at("/own").policy(Policy::new().require("mcp")), mirror())
            .auth(tokens)
            .guard_tool("drop", "admin")
            .policy(Policy::new().tool("look", "admin"))
    })
    .await;
    let status = async |path: &str, token: &str, tool: &str| {
        served.client.post(path).bearer(token).json(&call(tool)).send().await.status()
    };
    for (path, tool, reader) in
        [("/mcp", "drop", 403), ("/own", "drop", 403), ("/mcp", "look", 403), ("/own", "look", 200)]
    {
        assert_eq!(status(path, "reader", tool).await, reader, "{path} {tool}");
        assert_eq!(status(path, "admin", tool).await, 200, "{path} {tool}");
        // Whoever filters lists by this policy shows exactly what may be called.
        let policy = served.site.policy_at(path).unwrap();
        assert_eq!(policy.visible(&caller("ada", "mcp"), Item::Tool(tool)), reader == 200, "{path} {tool}");
    }
    assert!(served.site.policy_at("/healthz").is_none());
    assert!(served.site.policy_at("/").is_none());
}

#[tokio::test]
async fn an_endpoint_may_have_a_form_of_its_own() {
    let policy = Policy::new().allow_anonymous_tool("search").challenge_form(ChallengeForm::ToolResult);
    let served = serve("", |site| {
        site.resource("/mcp", mirror())
            .resource(Endpoint::at("/sse").challenge_form(ChallengeForm::Http), mirror())
            .auth(Tokens::default())
            .policy(policy)
    })
    .await;
    for (path, status) in [("/mcp", 200), ("/sse", 401)] {
        served.client.post(path).json(&call("drop")).send().await.expect_status(status);
    }
}
