//! An open MCP server on loopback, over streamable HTTP and SSE.
//!
//! Run it with `cargo run -p no-auth` and point a client at `http://127.0.0.1:8000/mcp` (or `/sse`). What it reads from
//! the environment:
//!
//! | variable | default | meaning |
//! |---|---|---|
//! | `MCP_BIND` | `127.0.0.1:8000` | where to listen |
//! | `MCP_PUBLIC_URL` | `http://` + bind | the URL clients use, without `/mcp` |
//! | `MCP_ALLOW_ORIGINS` | none | web pages that may call, comma-separated: `https://app.example.com` |
//!
//! Nobody is asked who they are, so nobody holds a scope: the tool `secret`, which asks for `demo:secret`, is in no list,
//! and calling it is refused with 403.

#[cfg(test)]
mod routes;
#[cfg(test)]
mod sdk_client;
mod settings;
mod tools;

use std::sync::Arc;

use mcp_auth_rmcp::{Serve, ServeError, serve};
use mcp_core::NoAuth;

use settings::Settings;
use tools::Tools;

// For servers that see thousands of clients come and go: glibc's allocator keeps the memory of a rush, and takes a third
// more at the next one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> Result<(), ServeError> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    server(Settings::from_env()).listen_with(|server| settings::announce(server.url())).await
}

fn server(settings: Settings) -> Serve<Arc<Tools>> {
    serve(Tools::new())
        .at(settings.public_url)
        .bind(settings.bind)
        .allow_origins(settings.allow_origins)
        .auth(NoAuth::new())
        .guard("secret", "demo:secret")
}
