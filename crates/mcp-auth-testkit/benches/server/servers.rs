//! The servers' processes.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body::Body as HttpBody;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use mcp_auth_jwt::{Algorithm, JwtAuthenticator, Keys};
use mcp_auth_rmcp::{Serve, serve};
use mcp_auth_testkit::{Algorithm as Signed, TokenAuthority};
use mcp_core::{BoxError, Connection, NoAuth};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::net::TcpListener;
use tower_service::Service;

use crate::common::child::answer_lines;
use crate::common::tools::Tools;

/// The servers, and what each is. All but the last are served by one and the same plain loop on hyper; the first is
/// what the others are compared with. `serve` sends answers in one piece where it can and rmcp does not, which hides what
/// authentication costs; the two that send each event show it.
pub(crate) const SERVERS: [(&str, &str); 7] = [
    ("bare", "rmcp alone"),
    ("open-each", "behind a site, NoAuth, each event sent as by rmcp"),
    ("token-each", "the same, a known token (ES256)"),
    ("open", "behind a site, NoAuth (not asking for the token)"),
    ("token", "behind a site, a known token (ES256)"),
    ("guarded", "the same, with a policy that reads the body"),
    ("listen", "the same on our own loop: serve(…).listen()"),
];

/// Serves until the process is killed, having said where, and with which token.
#[expect(clippy::print_stdout, reason = "the line the bench waits for")]
pub(crate) fn run(name: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        // Known before the server is, because its tokens are for this address.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("http://{address}");
        let tools = serve(Tools::shared()).at(&url);
        let (auth, token) = authenticator(&url).await;
        let policy = |server: Serve<_>| server.guard("another", "another:scope");
        // The loops run on the worker; this thread only waits.
        let loops = match name {
            "bare" => {
                let shared = Tools::shared();
                let config = StreamableHttpServerConfig::default();
                let sessions: Arc<LocalSessionManager> = Arc::default();
                let service = StreamableHttpService::new(move || Ok(shared.clone()), sessions, config);
                tokio::spawn(accept(listener, service))
            }
            "open-each" => {
                let server = tools.auth(NoAuth::new()).send_each_event();
                tokio::spawn(accept(listener, server.into_service().await.unwrap()))
            }
            "token-each" => {
                let server = tools.auth(auth).send_each_event();
                tokio::spawn(accept(listener, server.into_service().await.unwrap()))
            }
            "open" => tokio::spawn(accept(listener, tools.auth(NoAuth::new()).into_service().await.unwrap())),
            "token" => tokio::spawn(accept(listener, tools.auth(auth).into_service().await.unwrap())),
            "guarded" => {
                tokio::spawn(accept(listener, policy(tools.auth(auth)).into_service().await.unwrap()))
            }
            "listen" => {
                drop(listener);
                let server = policy(tools.auth(auth)).bind(address.to_string());
                tokio::spawn(async move { server.listen().await.unwrap() })
            }
            other => panic!("{other}: no such server"),
        };
        println!("{address} {token}");
        // Whoever reads these lines ends by ending the input: no server outlives its bench.
        tokio::select! {
            ended = loops => ended.unwrap(),
            _ = tokio::task::spawn_blocking(|| answer_lines(|_| String::new())) => {}
        }
    });
}

async fn authenticator(url: &str) -> (JwtAuthenticator, String) {
    let authority = TokenAuthority::start().await.unwrap();
    let token = authority
        .token()
        .algorithm(Signed::Es256)
        .audience(&format!("{url}/mcp"))
        .scopes("files:read files:write")
        .expires_in(Duration::from_secs(3000))
        .mint();
    let keys = Keys::pem(authority.public_key_pem(Signed::Es256)).unwrap();
    (JwtAuthenticator::keys(authority.issuer(), keys).algorithms([Algorithm::ES256]), token)
}

/// The plain loop.
async fn accept<S, B>(listener: TcpListener, service: S)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: HttpBody + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    loop {
        let (socket, peer) = listener.accept().await.unwrap();
        socket.set_nodelay(true).unwrap();
        let service = TowerToHyperService::new(Connected { service: service.clone(), peer });
        tokio::spawn(async move {
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new());
            let _ = http.serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

/// Says on which connection a request came.
#[derive(Clone)]
struct Connected<S> {
    service: S,
    peer: SocketAddr,
}

impl<S: Service<Request<Incoming>>> Service<Request<Incoming>> for Connected<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Incoming>) -> S::Future {
        request.extensions_mut().insert(Connection::new(self.peer));
        self.service.call(request)
    }
}
