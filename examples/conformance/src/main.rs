//! Every fixture the official conformance suite asks a server for, but for half of one: `test_reconnection` (not scored)
//! shall close the stream of its own response while it runs, so that its client comes for the result on another. rmcp
//! 3.11 can close such a stream by its number (`LocalSessionHandle::close_sse_stream`) and tells no handler the number, so
//! the tool here takes its time and answers on the stream it was called on. The suite sees the event and the `retry` that
//! such a stream begins with, and makes a note of the rest. That a client whose stream broke gets the result of its call
//! on another is tested in `crates/mcp-auth-rmcp/tests/it/sessions.rs`.
//!
//! The suite speaks two revisions and so does this server: 2025-11-25 with sessions, 2026-07-28
//! without. What it reads from the environment:
//!
//! | variable | default | meaning |
//! |---|---|---|
//! | `MCP_BIND` | `127.0.0.1:8000` | where to listen |
//! | `MCP_PUBLIC_URL` | `http://` + bind | the URL clients use |
//! | `CONFORMANCE_TOKEN` | none | the bearer token every call must carry |
//! | `CONFORMANCE_BARE` | none | `1`: the SDK alone, nothing of this project around it |

mod ask;
mod bare;
mod content;
mod input_required;
mod listen;
mod notify;
mod prompts;
mod resources;
#[cfg(test)]
mod routes;
mod samples;
mod schemas;
mod serve;
mod server;
mod settings;
mod static_token;
mod tasks;
mod whoami;

use std::error::Error;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let settings = settings::Settings::from_env();
    let server = server::Everything::new()?;
    if settings.bare {
        if settings.token.is_some() {
            return Err("CONFORMANCE_BARE serves without a token: unset CONFORMANCE_TOKEN".into());
        }
        bare::serve(server, &settings).await
    } else {
        serve::run(server, &settings).await
    }
}
