//! The chain before one protected resource as a tower layer: authenticate, policy, session, service.
//!
//! [`Site`](crate::Site) puts it before every resource together with the guard and the metadata documents; take it alone
//! only inside a stack that has those already.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use mcp_core::{AuthLayer, Body, BoxService, Identity, NoAuth, ProtectedResource};
//! use tower_layer::Layer;
//! use tower_service::Service;
//!
//! let site = "https://mcp.example.com".parse()?;
//! let layer = AuthLayer::new(NoAuth::public(), ProtectedResource::new(&site, "/mcp")).build().await?;
//! let mut service = layer.layer(BoxService::from_fn(|request| async move {
//!     assert!(request.extensions().get::<Identity>().is_some());
//!     http::Response::new(Body::from("hello"))
//! }));
//! let response = service.call(http::Request::post("/mcp").body(Body::empty())?).await?;
//! assert_eq!(response.status(), 200);
//! # Ok(())
//! # }
//! ```

mod builder;
mod future;
mod service;

use std::sync::Arc;

use tower_layer::Layer;

pub use builder::AuthLayerBuilder;
pub use future::ResponseFuture;
pub use service::AuthService;

use crate::gate::Gate;

/// Puts authentication before a service.
#[derive(Clone, Debug)]
pub struct AuthLayer {
    pub(crate) gate: Arc<Gate>,
}

impl AuthLayer {
    /// Starts a layer for one resource; `build` checks the set-up.
    #[expect(clippy::new_ret_no_self, reason = "a layer exists only once its set-up was checked")]
    pub fn new(
        authenticator: impl crate::Authenticator,
        resource: crate::ProtectedResource,
    ) -> AuthLayerBuilder {
        AuthLayerBuilder::new(Arc::new(authenticator), resource)
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = AuthService<S>;

    fn layer(&self, inner: S) -> AuthService<S> {
        AuthService::new(inner, self.gate.clone(), None)
    }
}
