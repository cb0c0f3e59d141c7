//! What the environment says.

/// How to serve.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Address and port to listen on.
    pub(crate) bind: String,
    /// The URL clients use, without `/mcp`.
    pub(crate) public_url: String,
    /// The bearer token to demand, if any.
    pub(crate) token: Option<String>,
    /// Serve the SDK alone.
    pub(crate) bare: bool,
}

impl Settings {
    /// Reads `MCP_BIND`, `MCP_PUBLIC_URL`, `CONFORMANCE_TOKEN` and `CONFORMANCE_BARE`.
    pub(crate) fn from_env() -> Self {
        let bind = read("MCP_BIND").unwrap_or_else(|| "127.0.0.1:8000".to_owned());
        let public_url = read("MCP_PUBLIC_URL").unwrap_or_else(|| format!("http://{bind}"));
        Self {
            bind,
            public_url,
            token: read("CONFORMANCE_TOKEN"),
            bare: read("CONFORMANCE_BARE").as_deref() == Some("1"),
        }
    }

    /// Tells whoever started the process that it can be called now.
    #[expect(clippy::print_stdout, reason = "the line a starter waits for")]
    pub(crate) fn announce(&self) {
        println!("listening on {}", self.public_url);
    }
}

/// A variable that is set and not empty.
#[expect(clippy::disallowed_methods, reason = "an example is configured by its environment")]
fn read(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
