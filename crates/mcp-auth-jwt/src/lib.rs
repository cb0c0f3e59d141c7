#![cfg_attr(docsrs, feature(doc_cfg))]
//! Token validation for MCP servers: JWTs from any issuer, introspection, API keys.
//!
//! All of it implements [`mcp_core::Authenticator`]; `mcp_core::AnyOf` joins several.
//!
//! # JWT
//!
//! [`JwtAuthenticator`] takes access tokens that others issued. What it insists on, without being told:
//!
//! | | |
//! |---|---|
//! | algorithm | in the issuer's allow-list, of the type of the key, never `none`; a shared secret never beside public keys |
//! | `iss` | one text, byte for byte an issuer of ours; its own keys, its own rules |
//! | `aud` | names the very resource the token is used at (RFC 8707), or what [`audience`](TrustedIssuer::audience) says |
//! | `exp` | there, a whole number, not reached; `nbf` and `iat` too, with 30 s for the issuer's clock |
//! | `typ` | `at+jwt` (RFC 9068), or a [named profile](TokenProfile) for an issuer that does not send it |
//! | `sub` | there and not empty |
//! | `cnf` | not in a plain bearer token; with feature `dpop`, a proof is checked |
//! | `crit` | not there; no member of header or claims stands twice |
//! | a token of another issuer, or no JWT | left to the next authenticator of an `AnyOf` |
//!
//! An issuer whose keys cannot be had is 503 with `Retry-After`, never 401: clients must not throw their tokens away.
//!
//! # Example
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use mcp_auth_jwt::{Algorithm, JwtAuthenticator, Keys};
//! use mcp_auth_testkit::TokenAuthority;
//! use mcp_core::{Authenticator, ProtectedResource, PublicUrl, RequestHead, SiteContext};
//!
//! let idp = TokenAuthority::start().await?;
//! let key = Keys::pem(idp.public_key_pem(mcp_auth_testkit::Algorithm::Es256))?;
//! let tokens = JwtAuthenticator::keys(idp.issuer(), key).algorithms([Algorithm::ES256]);
//!
//! // What a `Site` does at its start and with each request:
//! let url: PublicUrl = "https://mcp.example.com".parse()?;
//! let (mcp, sse) = (ProtectedResource::new(&url, "/mcp"), ProtectedResource::new(&url, "/sse"));
//! tokens.start(&SiteContext::new(url.clone(), vec![mcp.clone(), sse.clone()])).await?;
//!
//! let token = idp.token().audience("https://mcp.example.com/mcp").scopes("files:read").mint();
//! let request = http::Request::post("/mcp").header("authorization", format!("Bearer {token}"));
//! let (request, ()) = request.body(())?.into_parts();
//! let head = RequestHead::new(&request, &url, "/mcp");
//! let caller = tokens.authenticate(&head, &mcp).await?;
//! assert_eq!(caller.subject().as_str(), "alice");
//! assert!(caller.scopes().has("files:read"));
//! assert_eq!(tokens.authenticate(&head, &sse).await.unwrap_err().status(), 401); // it is for /mcp
//! # Ok(())
//! # }
//! ```
//!
//! With feature `fetch`, one line is enough: `JwtAuthenticator::issuer("https://idp.example.com")` finds the keys by
//! discovery, keeps them fresh and follows their rotation.
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `fetch` | no | `JwtAuthenticator::issuer` and `jwks_url`, `Introspection`; reqwest behind `mcp-outbound` |
//! | `dpop` | no | `Dpop`: tokens bound to a key (RFC 9449) |
//! | `keys-file` | yes | `KeyFile`: API keys in a TOML file that is read again when it changes |
//!
//! # Speed
//!
//! Keys are parsed once, a token's JSON once. A verified token is remembered by its SHA-256 and resource until it ends,
//! its issuer's keys change or five minutes have passed, whichever is first ([`JwtAuthenticator::remember`]);
//! `cargo bench -p mcp-auth-jwt` compares all of it with the JWT library alone.

mod algorithm;
mod api_keys;
pub mod assertion;
mod authenticator;
mod cache;
#[cfg(feature = "dpop")]
mod dpop;
#[cfg(feature = "fetch")]
mod fetch;
#[cfg(feature = "fetch")]
mod introspection;
mod issuer;
mod jws;
mod key_source;
mod keys;
mod profile;
mod rules;
mod shorthand;
mod strict_json;
mod token_issuer;

pub use self::algorithm::Algorithm;
#[cfg(feature = "keys-file")]
#[cfg_attr(docsrs, doc(cfg(feature = "keys-file")))]
pub use self::api_keys::KeyFile;
pub use self::api_keys::{ApiKey, ApiKeys, KeyDirectory, KeyDirectoryError, KeyEntry, KeyList, NewKey};
pub use self::authenticator::JwtAuthenticator;
#[cfg(feature = "dpop")]
#[cfg_attr(docsrs, doc(cfg(feature = "dpop")))]
pub use self::dpop::{Dpop, DpopError, DpopProof, DpopProofs};
#[cfg(feature = "fetch")]
#[cfg_attr(docsrs, doc(cfg(feature = "fetch")))]
pub use self::introspection::{Introspection, IntrospectionDangerous};
pub use self::issuer::TrustedIssuer;
pub use self::keys::Keys;
pub use self::profile::TokenProfile;
pub use self::strict_json::object as strict_json_object;
pub use self::token_issuer::{
    IssuedTokens, MintedToken, RenewingToken, SigningAlgorithm, SigningKey, TokenIssuer, TokenRequest,
};
