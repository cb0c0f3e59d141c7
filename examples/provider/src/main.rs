//! An MCP server that is its own authorization server, for one owner: a book of notes.
//!
//! Run it with `cargo run -p provider`. It prints a password once, and keeps no more than a hash of it. Point any MCP client at
//! `http://127.0.0.1:8000/mcp`: it finds out by itself where to sign in, opens your browser there, and asks you what it may do.
//!
//! | variable | default | meaning |
//! |---|---|---|
//! | `OWNER_PASSWORD` | one is made and printed once | the owner's password, of at least 12 characters |
//! | `STORE` | `sqlite` | where everything is kept: `memory`, `sqlite`, `redis://…`, `rediss://…` or `postgres://…` |
//! | `MCP_DATA` | `./data/auth.db` | the database file of `STORE=sqlite`; its folder is made. The key is in a file beside it |
//! | `MCP_ROOT_KEY_FILE` | | the key that everything in the store is sealed under; Redis and PostgreSQL need one |
//! | `MCP_BIND` | `127.0.0.1:8000` | where to listen |
//! | `MCP_PUBLIC_URL` | `http://` + bind | the URL clients use, without `/mcp` |
//! | `MCP_ALLOW_ORIGINS` | none | web pages that may call, comma-separated: `https://app.example.com` |
//! | `MCP_DANGEROUS_ALLOW_LOOPBACK_FETCH` | | `1` lets clients be known by documents on this machine: for tests |
//!
//! Whoever signed in stays so over a restart, except with `STORE=memory`. Any number of copies may share one store; behind one
//! URL they are one server. Only the notes themselves are in memory, and a copy's own.
//!
//! Clients are given `notes:read` unless they ask for more. `add_note` and `delete_note` are for those with `notes:write`: a client
//! that calls them without is told so with 403, and asks you for it.

#[cfg(test)]
mod routes;
mod settings;
mod store;
mod tools;

use std::sync::Arc;

use mcp_auth_provider::{OAuthProvider, Pages, Registration, ScopeInfo};
use mcp_auth_rmcp::{Serve, ServeError, serve};
use mcp_core::{ConfigError, Endpoint};

use settings::Settings;
use tools::Tools;

#[tokio::main]
async fn main() -> Result<(), ServeError> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    server(Settings::from_env())?.listen_with(|server| settings::announce(server.url())).await
}

fn server(settings: Settings) -> Result<Serve<Arc<Tools>>, ConfigError> {
    let provider = OAuthProvider::new(settings.owner)
        .pages(Pages::new().brand("Notes"))
        .registration(Registration::open())
        .scope(ScopeInfo::new("notes:read")?.describe("Read your notes"))
        .scope(ScopeInfo::new("notes:write")?.describe("Add notes and delete them"));
    let provider = match settings.loopback_fetch {
        true => provider.dangerous().allow_loopback_client_metadata(),
        false => provider,
    };
    Ok(serve(Tools::new())
        .at(settings.public_url)
        .bind(settings.bind)
        .allow_origins(settings.allow_origins)
        .mcp(Endpoint::at("/mcp").named("Notes").basic_scopes("notes:read"))
        .sse(Endpoint::at("/sse").named("Notes").basic_scopes("notes:read"), "/messages")
        .auth(settings.store.of(provider)?)
        .guard("list_notes", "notes:read")
        .guard("add_note", "notes:write")
        .guard("delete_note", "notes:write"))
}
