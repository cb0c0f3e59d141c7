//! A client that costs next to nothing: prepared bytes out, an answer's bytes in.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One connection, kept alive.
pub(crate) struct Wire {
    socket: TcpStream,
    answer: Vec<u8>,
}

/// A request's bytes. `head` is the request line and its own headers, each line ending in CR LF.
pub(crate) fn request(address: SocketAddr, head: &str, body: &str) -> Vec<u8> {
    format!(
        "{head}Host: {address}\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

impl Wire {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        Self { socket, answer: Vec::with_capacity(4096) }
    }

    /// Sends a request and reads the whole answer, head and body.
    pub(crate) async fn call(&mut self, request: &[u8]) -> &[u8] {
        self.answer.clear();
        self.socket.write_all(request).await.unwrap();
        while !is_complete(&self.answer) {
            let read = self.socket.read_buf(&mut self.answer).await.unwrap();
            assert!(read > 0, "the server hung up: {}", String::from_utf8_lossy(&self.answer));
        }
        &self.answer
    }
}

/// Whether these bytes have this text in them.
pub(crate) fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// hyper writes header names in lower case, and nothing is pipelined: what follows the head is this answer's body.
fn is_complete(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return false;
    };
    let (head, body) = answer.split_at(end + 4);
    let head = std::str::from_utf8(head).unwrap();
    match head.split_once("\r\ncontent-length: ") {
        Some((_, rest)) => body.len() >= rest.split_once("\r\n").unwrap().0.parse().unwrap(),
        None if contains(head.as_bytes(), "\r\ntransfer-encoding: chunked\r\n") => {
            body.ends_with(b"\r\n0\r\n\r\n") || body == b"0\r\n\r\n"
        }
        None => true,
    }
}
