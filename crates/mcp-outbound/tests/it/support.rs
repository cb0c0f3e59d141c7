//! Servers that misbehave on purpose, and resolvers that answer as told.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use http::Request;
use mcp_outbound::{HttpClient, OutboundClient, OutboundError, Resolve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) fn get(url: &str) -> Request<Bytes> {
    Request::get(url).body(Bytes::new()).unwrap()
}

pub(crate) fn loopback_client() -> OutboundClient {
    OutboundClient::builder().dangerous().allow_loopback().build().unwrap()
}

pub(crate) async fn refusal(client: &impl HttpClient, url: &str) -> OutboundError {
    let error = client.execute(get(url)).await.unwrap_err();
    assert!(error.is_blocked(), "{url}: {error:?}");
    error
}

/// Accepts connections, counts them and drops them.
pub(crate) struct Trap {
    pub(crate) address: SocketAddr,
    accepted: Arc<AtomicUsize>,
}

impl Trap {
    pub(crate) async fn at(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&accepted);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                let _ = stream.write_all(b"!").await;
            }
        });
        Self { address, accepted }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Connections so far. Connects once itself first: the queue is in order, so nothing is still waiting then.
    pub(crate) async fn visitors(&self) -> usize {
        let mut probe = TcpStream::connect(self.address).await.unwrap();
        probe.read_u8().await.unwrap();
        self.accepted.fetch_sub(1, Ordering::SeqCst) - 1
    }
}

/// Serves each connection with `answer` after the request's head came in, and leaves it open.
pub(crate) async fn serve_raw<F, Fut>(answer: F) -> SocketAddr
where
    F: Fn(TcpStream) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => break,
                }
            }
            tokio::spawn(answer(stream));
        }
    });
    address
}

/// A raw server whose answer is always the same bytes; the connection stays open.
pub(crate) async fn serve_bytes(answer: impl Into<Vec<u8>>) -> SocketAddr {
    let answer = Arc::new(answer.into());
    serve_raw(move |mut stream| {
        let answer = Arc::clone(&answer);
        async move {
            let _ = stream.write_all(&answer).await;
            // Until the client goes: an end of the stream must not be what ends the exchange.
            let _ = stream.read_u8().await;
        }
    })
    .await
}

/// Gives its answers one after another, the last one for ever, and counts how often it was asked.
#[derive(Clone)]
pub(crate) struct Script {
    answers: Arc<Mutex<Vec<Vec<IpAddr>>>>,
    asked: Arc<AtomicUsize>,
}

impl Script {
    pub(crate) fn new(answers: &[&[&str]]) -> Self {
        let parse = |answer: &&[&str]| answer.iter().map(|text| text.parse().unwrap()).collect();
        let answers = answers.iter().rev().map(parse).collect();
        Self { answers: Arc::new(Mutex::new(answers)), asked: Arc::default() }
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Resolve for Script {
    async fn resolve(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let next = if answers.len() > 1 { answers.pop() } else { answers.last().cloned() };
        Ok(next.unwrap_or_default())
    }
}
