//! An OAuth 2.1 authorization server in the process of an MCP server, and the [`Authenticator`](mcp_core::Authenticator) of the
//! tokens it issues.
//!
//! [`OAuthProvider`] is the server; who the user is, a [`SignIn`] says. What it insists on, without being told:
//!
//! | | |
//! |---|---|
//! | code | PKCE by S256 for every client; bound to client, redirect URI and resource; good once, of any number of racers for one |
//! | refresh | a new token each time; a lost answer is given again; a token that comes back later ends the grant |
//! | redirect URIs | compared byte for byte; only the port of a loopback URI may differ |
//! | tokens | each for one resource; a hash at rest; dead within a second of their revocation, everywhere |
//! | consent | per client, scopes and place the answer goes to; bound to the browser that began |
//! | `iss` | in every authorization response (RFC 9207) |
//! | a store that does not answer | 503 with `Retry-After`, and nothing the client holds is worth less for it |
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use http_body_util::BodyExt;
//! use mcp_auth_provider::{OAuthProvider, OwnerSignIn, Registration, ScopeInfo};
//! use mcp_core::{Body, BoxService, Site};
//! use mcp_store::MemoryStore;
//! use tower_service::Service;
//!
//! let mcp = BoxService::from_fn(|_| async { http::Response::new(Body::from("an MCP endpoint")) });
//! let provider = OAuthProvider::new(OwnerSignIn::with_password("correct horse battery staple"))
//!     .store(MemoryStore::new())
//!     .registration(Registration::open())
//!     .scope(ScopeInfo::new("notes:read")?.describe("Read your notes"));
//! let mut site = Site::new("https://mcp.example.com").resource("/mcp", mcp).auth(provider).build().await?;
//!
//! let get = |path: &str| http::Request::get(path).header("host", "mcp.example.com").body(Body::empty());
//! assert_eq!(site.call(get("/mcp")?).await?.status(), 401);
//! let answer = site.call(get("/.well-known/oauth-authorization-server")?).await?;
//! let body = answer.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
//! let metadata: serde_json::Value = serde_json::from_slice(&body)?;
//! assert_eq!(metadata["issuer"], "https://mcp.example.com");
//! assert_eq!(metadata["code_challenge_methods_supported"], serde_json::json!(["S256"]));
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `fetch` | yes | client metadata documents and key sets from URLs; reqwest behind `mcp-outbound` |
//! | `metrics` | no | counters through the `metrics` facade |
#![cfg_attr(docsrs, feature(doc_cfg))]

mod as_text;
mod body;
mod browser;
mod client;
mod device;
mod dpop;
mod endpoints;
mod engine;
mod grant;
mod idp;
mod keys;
mod metrics;
mod operator;
mod pages;
mod provider;
mod resource_server;
mod scope_info;
mod settings;
mod sign_in;
#[cfg(test)]
mod testing;
mod wire;

/// Makes the methods of a trait implementation async; re-exported for implementations of [`SignIn`].
pub use mcp_core::async_trait;

pub use client::{ClientMetadataDocuments, GrantType, PreRegistered, Registration, RegistrationRequest};
pub use dpop::DpopPolicy;
pub use idp::TrustedIdp;
pub use keys::{JwtTokens, KeyUse, SigningKeyView};
pub use operator::{GrantPage, Operator, OperatorError, Purged};
pub use pages::{Field, Page, Pages};
pub use provider::{OAuthProvider, ProviderDangerous};
pub use resource_server::ResourceServer;
pub use scope_info::ScopeInfo;
pub use settings::{Lifetimes, Paths};
pub use sign_in::{
    BrowserRequest, ConsentOrder, GrantView, OwnerSignIn, Refreshed, Resumed, SignIn, SignInContext,
    SignInRoute, SignInState, Step, User,
};
