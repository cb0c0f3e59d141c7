//! The client's process: so many calls, on so many connections, as fast as the server answers.

use std::net::SocketAddr;
use std::time::Instant;

use crate::common::child::answer_lines;
use crate::common::wire::{Wire, contains, request};

/// The generations of MCP: requests in a session, and requests that stand alone.
pub(crate) const ERAS: [&str; 2] = ["2025-11-25", "2026-07-28"];

const CONNECTIONS: usize = 8;

/// Calls each connection makes before time is taken.
const WARM_UP: usize = 50;

/// Answers orders (`era requests address token`) with the seconds they took.
pub(crate) fn run() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    answer_lines(|order| {
        let words: Vec<&str> = order.split(' ').collect();
        let [era, requests, address, token] = words[..] else { panic!("{order}: not an order") };
        let seconds =
            runtime.block_on(calls(era, requests.parse().unwrap(), address.parse().unwrap(), token));
        seconds.to_string()
    });
}

async fn calls(era: &str, requests: usize, address: SocketAddr, token: &str) -> f64 {
    let mut callers = Vec::new();
    for _ in 0..CONNECTIONS {
        callers.push(Caller::open(era, address, token).await);
    }
    let warm: Vec<_> = callers.into_iter().map(|caller| tokio::spawn(caller.calls(WARM_UP))).collect();
    let mut callers = Vec::new();
    for caller in warm {
        callers.push(caller.await.unwrap());
    }
    let begun = Instant::now();
    let running: Vec<_> =
        callers.into_iter().map(|caller| tokio::spawn(caller.calls(requests / CONNECTIONS))).collect();
    let mut done = Vec::new();
    for caller in running {
        done.push(caller.await.unwrap());
    }
    let seconds = begun.elapsed().as_secs_f64();
    for caller in done {
        caller.close().await;
    }
    seconds
}

/// One client.
struct Caller {
    wire: Wire,
    call: Vec<u8>,
    close: Option<Vec<u8>>,
}

impl Caller {
    async fn open(era: &str, address: SocketAddr, token: &str) -> Self {
        let mut wire = Wire::connect(address).await;
        let post = format!("POST /mcp HTTP/1.1\r\nAuthorization: Bearer {token}\r\n");
        if era == ERAS[1] {
            let head =
                format!("{post}Mcp-Protocol-Version: {era}\r\nMcp-Method: tools/call\r\nMcp-Name: echo\r\n");
            let meta = format!(
                r#","_meta":{{"io.modelcontextprotocol/protocolVersion":"{era}","io.modelcontextprotocol/clientCapabilities":{{}},"io.modelcontextprotocol/clientInfo":{{"name":"bench","version":"1"}}}}"#
            );
            return Self { wire, call: request(address, &head, &tools_call(&meta)), close: None };
        }
        let initialize = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"initialize","params":{{"protocolVersion":"{era}","capabilities":{{}},"clientInfo":{{"name":"bench","version":"1"}}}}}}"#
        );
        let answer = wire.call(&request(address, &post, &initialize)).await;
        let answer = String::from_utf8_lossy(answer).into_owned();
        let Some((_, rest)) = answer.split_once("mcp-session-id: ") else {
            panic!("no session: {answer}");
        };
        let session = rest.split_once("\r\n").unwrap().0;
        let head = format!("{post}Mcp-Protocol-Version: {era}\r\nMcp-Session-Id: {session}\r\n");
        let initialized = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        let answer = wire.call(&request(address, &head, initialized)).await;
        assert!(answer.starts_with(b"HTTP/1.1 202 "), "{}", String::from_utf8_lossy(answer));
        let call = request(address, &head, &tools_call(""));
        let close = request(address, &head.replacen("POST", "DELETE", 1), "");
        Self { wire, call, close: Some(close) }
    }

    async fn calls(mut self, calls: usize) -> Self {
        for _ in 0..calls {
            let answer = self.wire.call(&self.call).await;
            assert!(
                answer.starts_with(b"HTTP/1.1 200 ") && contains(answer, r#""text":"hello""#),
                "{}",
                String::from_utf8_lossy(answer)
            );
        }
        self
    }

    async fn close(mut self) {
        if let Some(close) = self.close {
            self.wire.call(&close).await;
        }
    }
}

fn tools_call(meta: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"echo","arguments":{{"message":"hello"}}{meta}}}}}"#
    )
}
