//! The fixtures behind this project's layers: open, or behind one bearer token.

use std::error::Error;

use std::sync::Arc;

use mcp_auth_rmcp::{Serve, serve};
use mcp_core::NoAuth;

use crate::server::Everything;
use crate::settings::Settings;
use crate::static_token::StaticToken;

/// Serves `fixtures` until the process is told to stop.
pub(crate) async fn run(
    fixtures: Everything,
    settings: &Settings,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    server(fixtures, settings).listen_with(|_| settings.announce()).await?;
    Ok(())
}

pub(crate) fn server(fixtures: Everything, settings: &Settings) -> Serve<Arc<Everything>> {
    let server = serve(fixtures).at(&settings.public_url).bind(&settings.bind);
    match &settings.token {
        Some(token) => server.auth(StaticToken::new(token)),
        None => server.auth(NoAuth::new()),
    }
}
