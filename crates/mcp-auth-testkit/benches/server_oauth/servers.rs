//! The servers' processes.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use mcp_auth_provider::{
    BrowserRequest, GrantType, OAuthProvider, PreRegistered, ResourceServer, ScopeInfo, SignIn, SignInRoute,
    SignInState, Step, User, async_trait,
};
use mcp_core::{Authenticator, Body, BoxError, BoxService, Clock, Connection, NoAuth, Site, SystemClock};
use mcp_store::{Batch, MemoryStore, Name, Partition, SqliteStore, Store};
use serde_json::json;
use tokio::net::TcpListener;
use tower_service::Service;

use crate::child::answer_lines;
use crate::load::{CALLBACK, SECRET};

/// Serves until the process is killed, having said where.
pub(crate) fn run(name: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let sqlite = SqliteStore::open(folder.path().join("auth.db")).unwrap();
    let handle = runtime.handle().clone();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("http://{address}");
        let loops = match name {
            "empty" => tokio::spawn(accept(listener, BoxService::from_fn(empty))),
            "open" => tokio::spawn(accept(listener, site(&url, NoAuth::new()).await)),
            "memory" => {
                tokio::spawn(accept(listener, site(&url, provider(&url).store(MemoryStore::new())).await))
            }
            "sqlite" => {
                tokio::spawn(accept(listener, site(&url, provider(&url).store(sqlite.clone())).await))
            }
            other => panic!("{other}: no such server"),
        };
        println!("{address}");
        let orders = tokio::task::spawn_blocking(move || {
            answer_lines(|order| {
                let records = order.strip_prefix("fill ").unwrap().parse().unwrap();
                handle.block_on(fill(&sqlite, records));
                String::new()
            });
        });
        tokio::select! {
            ended = loops => ended.unwrap(),
            _ = orders => {}
        }
    });
}

/// Puts records of others into the store, as many and as large as grants would leave.
async fn fill(store: &SqliteStore, records: usize) {
    let now = SystemClock.now();
    for _ in 0..records.div_ceil(200) {
        let batch = (0..200).fold(Batch::new(), |batch, at| {
            let end = now + std::time::Duration::from_secs(80_000 + at);
            batch.put(Name::new(format!("access.{at}")).unwrap(), vec![7; 350], Some(end))
        });
        assert!(store.commit(&Partition::random(), batch, now).await.unwrap().is_done());
    }
}

async fn site(url: &str, authenticator: impl Authenticator) -> Site {
    let mcp = BoxService::from_fn(empty);
    Site::new(url).resource("/mcp", mcp).auth(authenticator).build().await.unwrap()
}

fn provider(url: &str) -> OAuthProvider {
    let resource = format!("{url}/mcp");
    OAuthProvider::new(Everybody)
        .scope(ScopeInfo::new("mcp:read").unwrap())
        .client(
            PreRegistered::public("web")
                .redirect_uri(CALLBACK)
                .grants([GrantType::AuthorizationCode, GrantType::RefreshToken]),
        )
        .client(
            PreRegistered::with_secret("job", SECRET)
                .unwrap()
                .grants([GrantType::ClientCredentials])
                .resource(&resource),
        )
        .resource_server(ResourceServer::new("job").resource(&resource))
        .dangerous()
        .skip_consent()
}

/// Lets everybody in, so that what is measured is what comes after.
#[derive(Debug)]
struct Everybody;

#[async_trait]
impl SignIn for Everybody {
    fn routes(&self) -> Vec<SignInRoute> {
        Vec::new()
    }

    async fn step(&self, _: &mut SignInState, _: BrowserRequest) -> Step {
        let user = User::new("ada", "Ada", SystemClock.now());
        Step::Done(user.props(json!({ "email": "ada@example.com", "login": "ada" })))
    }
}

/// As many bytes as the answer of a token endpoint has.
async fn empty(request: Request<Body>) -> Response<Body> {
    let _ = request.into_body().collect().await;
    let mut response = Response::new(Body::from(Bytes::from(vec![b' '; 280])));
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    response
}

async fn accept<S, B>(listener: TcpListener, service: S)
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
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

/// Says on which connection a request came; but not where sign-ins begin, which are limited by address.
#[derive(Clone)]
struct Connected<S> {
    service: S,
    peer: std::net::SocketAddr,
}

impl<S: Service<Request<Body>>> Service<Request<Incoming>> for Connected<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Incoming>) -> S::Future {
        let mut request = request.map(Body::new);
        if request.uri().path() != "/authorize" {
            request.extensions_mut().insert(Connection::new(self.peer));
        }
        self.service.call(request)
    }
}
