//! Lists show what their reader may use.

use mcp_auth_rmcp::Guarded;
use mcp_auth_testkit::{Client, Era, Mcp};
use mcp_core::{BoxService, Policy};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::{Value, json};

use crate::server::{Tools, rules, server, start};

async fn list(mcp: &mut Mcp, method: &str) -> Value {
    mcp.request(method, json!({})).await.expect_status(200).message().await["result"].clone()
}

fn names(list: &Value, items: &str, key: &str) -> Vec<String> {
    let items = list[items].as_array().unwrap();
    let mut names: Vec<_> = items.iter().map(|item| item[key].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

// covers: TR-28
#[tokio::test]
async fn each_caller_sees_its_own_lists() {
    let (_server, client) = start().await;
    let mut ada = client.mcp("/mcp").era(Era::Stateless).bearer("ada");
    let mut root = client.mcp("/mcp").era(Era::Stateless).bearer("root.admin");
    let rows = [
        ("tools/list", "tools", "name", "admin"),
        ("prompts/list", "prompts", "name", "sudo"),
        ("resources/list", "resources", "uri", "note://closed"),
        ("resources/templates/list", "resourceTemplates", "uriTemplate", "vault://{name}"),
    ];
    for (method, items, key, guarded) in rows {
        let hers = list(&mut ada, method).await;
        let all = list(&mut root, method).await;
        let guarded = guarded.to_owned();
        let mut expected = names(&all, items, key);
        assert!(expected.contains(&guarded), "{method}");
        expected.retain(|name| *name != guarded);
        assert_eq!(names(&hers, items, key), expected, "{method}");
        assert!(!expected.is_empty());
        assert_eq!(hers["cacheScope"], "private", "{method}");
        assert_eq!(all["cacheScope"], "private", "{method}");
    }
    // What is hidden cannot be called either.
    ada.call("admin", json!({})).await.expect_status(403);
    root.call("admin", json!({})).await.expect_status(200);
}

#[tokio::test]
async fn lists_over_sse_are_filtered_too() {
    let (_server, client) = start().await;
    let mut sse = client.sse("/sse").bearer("ada").open().await;
    sse.initialize().await;
    let answer = sse.request("tools/list", json!({})).await;
    let tools = names(&answer["result"], "tools", "name");
    assert!(tools.contains(&"whoami".to_owned()));
    assert!(!tools.contains(&"admin".to_owned()));
    // 2024-11-05 has no caching, and is not told of it.
    assert!(answer["result"].get("cacheScope").is_none());
}

#[tokio::test]
async fn lists_that_are_the_same_for_all_stay_public() {
    let running = server(Tools::new()).start().await.unwrap();
    let client = Client::new(running.url().as_str());
    let mut ada = client.mcp("/mcp").era(Era::Stateless).bearer("ada");
    assert_eq!(list(&mut ada, "tools/list").await["cacheScope"], "public");
}

#[tokio::test]
async fn tools_say_how_to_sign_in_for_them() {
    let policy = Policy::new().tool("admin", "admin").allow_anonymous_tool("hello");
    let running = server(Tools::new()).policy(policy).start().await.unwrap();
    let client = Client::new(running.url().as_str());
    let all = list(&mut client.mcp("/mcp").era(Era::Stateless), "tools/list").await;
    let schemes = |name: &str| {
        let tools = all["tools"].as_array().unwrap();
        let tool = tools.iter().find(|tool| tool["name"] == name).unwrap();
        tool["_meta"]["securitySchemes"].clone()
    };
    assert_eq!(schemes("hello"), json!([{ "type": "noauth" }, { "type": "oauth2", "scopes": [] }]));
    assert_eq!(schemes("admin"), json!([{ "type": "oauth2", "scopes": ["admin"] }]));
}

#[tokio::test]
async fn a_filter_without_an_identity_shows_nothing() {
    let bare: StreamableHttpService<Guarded<Tools>, LocalSessionManager> = StreamableHttpService::new(
        || Ok(Guarded::new(Tools::new(), rules())),
        std::sync::Arc::default(),
        StreamableHttpServerConfig::default(),
    );
    let client = Client::in_memory("http://127.0.0.1:8000", BoxService::new(bare));
    let mut mcp = client.mcp("/mcp").era(Era::Stateless);
    let answer = mcp.request("tools/list", json!({})).await.message().await;
    assert_eq!(answer["error"]["code"], -32603);
}
