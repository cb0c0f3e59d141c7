//! A server on loopback that takes the caller's name from a header, as an authenticator would from a token.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming as HyperBody;
use hyper_util::rt::TokioIo;
use mcp_core::{Clock, Identity, Sleep, Timestamp};
use mcp_transport_sse::{Session, SseLimits, SseService};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tower_service::Service;

/// Sends every message back as it came.
pub(crate) async fn echo(mut session: Session) {
    while let Some(message) = session.incoming.recv().await {
        if session.outgoing.send(message.json).await.is_err() {
            return;
        }
    }
}

/// A running server. Stopping it drops its connections.
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    pub(crate) sse: SseService,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) async fn serve(sse: SseService) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let shared = sse.clone();
    let task = tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let sse = shared.clone();
            let service = hyper::service::service_fn(move |mut request: Request<HyperBody>| {
                match request.headers().get("x-caller").and_then(|name| name.to_str().ok()) {
                    Some("nobody") => {
                        request.extensions_mut().insert(Identity::anonymous());
                    }
                    Some(name) => {
                        let identity = Identity::new("https://idp.example.com", name).build();
                        request.extensions_mut().insert(identity);
                    }
                    None => {}
                }
                sse.clone().call(request)
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service),
            );
        }
    });
    Server { addr, sse, task }
}

pub(crate) async fn echo_server(limits: SseLimits) -> Server {
    serve(SseService::new("/messages", echo).limits(limits)).await
}

/// A clock that stands still until it is told to move.
#[derive(Clone, Debug)]
pub(crate) struct Clockwork(Arc<watch::Sender<Timestamp>>);

impl Clockwork {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Timestamp::from_secs(1_700_000_000))))
    }

    pub(crate) fn advance(&self, span: Duration) {
        self.0.send_modify(|now| *now = *now + span);
    }

    /// How many sleepers there are.
    pub(crate) fn sleepers(&self) -> usize {
        self.0.receiver_count()
    }
}

impl Clock for Clockwork {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    fn sleep(&self, span: Duration) -> Sleep {
        let until = self.now() + span;
        let mut time = self.0.subscribe();
        Box::pin(async move {
            let _ = time.wait_for(|now| *now >= until).await;
        })
    }
}

/// Waits until something that other tasks bring about has come true.
pub(crate) async fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    for _ in 0..500 {
        if check() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never came true: {what}");
}
