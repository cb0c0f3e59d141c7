//! The one service type of these crates: any tower service, boxed and cheap to clone.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use tower_service::Service;

use crate::Body;
use crate::body::BoxError;

/// What a [`BoxService`] answers with.
pub type BoxFuture = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// A tower service over [`Body`] that never fails, of any concrete type.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use mcp_core::{Body, BoxService};
/// use tower_service::Service;
///
/// let mut hello = BoxService::from_fn(|_request| async { http::Response::new(Body::from("hello")) });
/// let answer = hello.call(http::Request::new(Body::empty())).await;
/// assert_eq!(answer.map(|a| a.status().as_u16()), Ok(200));
/// # }
/// ```
pub struct BoxService(Box<dyn CloneService>);

trait CloneService: Send + Sync {
    fn boxed_clone(&self) -> Box<dyn CloneService>;
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()>;
    fn call(&mut self, request: Request<Body>) -> BoxFuture;
}

// A service need not be `Sync`; it is only ever used through `&mut`, or locked for the moment of a clone.
struct Boxed<S>(Mutex<S>);

impl<S> Boxed<S> {
    fn inner(&mut self) -> &mut S {
        self.0.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl<S, B> CloneService for Boxed<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn boxed_clone(&self) -> Box<dyn CloneService> {
        let inner = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        Box::new(Self(Mutex::new(inner)))
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.inner().poll_ready(cx).map(|ready| match ready {
            Ok(()) => (),
            Err(never) => match never {},
        })
    }

    fn call(&mut self, request: Request<Body>) -> BoxFuture {
        let answer = self.inner().call(request);
        Box::pin(async move { answer.await.map(|response| response.map(Body::new)) })
    }
}

impl BoxService {
    /// Boxes a service.
    pub fn new<S, B>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send + 'static,
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self(Box::new(Boxed(Mutex::new(service))))
    }

    /// A service of an async function.
    pub fn from_fn<F, Fut>(answer: F) -> Self
    where
        F: Fn(Request<Body>) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Response<Body>> + Send + 'static,
    {
        Self::new(FnService(answer))
    }
}

impl Clone for BoxService {
    fn clone(&self) -> Self {
        Self(self.0.boxed_clone())
    }
}

impl fmt::Debug for BoxService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoxService")
    }
}

impl Service<Request<Body>> for BoxService {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx).map(Ok)
    }

    fn call(&mut self, request: Request<Body>) -> BoxFuture {
        self.0.call(request)
    }
}

#[derive(Clone)]
struct FnService<F>(F);

impl<F, Fut> Service<Request<Body>> for FnService<F>
where
    F: Fn(Request<Body>) -> Fut,
    Fut: Future<Output = Response<Body>> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> BoxFuture {
        let answer = (self.0)(request);
        Box::pin(async move { Ok(answer.await) })
    }
}
