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

mod settings;
mod tools;

use mcp_auth_rmcp::{ServeError, serve};
use mcp_core::NoAuth;

// For servers that see thousands of clients come and go: glibc's allocator would keep the memory of a rush for ever, and
// take a third more at the next one.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[tokio::main]
async fn main() -> Result<(), ServeError> {
    let settings = settings::Settings::from_env();
    serve(tools::Tools::new())
        .at(settings.public_url)
        .bind(settings.bind)
        .allow_origins(settings.allow_origins)
        .auth(NoAuth::new())
        .guard("secret", "demo:secret")
        .listen_with(|server| settings::announce(server.url()))
        .await
}
