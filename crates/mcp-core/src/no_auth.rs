//! No authentication, said aloud.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! use mcp_core::{Body, BoxService, NoAuth, Site};
//!
//! let mcp = BoxService::from_fn(|_| async { http::Response::new(Body::from("hello")) });
//! let site = Site::new("https://mcp.example.com").resource("/mcp", mcp.clone()).auth(NoAuth::new()).build().await;
//! let sentence = site.unwrap_err().to_string();
//! assert!(sentence.contains("NoAuth::public()"), "{sentence}");
//!
//! assert!(Site::new("http://127.0.0.1:8000").resource("/mcp", mcp).auth(NoAuth::new()).build().await.is_ok());
//! # }
//! ```

use async_trait::async_trait;
use http::HeaderMap;

use crate::limits::all_hops;
use crate::{
    AtOnce, AuthError, Authenticator, ConfigError, Connection, Identity, ProtectedResource, RequestHead,
    ResourceMetadata, SiteContext,
};

/// Lets everybody in who reaches the server from this machine; with [`public`](Self::public), everybody.
#[derive(Clone, Debug)]
pub struct NoAuth {
    public: bool,
    nobody: Identity,
}

impl NoAuth {
    /// For a server on loopback: the public URL, the listener and every peer must be this machine.
    ///
    /// A request that a proxy or tunnel on this machine says to pass on (`X-Forwarded-For`, `Forwarded`) is refused unless it
    /// names this machine as every hop, and so is a peer whose address is unknown. Whoever accepts connections says it by
    /// putting a [`Connection`] into the extensions of each request.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "that nobody is asked must be written, not defaulted")]
    pub fn new() -> Self {
        Self { public: false, nobody: Identity::anonymous() }
    }

    /// For a server that is open to the world on purpose.
    #[must_use]
    pub fn public() -> Self {
        Self { public: true, ..Self::new() }
    }
}

#[async_trait]
impl Authenticator for NoAuth {
    async fn start(&self, site: &SiteContext) -> Result<(), ConfigError> {
        if self.public {
            return Ok(());
        }
        if !site.url().is_loopback() {
            return Err(ConfigError::new(format!(
                "NoAuth::new() is for loopback, and {} is reached from elsewhere: put an authenticator there, or write \
                 NoAuth::public() if it is meant to be open to everybody",
                site.url()
            )));
        }
        match site.listener() {
            Some(address) if !address.ip().is_loopback() => Err(ConfigError::new(format!(
                "NoAuth::new() is for loopback, and the server listens on {address}: bind 127.0.0.1, or write \
                 NoAuth::public() if it is meant to be open to everybody"
            ))),
            _ => Ok(()),
        }
    }

    async fn authenticate(
        &self,
        request: &RequestHead<'_>,
        resource: &ProtectedResource,
    ) -> Result<Identity, AuthError> {
        if let AtOnce::Known(nobody) = self.authenticate_now(request, resource) {
            return Ok(nobody);
        }
        match request.extensions().get::<Connection>() {
            Some(connection) if is_local(connection) => Err(AuthError::forbidden(
                "this server is for its own machine only",
            )
            .log(
                "a proxy or tunnel passed on a request from elsewhere: put an authenticator there, or write \
                     NoAuth::public() if it is meant to be open to everybody",
            )),
            Some(connection) => Err(AuthError::forbidden("this server is for its own machine only")
                .log(format!("NoAuth::new() met a peer at {}", connection.peer()))),
            None => Err(AuthError::forbidden("this server is for its own machine only")
                .log("the peer's address is unknown: put a Connection into each request's extensions")),
        }
    }

    fn authenticate_now(&self, request: &RequestHead<'_>, _resource: &ProtectedResource) -> AtOnce {
        let local = || request.extensions().get().is_some_and(is_local) && !is_passed_on(request.headers());
        if self.public || local() { AtOnce::Known(self.nobody.clone()) } else { AtOnce::Ask }
    }

    fn metadata(&self, _resource: &ProtectedResource) -> ResourceMetadata {
        ResourceMetadata::open()
    }
}

fn is_local(connection: &Connection) -> bool {
    connection.peer().ip().to_canonical().is_loopback()
}

/// Whether a proxy on this machine may have taken the request from another: any hop it names that is not this machine, and
/// any that cannot be read. Anybody can write these headers, so they only ever shut somebody out.
fn is_passed_on(headers: &HeaderMap) -> bool {
    all_hops(headers).any(|hop| !hop.is_some_and(|address| address.is_loopback()))
}
