//! The fixtures behind this project's layers: open, or behind one bearer token.

use std::error::Error;

use mcp_auth_rmcp::serve;
use mcp_core::NoAuth;

use crate::server::Everything;
use crate::settings::Settings;
use crate::static_token::StaticToken;

/// Serves `server` until the process is told to stop.
pub(crate) async fn run(server: Everything, settings: &Settings) -> Result<(), Box<dyn Error + Send + Sync>> {
    let server = serve(server).at(&settings.public_url).bind(&settings.bind);
    let server = match &settings.token {
        Some(token) => server.auth(StaticToken::new(token)),
        None => server.auth(NoAuth::new()),
    };
    server.listen_with(|_| settings.announce()).await?;
    Ok(())
}
