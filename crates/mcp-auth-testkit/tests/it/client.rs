//! The scripted client.

use http::{Request, Response};
use mcp_auth_testkit::{Challenge, Client, Era, Server};
use mcp_core::{Body, BoxService, Connection};
use proptest::prelude::*;
use serde_json::json;

/// Answers with what it was sent.
fn mirror() -> BoxService {
    BoxService::from_fn(|request: Request<Body>| async move {
        use http_body_util::BodyExt;
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let headers: Vec<(String, String)> = parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        let peer = parts.extensions.get::<Connection>().map(|connection| connection.peer().to_string());
        let text = json!({
            "method": parts.method.as_str(),
            "target": parts.uri.to_string(),
            "headers": headers,
            "peer": peer,
            "body": String::from_utf8_lossy(&body),
        });
        Response::new(Body::from(text.to_string()))
    })
}

#[tokio::test]
async fn socket_and_memory_carry_the_same_request() {
    let server = Server::start(mirror()).await.unwrap();
    let by_socket = Client::new("http://mcp.example.com/tools").via(server.address());
    let in_memory = Client::in_memory("http://mcp.example.com/tools", mirror());
    for client in [by_socket, in_memory] {
        let mirrored = client.post("/mcp?x=1").bearer("t").json(&json!({ "a": 1 })).send().await.json();
        assert_eq!(mirrored["target"], "/tools/mcp?x=1");
        assert_eq!(mirrored["body"], r#"{"a":1}"#);
        assert!(mirrored["peer"].as_str().unwrap().starts_with("127.0.0.1:"));
        let headers = mirrored["headers"].to_string();
        for header in [r#"["host","mcp.example.com"]"#, r#"["authorization","Bearer t"]"#] {
            assert!(headers.contains(header), "{header} in {headers}");
        }
    }
    let far = Client::in_memory("http://x.test", mirror()).from_address("203.0.113.7:9".parse().unwrap());
    assert_eq!(far.get("/").send().await.json()["peer"], "203.0.113.7:9");
    let bare = far.get("/").without_header("host").send().await.json();
    assert_eq!(bare["headers"], json!([]));
}

#[tokio::test]
async fn stateless_requests_say_everything_about_themselves() {
    let client = Client::in_memory("http://x.test", mirror());
    let mut mcp = client.mcp("/mcp").era(Era::Stateless).bearer("t");
    let sent = mcp.call("grüße", json!({ "n": 1 })).await.json();
    let headers = sent["headers"].to_string();
    for header in [
        r#"["mcp-protocol-version","2026-07-28"]"#,
        r#"["mcp-method","tools/call"]"#,
        r#"["mcp-name","=?base64?Z3LDvMOfZQ==?="]"#,
    ] {
        assert!(headers.contains(header), "{header} in {headers}");
    }
    let body: serde_json::Value = serde_json::from_str(sent["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"], "2026-07-28");
    assert_eq!(body["params"]["arguments"], json!({ "n": 1 }));
}

#[tokio::test]
async fn a_session_is_kept_and_shown() {
    let service = BoxService::from_fn(|request: Request<Body>| async move {
        let session = request.headers().get("mcp-session-id").map(|id| id.to_str().unwrap().to_owned());
        let stream = ": hello\r\n\r\nevent: message\r\ndata: {\"jsonrpc\":\"2.0\",\r\ndata: \"id\":1,\"result\":{\"ok\":true}}\r\n\r\n";
        let mut response = Response::new(Body::from(stream));
        response.headers_mut().insert("content-type", "text/event-stream".parse().unwrap());
        if session.as_deref() == Some("s1") {
            *response.status_mut() = http::StatusCode::ACCEPTED;
        }
        response.headers_mut().insert("mcp-session-id", "s1".parse().unwrap());
        response
    });
    let mut mcp = Client::in_memory("http://x.test", service).mcp("/mcp");
    assert_eq!(mcp.open().await, json!({ "ok": true }));
    assert_eq!(mcp.session(), Some("s1"));
}

#[tokio::test]
async fn the_old_transport_posts_where_the_stream_says() {
    let service = BoxService::from_fn(|request: Request<Body>| async move {
        let mut response = Response::new(Body::empty());
        if request.method() == http::Method::GET {
            let stream = "event: endpoint\ndata: /p/messages?sessionId=7\n\nevent: message\ndata: {\"id\":1,\"result\":{\"ok\":1}}\n\n";
            *response.body_mut() = Body::from(stream);
            response.headers_mut().insert("content-type", "text/event-stream".parse().unwrap());
        } else if request.uri() == "/p/messages?sessionId=7" {
            *response.status_mut() = http::StatusCode::ACCEPTED;
        }
        response
    });
    let mut sse = Client::in_memory("http://x.test/p", service).sse("/sse").bearer("t").open().await;
    assert_eq!(sse.endpoint(), "/p/messages?sessionId=7");
    assert_eq!(sse.call("x", json!({})).await["result"], json!({ "ok": 1 }));
    assert_eq!(sse.next().await, None);
}

#[tokio::test]
async fn a_wrong_status_panics_and_names_the_request() {
    let client = Client::in_memory("http://x.test", mirror());
    let panicked = tokio::spawn(async move { client.get("/").send().await.expect_status(401) }).await;
    let payload = panicked.unwrap_err().into_panic();
    let message = payload.downcast_ref::<String>().unwrap();
    assert!(message.contains("the status of GET / "), "{message}");
}

proptest! {
    #[test]
    fn whatever_is_read_as_challenges_is_written_the_same(text in "\\PC{0,80}") {
        if let Ok(list) = Challenge::parse(&text) {
            let again = list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            prop_assert_eq!(Challenge::parse(&again).unwrap(), list);
        }
    }

    #[test]
    fn challenges_with_any_values_are_read_back(realm in "[ -~]{0,30}", scope in "[!#-\\[\\]-~]{1,20}") {
        let escaped = realm.replace('\\', "\\\\").replace('"', "\\\"");
        let header = format!(r#"Bearer realm="{escaped}", scope="{scope}", DPoP algs="ES256""#);
        let list = Challenge::parse(&header).unwrap();
        prop_assert_eq!(list.len(), 2);
        prop_assert_eq!(list[0].param("realm"), Some(realm.as_str()));
        prop_assert_eq!(list[0].param("scope"), Some(scope.as_str()));
    }
}
