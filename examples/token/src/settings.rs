//! What the environment says.

use std::time::Duration;

use mcp_auth_testkit::TokenAuthority;
use mcp_core::PublicUrl;
use serde_json::json;

/// How to serve.
pub(crate) struct Settings {
    /// Address and port to listen on.
    pub(crate) bind: String,
    /// The URL clients use, without `/mcp`.
    pub(crate) public_url: String,
    /// The origins of web pages that may call.
    pub(crate) allow_origins: Vec<String>,
}

impl Settings {
    /// Reads `MCP_BIND`, `MCP_PUBLIC_URL` and `MCP_ALLOW_ORIGINS`.
    pub(crate) fn from_env() -> Self {
        let bind = read("MCP_BIND").unwrap_or_else(|| "127.0.0.1:8000".to_owned());
        let public_url = read("MCP_PUBLIC_URL").unwrap_or_else(|| format!("http://{bind}"));
        let allow_origins = read("MCP_ALLOW_ORIGINS").unwrap_or_default();
        Self { bind, public_url, allow_origins: list(&allow_origins) }
    }
}

/// Tells whoever started the process that it can be called now, and with what.
#[expect(clippy::print_stdout, reason = "the line a starter waits for")]
pub(crate) fn announce(url: &PublicUrl, demo: Option<&TokenAuthority>) {
    if let Some(authority) = demo {
        let token = authority
            .token()
            .subject("demo-user")
            .client("demo-client")
            .audience(&url.join("/mcp"))
            .audience(&url.join("/sse"))
            .scopes("demo:secret")
            .expires_in(Duration::from_secs(3600))
            .mint();
        println!("no issuer is configured: tokens are those of {}\n", authority.issuer());
        println!("TOKEN={token}\n");
        for tool in ["whoami", "secret"] {
            println!("{}\n", curl(url, tool));
        }
    }
    println!("listening on {url}");
}

/// A command that calls a tool.
fn curl(url: &PublicUrl, tool: &str) -> String {
    let call = json!({
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {
            "name": tool,
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        },
    });
    [
        format!("curl {}", url.join("/mcp")),
        "-H \"Authorization: Bearer $TOKEN\"".to_owned(),
        "-H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream'".to_owned(),
        format!("-H 'MCP-Protocol-Version: 2026-07-28' -H 'Mcp-Method: tools/call' -H 'Mcp-Name: {tool}'"),
        format!("-d '{call}'"),
    ]
    .join(" \\\n  ")
}

/// The parts of a comma-separated list.
pub(crate) fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// A variable that is set and not empty.
#[expect(clippy::disallowed_methods, reason = "an example is configured by its environment")]
pub(crate) fn read(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
