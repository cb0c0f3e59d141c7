//! Authentication for MCP servers: the trait at which all patterns meet, and everything behind it.
//!
//! An [`Authenticator`] says who sent a request. A [`Site`] puts it before MCP endpoints, together with what every
//! protected server needs: the check of `Host` and `Origin`, metadata documents (RFC 9728), challenges (RFC 6750), scopes
//! ([`policy`]), sessions bound to their principal, streams that end with their credential, limits and an audit trail.
//! What stands behind gets an [`Identity`] in the request's extensions and never sees a token.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use mcp_core::{async_trait, AuthError, Authenticator, Body, BoxService, Credential, Identity};
//! use mcp_core::{Issuer, ProtectedResource, RequestHead, ResourceMetadata, Site};
//! use tower_service::Service;
//!
//! #[derive(Debug)]
//! struct Friends;
//!
//! #[async_trait]
//! impl Authenticator for Friends {
//!     async fn authenticate(&self, r: &RequestHead<'_>, _: &ProtectedResource) -> Result<Identity, AuthError> {
//!         match r.credential()? {
//!             Credential::Bearer("open-sesame") => Ok(Identity::new("https://idp.example.com", "ali").build()),
//!             _ => Err(AuthError::invalid_token("the token is unknown")),
//!         }
//!     }
//!
//!     fn metadata(&self, _: &ProtectedResource) -> ResourceMetadata {
//!         ResourceMetadata::issued_by([Issuer::new("https://idp.example.com")])
//!     }
//! }
//!
//! // Any tower service: rmcp's, or this one.
//! let mcp = BoxService::from_fn(|request| async move {
//!     let caller = request.extensions().get::<Identity>().map(|identity| identity.subject().to_string());
//!     http::Response::new(Body::from(caller.unwrap_or_default()))
//! });
//! let mut site = Site::new("https://mcp.example.com").resource("/mcp", mcp).auth(Friends).build().await?;
//!
//! let request = |token: Option<&str>| {
//!     let request = http::Request::post("/mcp").header("host", "mcp.example.com");
//!     let request = match token {
//!         Some(token) => request.header("authorization", format!("Bearer {token}")),
//!         None => request,
//!     };
//!     request.body(Body::empty())
//! };
//! let refused = site.call(request(None)?).await?;
//! assert_eq!(refused.status(), 401);
//! assert_eq!(
//!     refused.headers()["www-authenticate"],
//!     r#"Bearer resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp""#
//! );
//! assert_eq!(site.call(request(Some("open-sesame"))?).await?.status(), 200);
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! | name | what it adds | default |
//! |---|---|---|
//! | `axum` | [`Site::into_router`](Site) and the `Caller` extractor for axum handlers | no |
#![cfg_attr(docsrs, feature(doc_cfg))]

mod answer;
mod any_of;
mod as_is;
mod authenticator;
mod body;
#[cfg(feature = "axum")]
mod caller;
mod challenge;
mod clock;
mod config_error;
mod connection;
mod cors;
mod error;
mod gate;
mod guard;
mod head;
mod identity;
mod layer;
mod no_auth;
mod public_url;
mod resource;
mod resource_metadata;
mod route;
mod scope;
mod secret;
mod service;
mod session;
mod site;
mod stream;
mod strings;

pub mod audit;
pub mod limits;
pub mod policy;
pub mod request_state;

/// Makes the methods of a trait implementation async; re-exported for implementations of [`Authenticator`].
pub use async_trait::async_trait;

pub use any_of::AnyOf;
pub use authenticator::{AtOnce, Authenticator, SiteContext};
pub use body::{Body, BoxError};
#[cfg(feature = "axum")]
pub use caller::{Caller, CallerRejection};
pub use clock::{Clock, Sleep, SystemClock, Timestamp};
pub use config_error::ConfigError;
pub use connection::Connection;
pub use error::{AuthError, AuthErrorKind};
pub use head::{Credential, MAX_CREDENTIAL, RequestHead};
pub use identity::{AuthMethod, FromIdentity, Identity, IdentityBuilder, Principal, UserKey};
pub use layer::{AuthLayer, AuthLayerBuilder, AuthService, ResponseFuture};
pub use no_auth::NoAuth;
pub use policy::Policy;
pub use public_url::PublicUrl;
pub use resource::ProtectedResource;
pub use resource_metadata::{ProtectedResourceMetadata, ResourceMetadata};
pub use route::{Access, Route};
pub use scope::{Scope, Scopes};
pub use secret::{SecretKey, constant_time_eq, random_bytes, random_id};
pub use service::{BoxFuture, BoxService};
pub use site::{Endpoint, RouteInfo, Site, SiteBuilder};
pub use strings::{Audience, ClientId, Issuer, Subject, TokenId};
