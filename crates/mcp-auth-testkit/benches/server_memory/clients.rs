//! Clients that open a session, initialize it and say no more.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::common::wire::{Wire, contains, request};

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2024-11-05","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}"#;
const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

/// How many open sessions at the same time. Each has one connection for the messages of all its sessions.
const WORKERS: usize = 16;

/// Opens so many sessions. They last as long as these sockets.
pub(crate) async fn open(address: SocketAddr, sessions: usize) -> Vec<TcpStream> {
    let next = Arc::new(AtomicUsize::new(0));
    let workers: Vec<_> = (0..WORKERS).map(|_| tokio::spawn(work(address, sessions, next.clone()))).collect();
    let mut open = Vec::with_capacity(sessions);
    for worker in workers {
        open.extend(worker.await.unwrap());
    }
    assert_eq!(open.len(), sessions);
    open
}

async fn work(address: SocketAddr, sessions: usize, next: Arc<AtomicUsize>) -> Vec<TcpStream> {
    let mut messages = Wire::connect(address).await;
    let mut open = Vec::new();
    while next.fetch_add(1, Ordering::Relaxed) < sessions {
        open.push(session(address, &mut messages).await);
    }
    open
}

async fn session(address: SocketAddr, messages: &mut Wire) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let get = format!("GET /sse HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n\r\n");
    stream.write_all(get.as_bytes()).await.unwrap();
    let event = read_until(&mut stream, "\n\n\r\n").await;
    let Some((_, rest)) = event.split_once("event: endpoint\ndata: ") else {
        panic!("no endpoint: {event}");
    };
    let post = format!("POST {} HTTP/1.1\r\n", rest.split_once('\n').unwrap().0);
    for message in [INITIALIZE, INITIALIZED] {
        let answer = messages.call(&request(address, &post, message)).await;
        assert!(answer.starts_with(b"HTTP/1.1 202 "), "{}", String::from_utf8_lossy(answer));
        if message == INITIALIZE {
            read_until(&mut stream, r#""result""#).await;
        }
    }
    stream
}

/// Reads until this text has come.
async fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut bytes = Vec::new();
    while !contains(&bytes, text) {
        assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "the server hung up");
    }
    String::from_utf8(bytes).unwrap()
}
