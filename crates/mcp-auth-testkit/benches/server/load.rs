//! The client's process: so many calls, on so many connections, as fast as the server answers.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

use crate::common::child::answer_lines;
use crate::common::wire::{Wire, contains, request};

/// The generations of MCP: requests in a session, and requests that stand alone.
pub(crate) const ERAS: [&str; 2] = ["2025-11-25", "2026-07-28"];

const CONNECTIONS: usize = 32;

/// Calls each connection makes before time is taken.
const WARM_UP: usize = 100;

/// Answers orders (`era requests address token`) with the seconds they took.
pub(crate) fn run() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Connections and sessions last from round to round; a new era begins anew.
    let mut callers: HashMap<(String, SocketAddr), Vec<Caller>> = HashMap::new();
    answer_lines(|order| {
        let words: Vec<&str> = order.split(' ').collect();
        let [era, requests, address, token] = words[..] else { panic!("{order}: not an order") };
        let address = address.parse().unwrap();
        callers.retain(|(of, _), _| of == era);
        let callers = callers.entry((era.to_owned(), address)).or_default();
        let seconds = runtime.block_on(async {
            if callers.is_empty() {
                for _ in 0..CONNECTIONS {
                    callers.push(Caller::open(era, address, token).await);
                }
                calls(callers, WARM_UP).await;
            }
            calls(callers, requests.parse::<usize>().unwrap() / CONNECTIONS).await
        });
        seconds.to_string()
    });
}

/// Has each caller make so many calls, all at the same time, and returns the seconds that took.
async fn calls(callers: &mut Vec<Caller>, each: usize) -> f64 {
    let begun = Instant::now();
    let running: Vec<_> = callers.drain(..).map(|caller| tokio::spawn(caller.calls(each))).collect();
    for caller in running {
        callers.push(caller.await.unwrap());
    }
    begun.elapsed().as_secs_f64()
}

/// One client.
struct Caller {
    wire: Wire,
    call: Vec<u8>,
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
            return Self { wire, call: request(address, &head, &tools_call(&meta)) };
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
        Self { wire, call }
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
}

fn tools_call(meta: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"echo","arguments":{{"message":"hello"}}{meta}}}}}"#
    )
}
