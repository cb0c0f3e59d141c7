//! An MCP server that accepts tokens of any issuer.
//!
//! Run it with `cargo run -p token`: it starts an authority of its own, and prints a token and how to use it. For tokens
//! of yours, say in the environment whose they are:
//!
//! | variable | default | meaning |
//! |---|---|---|
//! | `JWT_ISSUER` | | the `iss` of the tokens. Alone, it is also where the keys are found, by discovery |
//! | `JWT_AUDIENCE` | the URL of the endpoint | comma-separated: what the `aud` of the tokens may be |
//! | `JWT_SECRET` | | a secret shared with the issuer, of at least 32 bytes; such tokens may say `typ: JWT` |
//! | `JWT_PUBLIC_KEY_FILE` | | a file with the issuer's public keys in PEM |
//! | `JWT_JWKS_URL` | | where the issuer's key set is |
//! | `MCP_BIND` | `127.0.0.1:8000` | where to listen |
//! | `MCP_PUBLIC_URL` | `http://` + bind | the URL clients use, without `/mcp` |
//! | `MCP_ALLOW_ORIGINS` | none | web pages that may call, comma-separated: `https://app.example.com` |
//!
//! The tool `secret` is for tokens with the scope `demo:secret`. Others do not see it, and are told with 403 what they lack.

mod issuer;
#[cfg(test)]
mod routes;
#[cfg(test)]
mod sdk_client;
mod settings;
mod tools;

use std::sync::Arc;

use mcp_auth_jwt::JwtAuthenticator;
use mcp_auth_rmcp::{Serve, ServeError, serve};

use settings::Settings;
use tools::Tools;

#[tokio::main]
async fn main() -> Result<(), ServeError> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let (tokens, demo) = issuer::from_env().await?;
    let server = server(Settings::from_env(), tokens);
    server.listen_with(|server| settings::announce(server.url(), demo.as_ref())).await
}

fn server(settings: Settings, tokens: JwtAuthenticator) -> Serve<Arc<Tools>> {
    serve(Tools::new())
        .at(settings.public_url)
        .bind(settings.bind)
        .allow_origins(settings.allow_origins)
        .auth(tokens)
        .guard("secret", "demo:secret")
}
