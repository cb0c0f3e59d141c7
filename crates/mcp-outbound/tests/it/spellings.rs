//! Addresses that are written into the URL, in all their spellings: no resolver is asked about these.

use bytes::Bytes;
use http::Request;
use mcp_outbound::{HttpClient, OutboundClient};

use crate::support::{Script, Trap, get, loopback_client, refusal};

// covers: CI06, AUTH-83, PX-14
#[tokio::test]
async fn no_spelling_of_a_literal_gets_through() {
    let trap = Trap::at("127.0.0.1:0").await;
    let script = Script::new(&[&["8.8.8.8"]]);
    let client = OutboundClient::builder().resolver(script.clone()).build().unwrap();
    for host in [
        "127.0.0.1",
        "127.0.0.1.",
        "127.1",
        "127.0.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "017700000001",
        "0177.0.0.1",
        "0x7f.0.0.0x1",
        "0",
        "0.0.0.0",
        "%31%32%37.0.0.1",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "10.0.0.1",
        "0xa.0x0.0x0.0x1",
        "169.254.169.254",
        "0xa9fea9fe",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "192.168.257",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "idp.localhost",
        "idp.localhost.",
        "idp.example.com.",
    ] {
        let url = format!("https://{host}:{}/", trap.port());
        // What `http::Uri` will not even hold cannot be asked for.
        let Ok(request) = Request::get(&url).body(Bytes::new()) else {
            assert!(host.contains('%'), "{host} is meant to be tested");
            continue;
        };
        let error = client.execute(request).await.unwrap_err();
        assert!(
            error.is_blocked() || (host.contains('%') && error.is_invalid_request()),
            "{host}: {error:?}"
        );
    }
    assert_eq!((script.asked(), trap.visitors().await), (0, 0));
}

// covers: PX-14, SEC-03
#[tokio::test]
async fn plain_http_is_refused_before_any_look_up() {
    let script = Script::new(&[&["8.8.8.8"]]);
    let client = OutboundClient::builder().resolver(script.clone()).build().unwrap();
    for url in
        ["http://idp.example.com/", "http://8.8.8.8/", "ftp://idp.example.com/", "ws://idp.example.com/"]
    {
        refusal(&client, url).await;
    }
    assert_eq!(script.asked(), 0);
}

#[tokio::test]
async fn loopback_opened_is_loopback_and_nothing_else() {
    let client = loopback_client();
    for url in [
        "http://10.0.0.1/",
        "http://8.8.8.8/",
        "http://idp.example.com/",
        "http://0.0.0.0/",
        "http://[::]/",
        "https://192.168.0.1/",
        "https://169.254.169.254/",
        "http://[64:ff9b::127.0.0.1]/",
        "http://localhost./",
    ] {
        refusal(&client, url).await;
    }
}

/// A name of one's own may resolve to loopback, but is not loopback: plain http to it stays refused.
#[tokio::test]
async fn plain_http_needs_a_name_that_cannot_mean_another_host() {
    let trap = Trap::at("127.0.0.1:0").await;
    let client = OutboundClient::builder()
        .resolver(Script::new(&[&["127.0.0.1"]]))
        .dangerous()
        .allow_loopback()
        .build()
        .unwrap();
    refusal(&client, &format!("http://idp.example.com:{}/", trap.port())).await;
    assert_eq!(trap.visitors().await, 0);
    let https = client.execute(get(&format!("https://idp.example.com:{}/", trap.port()))).await.unwrap_err();
    assert!(!https.is_blocked(), "{https:?}");
    assert_eq!(trap.visitors().await, 1);
}

#[tokio::test]
async fn requests_that_make_no_sense_are_the_callers_fault() {
    let client = loopback_client();
    let connect = Request::connect("https://idp.example.com/").body(Bytes::new()).unwrap();
    for request in [
        connect,
        get("/relative"),
        get("https://user:pw@idp.example.com/"),
        get("https://user@idp.example.com/"),
    ] {
        let error = client.execute(request).await.unwrap_err();
        assert!(error.is_invalid_request(), "{error:?}");
    }
}

#[tokio::test]
async fn errors_keep_the_url_to_themselves() {
    let trap = Trap::at("127.0.0.1:0").await;
    let client = loopback_client();
    for url in [
        "https://10.0.0.1/secret-path?code=secret-query".to_owned(),
        "https://u:secret-pw@idp.example.com/".to_owned(),
        format!("https://127.0.0.1:{}/secret-path?code=secret-query", trap.port()),
        format!("http://127.0.0.1:{}/secret-path?code=secret-query", trap.port()),
    ] {
        let request = Request::post(&url).body(Bytes::from_static(b"secret-body")).unwrap();
        let error = client.execute(request).await.unwrap_err();
        let mut cause: Option<&dyn std::error::Error> = Some(&error);
        while let Some(error) = cause {
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("secret"), "{shown}");
            cause = error.source();
        }
    }
}
