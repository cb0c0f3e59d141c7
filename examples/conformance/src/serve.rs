//! The fixtures behind a bearer token.

use std::error::Error;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::IntoResponse as _;
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
    let wanted: Option<Arc<str>> = settings
        .token
        .as_ref()
        .map(|token| format!("Bearer {token}").into());
    let router = axum::Router::new()
        .nest_service("/mcp", service)
        .layer(middleware::from_fn(move |request: Request, next: Next| {
            let wanted = wanted.clone();
            async move {
                let given = request.headers().get(header::AUTHORIZATION);
                match wanted {
                    Some(wanted) if given.is_none_or(|given| given.as_bytes() != wanted.as_bytes()) => {
                        StatusCode::UNAUTHORIZED.into_response()
                    }
                    _ => next.run(request).await,
                }
            }
        }));
    let listener = TcpListener::bind(&settings.bind).await?;
    settings.announce();
    axum::serve(listener, router).await?;
    Ok(())
}
