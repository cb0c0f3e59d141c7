//! The service an [`AuthLayer`](super::AuthLayer) makes.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use tower_service::Service;

use crate::gate::Gate;
use crate::{Body, BoxError};

use super::ResponseFuture;

/// A service behind authentication. It sees a request only once its caller is known and allowed; the caller is in the
/// request's extensions as an [`Identity`](crate::Identity), and the credential is gone.
#[derive(Clone)]
pub struct AuthService<S> {
    inner: S,
    gate: Arc<Gate>,
    /// The path below the site, where it is not the resource's own.
    path: Option<Arc<str>>,
}

impl<S> AuthService<S> {
    pub(crate) fn new(inner: S, gate: Arc<Gate>, path: Option<Arc<str>>) -> Self {
        Self { inner, gate, path }
    }
}

impl<S> fmt::Debug for AuthService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthService").field("resource", &self.gate.resource).finish_non_exhaustive()
    }
}

impl<S, B> Service<Request<Body>> for AuthService<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> ResponseFuture {
        let path = self.path.as_deref().unwrap_or(self.gate.resource.path());
        if let Some(identity) = self.gate.admit_now(path, &mut request) {
            self.gate.record_admission(&request, &identity, None);
            let answer = self.inner.call(request);
            let gate = self.gate.clone();
            return ResponseFuture::new(async move {
                let Ok(response) = answer.await;
                gate.finish(&identity, response.map(Body::new))
            });
        }
        // The service that was polled ready is the one to call; a fresh clone takes its place.
        let fresh = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, fresh);
        let gate = self.gate.clone();
        let path = self.path.clone();
        ResponseFuture::new(async move {
            let admitted = match gate.admit(path.as_deref().unwrap_or(gate.resource.path()), request).await {
                Ok(admitted) => admitted,
                Err(refusal) => return refusal,
            };
            gate.record_admission(&admitted.request, &admitted.identity, admitted.asked);
            let Ok(response) = inner.call(admitted.request).await;
            gate.finish(&admitted.identity, response.map(Body::new))
        })
    }
}
