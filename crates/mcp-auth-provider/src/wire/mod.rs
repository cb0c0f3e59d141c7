//! What goes over the wire, without I/O: parameters, errors, tokens as text, PKCE.

mod error;
mod jwt;
mod params;
mod pkce;
mod token_text;

pub(crate) use error::{OAuthError, no_store_json};
pub(crate) use jwt::UnverifiedJwt;
pub(crate) use params::{Params, TOO_LONG};
pub(crate) use pkce::{CodeChallenge, PkceVerified};
pub(crate) use token_text::{TokenKind, TokenText, record_name};
