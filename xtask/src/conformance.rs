//! The conformance phase: the official suite against `examples/conformance`, three times, and its mode for authorization
//! servers against `examples/provider`.
//!
//! *bare* is the SDK alone, *open* this project's layers without sign-in, *token* the same layers behind a bearer
//! token that a local proxy adds, because the suite cannot send one. What bare fails is listed with its reason
//! in `xtask/e2e/expected-failures.json`; any other failure, and any listed one that passes, fails the phase.

mod authorization;
mod findings;
mod judge;
mod requirements;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use findings::Findings;

use crate::e2e::node::Node;
use crate::e2e::server::{self, Server};
use crate::options::Options;
use crate::outcome::Outcome;
use crate::shell;

/// The revisions the suite is run for.
const REVISIONS: [&str; 2] = ["2025-11-25", "2026-07-28"];

/// What `token` demands. It guards nothing but a server of fixtures on loopback.
const TOKEN: &str = "conformance-8Rk2mVx4wQ7pLz9sTn3bYc6hJd5gFa1e";

/// What the suite is run against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variant {
    Bare,
    Open,
    Token,
}

impl Variant {
    const ALL: [Self; 3] = [Self::Bare, Self::Open, Self::Token];

    const fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Open => "open",
            Self::Token => "token",
        }
    }
}

/// Runs the official conformance suite in its server mode.
pub(crate) fn run(options: &Options) -> Outcome {
    let node = match Node::find(&options.root) {
        Ok(node) => node,
        Err(reason) => return Outcome::Skipped(reason),
    };
    let packages = ["build", "--quiet", "-p", "conformance", "-p", "provider"];
    let built = shell::show(shell::cargo(&options.root).args(packages));
    if built != Outcome::Passed {
        return built;
    }
    let compared = compare(&options.root, &node).unwrap_or_else(Outcome::Failed);
    match compared {
        // Failures first: nobody should read of a browser that is missing instead.
        Outcome::Passed => authorization::run(&options.root, &node).unwrap_or_else(Outcome::Failed),
        other => other,
    }
}

fn compare(root: &Path, node: &Node) -> Result<Outcome, String> {
    let expected = judge::Expected::read(&node.folder().join("expected-failures.json"))?;
    let mut scored = Vec::new();
    for revision in REVISIONS {
        scored
            .extend(requirements::scored(node.folder(), revision)?.into_iter().map(|name| (revision, name)));
    }
    let found = thread::scope(|scope| {
        let measure = |variant| scope.spawn(move || measure(root, node, variant));
        Variant::ALL
            .map(measure)
            .map(|thread| thread.join().unwrap_or_else(|_| Err("a run panicked".to_owned())))
    });
    let [bare, open, token] = found;
    let runs = [("bare", bare?), ("open", open?), ("token", token?)];
    print!("{}", judge::table(&runs, &scored));
    Ok(Outcome::from_problems(&judge::problems(&runs, &scored, &expected)))
}

// covers: TR-05, TR-09, TR-10, TR-11
/// Starts one variant and runs both revisions against it.
fn measure(root: &Path, node: &Node, variant: Variant) -> Result<Findings, String> {
    let port = server::free_port()?;
    let mut command = server::example(root, "conformance");
    command.env("MCP_BIND", format!("127.0.0.1:{port}"));
    for name in ["CONFORMANCE_BARE", "CONFORMANCE_TOKEN", "MCP_PUBLIC_URL"] {
        command.env_remove(name);
    }
    let name = format!("conformance-{}", variant.name());
    if variant == Variant::Bare {
        command.env("CONFORMANCE_BARE", "1");
    }
    if variant != Variant::Token {
        let _server = Server::start(root, &name, &mut command)?;
        return suite(root, node, variant, port);
    }
    let front = server::free_port()?;
    command.env("CONFORMANCE_TOKEN", TOKEN).env("MCP_PUBLIC_URL", format!("http://127.0.0.1:{front}"));
    let _server = Server::start(root, &name, &mut command)?;
    // Without this the run could pass against a server that forgot to ask.
    if !demands_token(port)? {
        return Err("the protected server answers without a token".to_owned());
    }
    let _proxy = Server::start(root, "bearer-proxy", &mut bearer_proxy(node, front, port))?;
    suite(root, node, variant, front)
}

fn bearer_proxy(node: &Node, front: u16, back: u16) -> Command {
    let mut command = node.command();
    command.arg("bearer-proxy.mjs").args([front.to_string(), back.to_string()]).env("BEARER_TOKEN", TOKEN);
    command
}

fn suite(root: &Path, node: &Node, variant: Variant, port: u16) -> Result<Findings, String> {
    let mut findings = Findings::default();
    for revision in REVISIONS {
        let results = server::target(root).join("e2e/conformance").join(variant.name()).join(revision);
        // What an earlier run left there is not this run's.
        let _ = std::fs::remove_dir_all(&results);
        let mut command = node.command();
        command.arg("node_modules/@modelcontextprotocol/conformance/dist/index.js").arg("server");
        command.args([
            "--url",
            &format!("http://127.0.0.1:{port}/mcp"),
            "--requirements",
            revision,
            "--output-dir",
        ]);
        // Ends badly when anything failed; the results say what.
        let ended = command.arg(&results).output();
        ended.map_err(|error| format!("the suite could not be started: {error}"))?;
        findings.read(revision, &results)?;
    }
    Ok(findings)
}

/// Whether a call without a token is answered 401.
fn demands_token(port: u16) -> Result<bool, String> {
    let call = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n")?;
        write!(stream, "Accept: application/json, text/event-stream\r\nContent-Length: 2\r\n\r\n{{}}")?;
        let mut start = [0_u8; 12];
        stream.read_exact(&mut start)?;
        Ok(String::from_utf8_lossy(&start).into_owned())
    };
    let answer = call().map_err(|error| format!("the protected server cannot be called: {error}"))?;
    Ok(answer == "HTTP/1.1 401")
}
