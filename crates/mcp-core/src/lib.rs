//! Authentication for MCP servers: the trait at which all patterns meet, and everything behind it.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod authenticator;
mod body;
mod clock;
mod config_error;
mod connection;
mod error;
mod head;
mod identity;
mod public_url;
mod resource;
mod route;
mod scope;
mod secret;
mod service;
mod strings;

pub mod audit;

/// Makes the methods of a trait implementation async; re-exported for implementations of [`Authenticator`].
pub use async_trait::async_trait;

pub use authenticator::{Authenticator, SiteContext};
pub use body::{Body, BoxError};
pub use clock::{Clock, Sleep, SystemClock, Timestamp};
pub use config_error::ConfigError;
pub use connection::Connection;
pub use error::{AuthError, AuthErrorKind};
pub use head::{Credential, MAX_CREDENTIAL, RequestHead};
pub use identity::{AuthMethod, FromIdentity, Identity, IdentityBuilder, Principal, UserKey};
pub use public_url::PublicUrl;
pub use resource::{ProtectedResource, ProtectedResourceMetadata, ResourceMetadata};
pub use route::{Access, Route};
pub use scope::{Scope, Scopes};
pub use secret::{SecretKey, constant_time_eq, random_bytes, random_id};
pub use service::{BoxFuture, BoxService};
pub use strings::{Audience, ClientId, Issuer, Subject, TokenId};
