//! The SDK's own HTTP service with nothing around it: what the layers of this project are measured against.

use std::error::Error;

use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
};
use tokio::net::TcpListener;

use crate::server::Everything;
use crate::settings::Settings;

/// Serves `server` at `/mcp` until the process ends.
pub(crate) async fn serve(
    server: Everything,
    settings: &Settings,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let service: StreamableHttpService<Everything, LocalSessionManager> = StreamableHttpService::new(
        move || Ok(server.clone()),
        LocalSessionManager::default().into(),
        StreamableHttpServerConfig::default(),
    );
    let listener = TcpListener::bind(&settings.bind).await?;
    settings.announce();
    axum::serve(listener, axum::Router::new().nest_service("/mcp", service)).await?;
    Ok(())
}
