//! The fixtures behind this project's layers.

use std::error::Error;

use crate::server::Everything;
use crate::settings::Settings;

/// Serves `server` at `/mcp` until the process ends.
pub(crate) async fn serve(
    server: Everything,
    settings: &Settings,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    crate::bare::serve(server, settings).await
}
