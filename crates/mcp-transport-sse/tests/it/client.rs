//! A small client of HTTP+SSE.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// An answer whose body was read.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

pub(crate) const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

pub(crate) fn request(
    method: Method,
    path: &str,
    caller: Option<&str>,
    body: impl Into<Bytes>,
) -> Request<Full<Bytes>> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
        .header("content-type", "application/json");
    if let Some(caller) = caller {
        request = request.header("x-caller", caller);
    }
    request.body(Full::new(body.into())).unwrap()
}

async fn send(addr: SocketAddr, request: Request<Full<Bytes>>) -> (http::Response<Incoming>, JoinHandle<()>) {
    let socket = TcpStream::connect(addr).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.unwrap();
    let connection = tokio::spawn(async move {
        let _ = connection.await;
    });
    (sender.send_request(request).await.unwrap(), connection)
}

/// Sends a request and reads the whole answer.
pub(crate) async fn call(addr: SocketAddr, request: Request<Full<Bytes>>) -> Answer {
    let (response, connection) = send(addr, request).await;
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    connection.abort();
    Answer { status: head.status, headers: head.headers, body: String::from_utf8(body.to_vec()).unwrap() }
}

pub(crate) async fn post(addr: SocketAddr, path: &str, caller: &str, body: &str) -> StatusCode {
    call(addr, request(Method::POST, path, Some(caller), body.to_owned())).await.status
}

/// An open stream. Dropping it closes its connection.
pub(crate) struct Stream {
    pub(crate) headers: HeaderMap,
    pub(crate) endpoint: String,
    body: Incoming,
    seen: String,
    connection: JoinHandle<()>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Stream {
    pub(crate) async fn open(addr: SocketAddr, path: &str, caller: &str) -> Self {
        let (response, connection) = send(addr, request(Method::GET, path, Some(caller), "")).await;
        assert_eq!(response.status(), 200);
        let (head, body) = response.into_parts();
        let mut stream =
            Self { headers: head.headers, endpoint: String::new(), body, seen: String::new(), connection };
        let first = stream.event().await.unwrap();
        stream.endpoint = first.strip_prefix("event: endpoint\ndata: ").unwrap().to_owned();
        stream
    }

    /// The next event or comment, without the empty line that ends it. `None` when the stream ended.
    pub(crate) async fn event(&mut self) -> Option<String> {
        loop {
            if let Some((event, rest)) = self.seen.split_once("\n\n") {
                let event = event.to_owned();
                self.seen = rest.to_owned();
                return Some(event);
            }
            let frame = self.body.frame().await?.ok()?;
            if let Ok(data) = frame.into_data() {
                self.seen.push_str(std::str::from_utf8(&data).unwrap());
            }
        }
    }

    /// The next message.
    pub(crate) async fn message(&mut self) -> String {
        let event = self.event().await.expect("a message");
        event.strip_prefix("event: message\ndata: ").expect("a message").to_owned()
    }
}
