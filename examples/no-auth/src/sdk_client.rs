//! The SDK's own client against this server.

use rmcp::ServiceExt;
use rmcp::model::CallToolRequestParams;
use rmcp::transport::StreamableHttpClientTransport;

#[tokio::test]
async fn it_gets_in_and_finds_the_guarded_tool_shut() {
    let settings = crate::Settings {
        bind: "127.0.0.1:0".to_owned(),
        public_url: "http://127.0.0.1:0".to_owned(),
        allow_origins: Vec::new(),
    };
    let server = crate::server(settings).start().await.unwrap();
    let transport = StreamableHttpClientTransport::from_uri(server.url().join("/mcp"));
    let client = ().serve(transport).await.unwrap();
    let tools = client.list_all_tools().await.unwrap();
    assert!(tools.iter().any(|tool| tool.name == "echo") && tools.iter().all(|tool| tool.name != "secret"));
    let whoami = client.call_tool(CallToolRequestParams::new("whoami")).await.unwrap();
    assert!(format!("{whoami:?}").contains("anonymous"));
    assert!(client.call_tool(CallToolRequestParams::new("secret")).await.is_err());
}
