//! Answers that are too large, too slow or too many.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use mcp_outbound::{HttpClient, Limits, OutboundClient, OutboundClientBuilder, OutboundError};
use tokio::io::AsyncWriteExt;
use tokio::sync::oneshot;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use crate::support::{Trap, get, loopback_client, serve_bytes, serve_raw};

fn builder() -> OutboundClientBuilder {
    OutboundClient::builder().dangerous().allow_loopback()
}

fn chunked(body: &str, size: usize) -> String {
    let mut answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
    for piece in body.as_bytes().chunks(size) {
        answer += &format!("{:x}\r\n{}\r\n", piece.len(), String::from_utf8_lossy(piece));
    }
    answer + "0\r\n\r\n"
}

// covers: AUTH-84, CI05
#[tokio::test]
async fn the_limit_is_the_last_size_that_passes() {
    for (size, passes) in [(5120, true), (5121, false)] {
        let body = "x".repeat(size);
        let announced = format!("HTTP/1.1 200 OK\r\ncontent-length: {size}\r\n\r\n{body}");
        for answer in [announced, chunked(&body, 1000), chunked(&body, 6000)] {
            let server = serve_bytes(answer).await;
            let answer =
                builder().max_body(5120).build().unwrap().execute(get(&format!("http://{server}/"))).await;
            match answer {
                Ok(answer) => assert!(passes && answer.body().len() == size),
                Err(error) => assert!(!passes && error.is_too_large(), "{size}: {error:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_request_may_bring_its_own_limit() {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200).set_body_string("x".repeat(100)))
        .mount(&server)
        .await;
    let ask = async |client_limit, own: Limits| {
        let request = Request::get(server.uri()).extension(own).body(Bytes::new()).unwrap();
        builder().max_body(client_limit).build().unwrap().execute(request).await
    };
    assert!(ask(100, Limits::new()).await.is_ok());
    assert!(ask(100, Limits::new().with_max_body(99)).await.unwrap_err().is_too_large());
    assert!(ask(10, Limits::new().with_max_body(100)).await.is_ok());
    assert!(ask(10, Limits::new().with_deadline(Duration::from_secs(5))).await.unwrap_err().is_too_large());
}

#[tokio::test]
async fn one_mebibyte_is_the_default() {
    for (size, passes) in [(1 << 20, true), ((1 << 20) + 1, false)] {
        let server = MockServer::start().await;
        Mock::given(any())
            .respond_with(ResponseTemplate::new(200).set_body_bytes(vec![b'x'; size]))
            .mount(&server)
            .await;
        let answer = loopback_client().execute(get(&server.uri())).await;
        assert_eq!(answer.is_ok(), passes, "{size}");
    }
}

/// An announced size is refused at once, with no byte of the body read: this server never sends one.
// covers: TK26, PX25
#[tokio::test]
async fn an_announced_size_is_believed_when_it_is_too_much() {
    let server = serve_bytes("HTTP/1.1 200 OK\r\ncontent-length: 52428800\r\n\r\n").await;
    let error = loopback_client().execute(get(&format!("http://{server}/"))).await.unwrap_err();
    assert!(error.is_too_large(), "{error:?}");
}

// covers: AUTH-84, CI05, TK26
#[tokio::test]
async fn an_endless_body_is_cut_and_its_connection_closed() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let (closed, gone) = oneshot::channel();
    let closed = Arc::new(std::sync::Mutex::new(Some(closed)));
    let server = serve_raw(move |mut stream| {
        let (counter, closed) = (Arc::clone(&counter), Arc::clone(&closed));
        async move {
            let chunk = format!("2000\r\n{}\r\n", "x".repeat(0x2000));
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
            while stream.write_all(chunk.as_bytes()).await.is_ok() {
                counter.fetch_add(0x2000, Ordering::SeqCst);
            }
            if let Some(closed) = closed.lock().unwrap().take() {
                let _ = closed.send(());
            }
        }
    })
    .await;
    let client = builder().max_body(64 * 1024).build().unwrap();
    let error = client.execute(get(&format!("http://{server}/"))).await.unwrap_err();
    assert!(error.is_too_large(), "{error:?}");
    tokio::time::timeout(Duration::from_secs(10), gone).await.expect("the server sees the end").unwrap();
    // What the sockets' buffers swallow comes on top of the limit.
    assert!(sent.load(Ordering::SeqCst) < 32 << 20);
}

async fn times_out(answer: &'static str) -> OutboundError {
    let server = serve_bytes(answer).await;
    let client = builder().deadline(Duration::from_millis(150)).build().unwrap();
    let begun = Instant::now();
    let error = client.execute(get(&format!("http://{server}/"))).await.unwrap_err();
    assert!(error.is_timeout(), "{answer:?}: {error:?}");
    assert!(begun.elapsed() >= Duration::from_millis(150) && begun.elapsed() < Duration::from_secs(8));
    error
}

// covers: CI05, TK26, AUTH-84
#[tokio::test]
async fn the_deadline_covers_the_answer_to_its_last_byte() {
    times_out("").await;
    times_out("HTTP/1.1 200 OK\r\ncontent-").await;
    times_out("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n").await;
    let error = times_out("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n").await;
    assert_eq!(error.host(), Some("127.0.0.1"));
}

/// Each byte comes soon after the one before: a time limit that starts anew with every read would never fire.
// covers: CI05
#[tokio::test]
async fn a_dripping_body_does_not_stretch_the_deadline() {
    let server = serve_raw(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n").await;
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    let request = Request::get(format!("http://{server}/"))
        .extension(Limits::new().with_deadline(Duration::from_millis(200)))
        .body(Bytes::new())
        .unwrap();
    let begun = Instant::now();
    let error = loopback_client().execute(request).await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(8), "not by the client's own deadline");
}

#[tokio::test]
async fn a_tls_handshake_that_stalls_ends_with_the_time_to_connect() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let client = builder().connect_timeout(Duration::from_millis(150)).build().unwrap();
    let begun = Instant::now();
    let error = client.execute(get(&format!("https://127.0.0.1:{port}/"))).await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(8), "not by the deadline");
}

#[tokio::test]
async fn headers_are_bounded_in_number_and_size() {
    let many = |count: usize| {
        let lines: String = (0..count).map(|n| format!("x-{n}: 1\r\n")).collect();
        format!("HTTP/1.1 200 OK\r\n{lines}content-length: 0\r\n\r\n")
    };
    let large =
        |size: usize| format!("HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: 0\r\n\r\n", "y".repeat(size));
    let ask = async |answer: String| {
        let server = serve_bytes(answer).await;
        loopback_client().execute(get(&format!("http://{server}/"))).await
    };
    assert!(ask(many(90)).await.is_ok());
    assert!(ask(many(110)).await.is_err());
    assert!(ask(large(30_000)).await.is_ok());
    assert!(ask(large(33_000)).await.unwrap_err().is_too_large());
    assert!(ask(large(1 << 20)).await.is_err());
}

#[tokio::test]
async fn what_is_not_http_is_a_broken_exchange() {
    for answer in ["SSH-2.0-OpenSSH_9.9\r\n", "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"] {
        let server = serve_bytes(answer).await;
        let error = loopback_client().execute(get(&format!("http://{server}/"))).await.unwrap_err();
        assert!(error.is_exchange(), "{answer:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_port_nobody_listens_on_is_no_connection() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let error = loopback_client().execute(get(&url)).await.unwrap_err();
    assert!(error.is_connect(), "{error:?}");
}

#[tokio::test]
async fn exchanges_beyond_the_limit_wait_within_their_deadline() {
    let (begun, mut running) = tokio::sync::mpsc::unbounded_channel();
    let slow = serve_raw(move |stream| {
        let begun = begun.clone();
        async move {
            begun.send(()).unwrap();
            std::future::pending::<()>().await;
            drop(stream);
        }
    })
    .await;
    let trap = Trap::at("127.0.0.1:0").await;
    let client = builder().max_concurrent(1).build().unwrap();
    let first = tokio::spawn({
        let client = client.clone();
        async move { client.execute(get(&format!("http://{slow}/"))).await }
    });
    running.recv().await.unwrap();
    let second = Request::get(format!("http://{}/", trap.address))
        .extension(Limits::new().with_deadline(Duration::from_millis(100)))
        .body(Bytes::new())
        .unwrap();
    assert!(client.execute(second).await.unwrap_err().is_timeout());
    assert_eq!(trap.visitors().await, 0, "had no slot");

    first.abort();
    let _ = first.await;
    let third = client.execute(get(&format!("http://{}/", trap.address))).await;
    assert!(third.is_err_and(|error| error.is_exchange()), "a cancelled exchange gives its slot back");
}

/// How many connections `count` requests to one server take.
async fn connections(client: &OutboundClient, count: usize) -> usize {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accepted = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&accepted);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while tokio::io::AsyncReadExt::read(&mut stream, &mut buffer).await.is_ok_and(|read| read > 0)
                {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
                }
            });
        }
    });
    for _ in 0..count {
        client.execute(get(&format!("http://{address}/"))).await.unwrap();
    }
    accepted.load(Ordering::SeqCst)
}

// A connection may come back to the pool a moment after the next request has asked for one, so "kept" is fewer
// connections than requests and not exactly one.
#[tokio::test]
async fn only_so_many_hosts_keep_connections() {
    let client = loopback_client();
    assert!(connections(&client, 10).await < 10);
    for _ in 1..32 {
        connections(&client, 1).await;
    }
    assert_eq!(connections(&client, 10).await, 10, "no place left for a 33rd host");
    let none = builder().max_idle_per_host(0).build().unwrap();
    assert_eq!(connections(&none, 10).await, 10);
}
