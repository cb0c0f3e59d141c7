//! The client's process: 64 connections that are kept alive, each waiting for its answer.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

use crate::child::answer_lines;
use crate::wire::Wire;

/// Where the browser of the public client is sent back to.
pub(crate) const CALLBACK: &str = "http://127.0.0.1/cb";
/// The secret of the confidential client.
pub(crate) const SECRET: &str = "VJ0Q3lP9cY4mE2rT7uW1xZ6aB8dF5gH0";

const CONNECTIONS: usize = 64;
/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Answers orders (`operation requests address`) with the seconds they took and the median and 99th percentile of one answer in
/// milliseconds.
pub(crate) fn run() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut callers: HashMap<SocketAddr, Vec<Caller>> = HashMap::new();
    answer_lines(|order| {
        let words: Vec<&str> = order.split(' ').collect();
        let [operation, requests, address] = words[..] else { panic!("{order}: not an order") };
        let address: SocketAddr = address.parse().unwrap();
        let each = requests.parse::<usize>().unwrap() / CONNECTIONS;
        let callers = callers.entry(address).or_default();
        let operation = operation.to_owned();
        runtime.block_on(async {
            while callers.len() < CONNECTIONS {
                let wire = Wire::connect(address).await;
                callers.push(Caller { wire, address, codes: Vec::new(), access: None, refresh: None });
            }
            let begun = Instant::now();
            let running: Vec<_> =
                callers.drain(..).map(|caller| tokio::spawn(caller.run(operation.clone(), each))).collect();
            let mut times = Vec::new();
            for caller in running {
                let (caller, own) = caller.await.unwrap();
                callers.push(caller);
                times.extend(own);
            }
            let seconds = begun.elapsed().as_secs_f64();
            times.sort_unstable_by(f64::total_cmp);
            let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or_default() * 1e3;
            format!("{seconds} {} {}", at(50), at(99))
        })
    });
}

struct Caller {
    wire: Wire,
    address: SocketAddr,
    codes: Vec<String>,
    access: Option<String>,
    refresh: Option<String>,
}

impl Caller {
    async fn run(mut self, operation: String, times: usize) -> (Self, Vec<f64>) {
        let mut took = Vec::with_capacity(times);
        match operation.as_str() {
            "prepare-code" => {
                for _ in 0..times {
                    let code = self.authorize().await;
                    self.codes.push(code);
                }
                return (self, took);
            }
            "prepare-refresh" | "prepare-introspect" | "prepare-mcp" => {
                self.tokens().await;
                return (self, took);
            }
            other if other.starts_with("prepare-") => return (self, took),
            "refresh" => self.tokens().await,
            _ => {}
        }
        for _ in 0..times {
            let begun = Instant::now();
            self.once(&operation).await;
            took.push(begun.elapsed().as_secs_f64());
        }
        (self, took)
    }

    async fn once(&mut self, operation: &str) {
        let basic = "Authorization: Basic am9iOlZKMFEzbFA5Y1k0bUUyclQ3dVcxeFo2YUI4ZEY1Z0gw\r\n";
        let resource = format!("http%3A%2F%2F{}%2Fmcp", self.address.to_string().replace(':', "%3A"));
        match operation {
            "empty" => {
                let form = format!("grant_type=refresh_token&client_id=web&refresh_token={}", "x".repeat(72));
                self.post("/token", "", &form).await;
            }
            "refresh" => {
                let token = self.refresh.take().unwrap();
                let form = format!("grant_type=refresh_token&client_id=web&refresh_token={token}");
                let answer = self.post("/token", "", &form).await;
                self.refresh = Some(member(&answer, "refresh_token"));
            }
            "client" => {
                let form = format!("grant_type=client_credentials&scope=mcp%3Aread&resource={resource}");
                let answer = self.post("/token", basic, &form).await;
                member(&answer, "access_token");
            }
            "code" => {
                let code = self.codes.pop().unwrap();
                self.redeem(&code).await;
            }
            "introspect" => {
                let form = format!("token={}", self.access.as_deref().unwrap_or_default());
                let answer = self.post("/introspect", basic, &form).await;
                assert!(answer.contains("\"active\":true"), "{answer}");
            }
            "mcp" => {
                let bearer = self.access.as_ref().map(|token| format!("Authorization: Bearer {token}\r\n"));
                self.post("/mcp", &bearer.unwrap_or_default(), "{}").await;
            }
            other => panic!("{other}: no such operation"),
        }
    }

    async fn tokens(&mut self) {
        // A server that is open to all has none.
        if self.refresh.is_none()
            && self.get("/.well-known/oauth-authorization-server").await.contains("token_endpoint")
        {
            let code = self.authorize().await;
            self.redeem(&code).await;
        }
    }

    /// Has a browser sign in, and gives the code it comes back with.
    async fn authorize(&mut self) -> String {
        let mut path = format!(
            "/authorize?response_type=code&client_id=web&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcb&code_challenge={CHALLENGE}\
             &code_challenge_method=S256"
        );
        let mut cookies = String::new();
        for _ in 0..5 {
            let head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nCookie: {cookies}\r\n\r\n", self.address);
            let answer = String::from_utf8_lossy(self.wire.call(head.as_bytes()).await).into_owned();
            for cookie in answer.lines().filter_map(|line| line.strip_prefix("set-cookie: ")) {
                cookies.push_str(cookie.split(';').next().unwrap());
                cookies.push_str("; ");
            }
            let location = answer.lines().find_map(|line| line.strip_prefix("location: "));
            let location = location.unwrap_or_else(|| panic!("no way on: {answer}"));
            if let Some((_, rest)) = location.split_once("code=") {
                return rest.split('&').next().unwrap().to_owned();
            }
            path = location.trim_start_matches(&format!("http://{}", self.address)).to_owned();
        }
        panic!("a browser was sent around: {path}")
    }

    async fn redeem(&mut self, code: &str) {
        let form = format!(
            "grant_type=authorization_code&client_id=web&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcb&code_verifier={VERIFIER}\
             &code={code}"
        );
        let answer = self.post("/token", "", &form).await;
        self.access = Some(member(&answer, "access_token"));
        self.refresh = Some(member(&answer, "refresh_token"));
    }

    async fn get(&mut self, path: &str) -> String {
        let head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        String::from_utf8_lossy(self.wire.call(head.as_bytes()).await).into_owned()
    }

    async fn post(&mut self, path: &str, headers: &str, form: &str) -> String {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\n{headers}Content-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{form}",
            self.address,
            form.len()
        );
        let answer = String::from_utf8_lossy(self.wire.call(request.as_bytes()).await).into_owned();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{operation}: {answer}", operation = path);
        answer
    }
}

/// A text member of a JSON answer.
fn member(answer: &str, name: &str) -> String {
    let (_, rest) =
        answer.split_once(&format!("\"{name}\":\"")).unwrap_or_else(|| panic!("no {name}: {answer}"));
    rest.split('"').next().unwrap().to_owned()
}
