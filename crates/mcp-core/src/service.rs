//! The one service type of these crates: any tower service, boxed and cheap to clone.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use tower_service::Service;

use crate::Body;
use crate::body::{BoxError, take_as};

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
pub struct BoxService(Kind);

enum Kind {
    /// Answers through `&self`, as functions do: a clone is a counter, and nothing has to be polled ready.
    Shared(Arc<dyn Fn(Request<Body>) -> BoxFuture + Send + Sync>),
    /// Any other tower service: each clone is its own.
    Own(Box<dyn CloneService>),
}

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
    /// Boxes a service. One that is a [`BoxService`] already is not boxed again.
    pub fn new<S, B>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send + 'static,
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        match take_as::<_, Self>(service) {
            Ok(boxed) => boxed,
            Err(service) => Self(Kind::Own(Box::new(Boxed(Mutex::new(service))))),
        }
    }

    /// A service of an async function.
    pub fn from_fn<F, Fut>(answer: F) -> Self
    where
        F: Fn(Request<Body>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Response<Body>> + Send + 'static,
    {
        Self::from_boxed(move |request| {
            let answer = answer(request);
            Box::pin(async move { Ok(answer.await) })
        })
    }

    /// A service of a function that boxes its own future. For one that is kilobytes, which would be moved about otherwise.
    pub fn from_boxed(answer: impl Fn(Request<Body>) -> BoxFuture + Send + Sync + 'static) -> Self {
        Self(Kind::Shared(Arc::new(answer)))
    }

    /// Answers one request, without a clone where that can be.
    pub(crate) fn answer(&self, request: Request<Body>) -> BoxFuture {
        match &self.0 {
            Kind::Shared(answer) => answer(request),
            Kind::Own(service) => {
                let mut service = service.boxed_clone();
                Box::pin(async move {
                    poll_fn(|cx| service.poll_ready(cx)).await;
                    service.call(request).await
                })
            }
        }
    }
}

impl Clone for BoxService {
    fn clone(&self) -> Self {
        Self(match &self.0 {
            Kind::Shared(answer) => Kind::Shared(answer.clone()),
            Kind::Own(service) => Kind::Own(service.boxed_clone()),
        })
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
        match &mut self.0 {
            Kind::Shared(_) => Poll::Ready(Ok(())),
            Kind::Own(service) => service.poll_ready(cx).map(Ok),
        }
    }

    fn call(&mut self, request: Request<Body>) -> BoxFuture {
        match &mut self.0 {
            Kind::Shared(answer) => answer(request),
            Kind::Own(service) => service.call(request),
        }
    }
}
