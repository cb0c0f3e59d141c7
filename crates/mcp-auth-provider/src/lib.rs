//! The OAuth 2.1 authorization server of an MCP server.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod as_text;
mod body;
mod client;
mod endpoints;
mod engine;
mod grant;
mod pages;
mod provider;
mod scope_info;
mod settings;
mod sign_in;
mod wire;

/// Makes the methods of a trait implementation async; re-exported for implementations of [`SignIn`].
pub use mcp_core::async_trait;

pub use client::{ClientMetadataDocuments, GrantType, PreRegistered, Registration, RegistrationRequest};
pub use pages::Page;
pub use provider::{OAuthProvider, ProviderDangerous};
pub use scope_info::ScopeInfo;
pub use settings::{Lifetimes, Paths};
pub use sign_in::{
    BrowserRequest, ConsentOrder, GrantView, Refreshed, SignIn, SignInContext, SignInRoute, SignInState,
    Step, User,
};
