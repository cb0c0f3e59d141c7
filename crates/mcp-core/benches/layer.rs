//! What the chain before a service costs: `cargo bench -p mcp-core`.
#![expect(clippy::unwrap_used, reason = "a bench may panic")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use http::{Request, Response};
use mcp_core::policy::Policy;
use mcp_core::{AuthLayer, Body, BoxService, Connection, NoAuth, ProtectedResource, PublicUrl, Site};
use tower_layer::Layer;
use tower_service::Service;

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"message":"hello"}}}"#;

fn bare() -> BoxService {
    BoxService::from_fn(|_| async { Response::new(Body::empty()) })
}

fn request() -> Request<Body> {
    let mut request = Request::post("/mcp").header("host", "127.0.0.1:8000").body(Body::from(CALL)).unwrap();
    request.extensions_mut().insert(Connection::new(([127, 0, 0, 1], 4711).into()));
    request
}

fn layer(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let url: PublicUrl = "http://127.0.0.1:8000".parse().unwrap();
    let build = |policy: Policy| {
        let layer = AuthLayer::new(NoAuth::new(), ProtectedResource::new(&url, "/mcp")).policy(policy);
        runtime.block_on(layer.build()).unwrap()
    };
    let mut group = c.benchmark_group("layer");
    let mut measure = |name: &str, mut service: Box<dyn FnMut(Request<Body>) -> mcp_core::BoxFuture>| {
        group.bench_function(name, |b| {
            b.iter_batched(
                request,
                |request| futures_lite(&runtime, service(black_box(request))),
                criterion::BatchSize::SmallInput,
            );
        });
    };
    let mut plain = bare();
    measure("bare service", Box::new(move |request| plain.call(request)));
    let mut open = build(Policy::new()).layer(bare());
    measure("AuthLayer, NoAuth", Box::new(move |request| Box::pin(open.call(request))));
    let mut judged = build(Policy::new().tool("other", "x")).layer(bare());
    measure("AuthLayer, NoAuth, policy on the body", Box::new(move |request| Box::pin(judged.call(request))));
    let site = Site::new(url.as_str()).resource("/mcp", bare()).auth(NoAuth::new()).build();
    let mut site = runtime.block_on(site).unwrap();
    measure("Site, NoAuth", Box::new(move |request| Box::pin(site.call(request))));
    group.finish();
}

/// Polls a future that is ready without a trip through the runtime's scheduler.
fn futures_lite(runtime: &tokio::runtime::Runtime, future: mcp_core::BoxFuture) -> Response<Body> {
    let mut future = future;
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut cx) {
        std::task::Poll::Ready(Ok(response)) => response,
        std::task::Poll::Pending => match runtime.block_on(future) {
            Ok(response) => response,
        },
    }
}

criterion_group!(benches, layer);
criterion_main!(benches);
