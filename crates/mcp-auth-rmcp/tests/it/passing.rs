//! What a handler does beyond tools passes through the wrapper untouched.
#![expect(deprecated, reason = "methods that later revisions dropped must pass too")]

use mcp_auth_rmcp::serve;
use mcp_auth_testkit::Client;
use rmcp::model::{
    CompleteRequestParams, CompleteResult, CompletionInfo, CustomNotification, CustomRequest, CustomResult,
    InitializeRequestParams, InitializeResult, ServerCapabilities, ServerConfig, SetLevelRequestParams,
    SubscribeRequestParams, UnsubscribeRequestParams,
};
use rmcp::service::{NotificationContext, RequestContext};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::server::{Names, rules};

/// Notes what it is asked.
struct Recorder(mpsc::UnboundedSender<String>);

impl Recorder {
    fn note(&self, what: &str) {
        self.0.send(what.to_owned()).unwrap();
    }
}

impl ServerHandler for Recorder {
    fn get_info(&self) -> ServerConfig {
        let capabilities =
            ServerCapabilities::builder().enable_completions().enable_logging().enable_resources().build();
        ServerConfig::new(capabilities).with_instructions("be gentle")
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        self.note("initialize");
        context.peer.set_peer_info(request.clone());
        self.negotiate_initialize(&request)
    }

    async fn on_initialized(&self, _: NotificationContext<RoleServer>) {
        self.note("initialized");
    }

    async fn ping(&self, _: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        self.note("ping");
        Ok(())
    }

    async fn complete(
        &self,
        _: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        Ok(CompleteResult::new(CompletionInfo::with_all_values(vec!["paris".to_owned()]).unwrap()))
    }

    async fn set_level(
        &self,
        _: SetLevelRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.note("level");
        Ok(())
    }

    async fn subscribe(
        &self,
        _: SubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.note("subscribe");
        Ok(())
    }

    async fn unsubscribe(
        &self,
        _: UnsubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.note("unsubscribe");
        Ok(())
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        Ok(CustomResult(json!({ "asked": request.method })))
    }

    async fn on_custom_notification(
        &self,
        notification: CustomNotification,
        _: NotificationContext<RoleServer>,
    ) {
        self.note(&notification.method);
    }

    async fn on_roots_list_changed(&self, _: NotificationContext<RoleServer>) {
        self.note("roots");
    }
}

#[tokio::test]
async fn nothing_is_lost_on_the_way() {
    let (notes, mut noted) = mpsc::unbounded_channel();
    let server = serve(Recorder(notes)).at("http://127.0.0.1:0").auth(Names).policy(rules());
    let running = server.start().await.unwrap();
    let client = Client::new(running.url().as_str());
    let mut sse = client.sse("/sse").bearer("ada").open().await;
    let info = sse.initialize().await;
    assert_eq!(info["instructions"], "be gentle");

    let prompt =
        json!({ "ref": { "type": "ref/prompt", "name": "x" }, "argument": { "name": "city", "value": "p" } });
    let completed = sse.request("completion/complete", prompt).await;
    assert_eq!(completed["result"]["completion"]["values"][0], "paris");
    let custom = sse.request("example/custom", json!({})).await;
    assert_eq!(custom["result"]["asked"], "example/custom");
    for (method, params) in [
        ("ping", json!({})),
        ("logging/setLevel", json!({ "level": "info" })),
        ("resources/subscribe", json!({ "uri": "note://open" })),
        ("resources/unsubscribe", json!({ "uri": "note://open" })),
    ] {
        let answer: Value = sse.request(method, params).await;
        assert!(answer.get("result").is_some(), "{method}: {answer}");
    }
    for method in ["notifications/roots/list_changed", "notifications/example"] {
        sse.post(&json!({ "jsonrpc": "2.0", "method": method })).await.expect_status(202);
    }
    let expected = [
        "initialize",
        "initialized",
        "level",
        "notifications/example",
        "ping",
        "roots",
        "subscribe",
        "unsubscribe",
    ];
    let mut seen = Vec::new();
    while seen.len() < expected.len() {
        seen.push(noted.recv().await.unwrap());
    }
    seen.sort_unstable();
    assert_eq!(seen, expected);
}
