//! How sessions begin and end, and what the two eras demand of a request, with the SDK behind our layers.

use mcp_auth_testkit::{Answer, Client, Era};
use serde_json::{Value, json};

use crate::server::{Tools, server, start};

fn list(id: u64) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/list" })
}

/// Sends a body of the old era, with headers.
async fn send(client: &Client, body: &Value, headers: &[(&str, &str)]) -> Answer {
    let mut request = client.post("/mcp").bearer("ada").json(body);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.send().await
}

// covers: TL-03, TL-04
#[tokio::test]
async fn a_session_is_named_at_its_beginning_demanded_and_over_when_its_client_ends_it() {
    let (_server, client) = start().await;
    let (mut first, mut second) = (client.mcp("/mcp").bearer("ada"), client.mcp("/mcp").bearer("ada"));
    first.open().await;
    second.open().await;
    let id = first.session().unwrap().to_owned();
    assert_ne!(Some(id.as_str()), second.session());
    assert!(id.bytes().all(|byte| (0x21..=0x7e).contains(&byte)) && id.len() > 32, "{id}");

    let version = ("mcp-protocol-version", "2025-11-25");
    send(&client, &list(1), &[version]).await.expect_status(400);
    send(&client, &list(2), &[version, ("mcp-session-id", &id)]).await.expect_status(200);

    assert!((200..300).contains(&first.close().await.status()));
    send(&client, &list(3), &[version, ("mcp-session-id", &id)]).await.expect_status(404);
    first.listen().await.expect_status(404);
    // The other one goes on.
    assert_eq!(second.call_text("whoami", json!({})).await, "ada");
}

// covers: TL-02
#[tokio::test]
async fn arrays_of_messages_are_judged_and_then_taken_by_no_newer_version() {
    for rules in [false, true] {
        let server = server(Tools::new());
        let server = if rules { server.policy(crate::server::rules()) } else { server };
        let running = server.start().await.unwrap();
        let client = Client::new(running.url().as_str());
        let mut mcp = client.mcp("/mcp").bearer("ada");
        mcp.open().await;
        let id = mcp.session().unwrap().to_owned();
        for version in ["2025-06-18", "2025-11-25", "2026-07-28"] {
            let headers = [("mcp-protocol-version", version), ("mcp-session-id", &id)];
            let answer = send(&client, &json!([list(1), list(2)]), &headers).await;
            assert!((400..500).contains(&answer.status()), "{version}: {answer}");
        }
    }
}

// covers: TR-09, TR-10
#[tokio::test]
async fn headers_of_the_new_era_say_what_the_body_says() {
    // With rules our layer compares some of them first; without, all of it is the SDK's.
    for rules in [false, true] {
        let server = server(Tools::new());
        let server = if rules { server.policy(crate::server::rules()) } else { server };
        let running = server.start().await.unwrap();
        let client = Client::new(running.url().as_str());
        let mcp = client.mcp("/mcp").era(Era::Stateless).bearer("ada");
        let call = || mcp.prepare("tools/call", json!({ "name": "whoami", "arguments": {} }), Some(1));
        call().send().await.expect_status(200);
        for request in [
            call().replace_header("mcp-protocol-version", "2025-11-25"),
            call().without_header("mcp-protocol-version"),
            call().replace_header("mcp-method", "tools/list"),
            call().without_header("mcp-method"),
            call().replace_header("mcp-name", "hello"),
            call().without_header("mcp-name"),
        ] {
            let line = format!("rules: {rules}, {request:?}");
            let answer = request.send().await;
            assert_eq!((answer.status(), &answer.json()["error"]["code"]), (400, &json!(-32020)), "{line}");
        }
    }
}

// covers: U-09
#[tokio::test]
async fn what_a_server_is_says_it_to_whoever_may_come_in() {
    let (_server, client) = start().await;
    let discover =
        |mcp: &mut mcp_auth_testkit::Mcp| mcp.prepare("server/discover", json!({}), Some(1)).send();
    let mut nobody = client.mcp("/mcp").era(Era::Stateless);
    let answer = discover(&mut nobody).await.expect_status(401);
    answer.expect_challenge(|challenge| challenge.scheme("Bearer").no_error());
    let mut ada = client.mcp("/mcp").era(Era::Stateless).bearer("ada");
    let found = discover(&mut ada).await.expect_status(200).message().await;
    assert!(found["result"]["supportedVersions"].is_array(), "{found}");
}
