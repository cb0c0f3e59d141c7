//! The same tools on our own loop and on axum's.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::map_request;
use axum::serve::ListenerExt;
use mcp_auth_rmcp::serve;
use mcp_core::{Connection, NoAuth, Site};
use tokio::net::TcpListener;

use crate::common::child::answer_lines;
use crate::common::tools::Tools;

/// Serves until the bench that started this process ends, and answers each line with the number of its sessions.
#[expect(clippy::print_stdout, reason = "the line the bench waits for")]
pub(crate) fn run(name: &str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = serve(Tools::shared()).at(format!("http://{address}")).auth(NoAuth::new());
        let sessions: Box<dyn Fn() -> usize + Send> = match name {
            "listen" => {
                drop(listener);
                let running = server.bind(address.to_string()).start().await.unwrap();
                Box::new(move || running.sse_sessions())
            }
            "axum" => {
                let (site, shutdown) = server.into_parts().await.unwrap();
                let service = router(site).into_make_service_with_connect_info::<SocketAddr>();
                let listener = listener.tap_io(|socket| socket.set_nodelay(true).unwrap());
                tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
                Box::new(move || shutdown.sse_sessions())
            }
            other => panic!("{other}: no such server"),
        };
        println!("listening on http://{address}");
        let asked = tokio::task::spawn_blocking(move || answer_lines(|_| sessions().to_string()));
        asked.await.unwrap();
    });
}

/// The site as an axum router, told of its peers as axum tells of them.
fn router(site: Site) -> Router {
    site.into_router().layer(map_request(
        |ConnectInfo(peer): ConnectInfo<SocketAddr>, mut request: Request| async move {
            request.extensions_mut().insert(Connection::new(peer));
            request
        },
    ))
}
