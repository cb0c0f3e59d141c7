//! Ordinary exchanges, and what the client must not do on its own accord.

use bytes::Bytes;
use http::{Request, StatusCode};
use mcp_outbound::HttpClient;
use std::sync::Arc;
use wiremock::matchers::{body_string, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{get, loopback_client};

#[tokio::test]
async fn request_and_answer_arrive_as_they_are() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/token"))
        .and(header("authorization", "Basic YTpi"))
        .and(header("content-type", "application/x-www-form-urlencoded"))
        .and(body_string("grant_type=x"))
        .respond_with(
            ResponseTemplate::new(201).insert_header("cache-control", "max-age=5").set_body_string("done"),
        )
        .expect(1)
        .mount(&server)
        .await;
    let client: Arc<dyn HttpClient> = Arc::new(loopback_client());
    let request = Request::post(format!("{}/token", server.uri()))
        .header("authorization", "Basic YTpi")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from_static(b"grant_type=x"))
        .unwrap();
    let answer = client.execute(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    assert_eq!(answer.headers()["cache-control"], "max-age=5");
    assert_eq!(answer.body(), "done");
    let received = server.received_requests().await.unwrap();
    let agent = received[0].headers["user-agent"].to_str().unwrap();
    assert!(agent.starts_with("mcp-outbound/"), "{agent}");
}

// covers: AUTH-82, TK26, PX-14, PX25
#[tokio::test]
async fn a_redirect_is_returned_and_not_followed() {
    let server = MockServer::start().await;
    let elsewhere = format!("{}/internal", server.uri());
    for status in [301, 302, 303, 307, 308] {
        Mock::given(path(format!("/{status}")))
            .respond_with(ResponseTemplate::new(status).insert_header("location", elsewhere.as_str()))
            .mount(&server)
            .await;
    }
    Mock::given(path("/internal")).respond_with(ResponseTemplate::new(200)).expect(0).mount(&server).await;
    for status in [301, 302, 303, 307, 308] {
        let answer = loopback_client().execute(get(&format!("{}/{status}", server.uri()))).await.unwrap();
        assert_eq!(answer.status().as_u16(), status);
        assert_eq!(answer.headers()["location"], elsewhere);
    }
}

#[tokio::test]
async fn any_status_is_an_answer() {
    let server = MockServer::start().await;
    for status in [204, 304, 400, 401, 404, 429, 500, 503] {
        Mock::given(path(format!("/{status}")))
            .respond_with(ResponseTemplate::new(status))
            .mount(&server)
            .await;
        let answer = loopback_client().execute(get(&format!("{}/{status}", server.uri()))).await.unwrap();
        assert_eq!(answer.status().as_u16(), status);
    }
}

/// A few bytes that decode to megabytes would slip under the limit if decoding were done.
#[tokio::test]
async fn a_coded_body_is_neither_asked_for_nor_decoded() {
    // gzip of "hello".
    let coded: &[u8] = &[
        0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 7, 0, 0x86, 0xa6, 0x10, 0x36, 5, 0,
        0, 0,
    ];
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .respond_with(
            ResponseTemplate::new(200).insert_header("content-encoding", "gzip").set_body_bytes(coded),
        )
        .mount(&server)
        .await;
    let answer = loopback_client().execute(get(&server.uri())).await.unwrap();
    assert_eq!(answer.body(), coded);
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    let received = server.received_requests().await.unwrap();
    assert!(!received[0].headers.contains_key("accept-encoding"));
}

#[tokio::test]
async fn nothing_is_remembered_from_one_request_to_the_next() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(200).insert_header("set-cookie", "sid=1; Path=/"))
        .mount(&server)
        .await;
    let client = loopback_client();
    for _ in 0..2 {
        client.execute(get(&format!("{}/page", server.uri()))).await.unwrap();
    }
    for request in server.received_requests().await.unwrap() {
        assert!(!request.headers.contains_key("cookie"));
        assert!(!request.headers.contains_key("referer"));
    }
}

#[tokio::test]
async fn localhost_is_known_without_a_look_up() {
    let server = MockServer::start().await;
    Mock::given(method("GET")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let port = server.address().port();
    let script = crate::support::Script::new(&[&["8.8.8.8"]]);
    let client = mcp_outbound::OutboundClient::builder()
        .resolver(script.clone())
        .dangerous()
        .allow_loopback()
        .build()
        .unwrap();
    for host in ["localhost", "idp.localhost"] {
        client.execute(get(&format!("http://{host}:{port}/"))).await.unwrap();
    }
    assert_eq!(script.asked(), 0);
}
