//! Quick answers go out in one piece, slow ones begin at once.

use mcp_auth_testkit::{Answer, Client};
use serde_json::json;

use crate::server::{Tools, server};

/// Calls a tool in a session and returns the answer, whose body may go on.
async fn call(client: &Client, tool: &str) -> Answer {
    let mut mcp = client.mcp("/mcp").bearer("ada");
    mcp.open().await;
    mcp.prepare("tools/call", json!({ "name": tool, "arguments": {} }), Some(7))
        .send()
        .await
        .expect_status(200)
}

// covers: TR-07
#[tokio::test]
async fn a_quick_answer_goes_out_in_one_piece_unless_each_event_is_wanted() {
    for (each_event, whole) in [(false, true), (true, false)] {
        let quick = server(Tools::new());
        let quick = if each_event { quick.send_each_event() } else { quick };
        let running = quick.start().await.unwrap();
        let answer = call(&Client::new(running.url().as_str()), "whoami").await;
        assert_eq!(answer.header("content-type"), Some("text/event-stream"));
        assert_eq!(answer.header("content-length").is_some(), whole);
        let mut events = answer.events();
        let message = events.next().await.unwrap().data;
        assert!(message.contains(r#""text":"ada""#), "{message}");
        assert_eq!(events.next().await, None);
        assert_eq!(running.site().open_streams(), 0);
    }
}

#[tokio::test]
async fn a_slow_answer_begins_before_it_is_there() {
    let tools = Tools::new();
    let running = server(tools.clone()).start().await.unwrap();
    // The head and what a client resumes by are there, or this would wait for the tool.
    let mut events = call(&Client::new(running.url().as_str()), "slow").await.events();
    tools.gate.add_permits(1);
    assert!(events.next().await.unwrap().data.contains("at last"));
}
