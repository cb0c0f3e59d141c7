//! The OAuth 2.1 authorization server of an MCP server.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod as_text;
mod body;
mod browser;
mod client;
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
