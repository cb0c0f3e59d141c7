//! An authority and a token for trying a server out, in one call and without a word on the terminal.
//!
//! ```
//! use mcp_auth_testkit::Demo;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
//! let demo = Demo::start("http://127.0.0.1:8000/mcp", "echo").await?;
//! assert!(demo.issuer().starts_with("http://127.0.0.1:"));
//! assert_eq!(demo.token().split('.').count(), 3);
//! # Ok(()) }
//! ```

use std::io;
use std::time::Duration;

use crate::TokenAuthority;

/// A running authority and a token it has issued: what an example starts when nothing was configured.
///
/// It is for trying out and nothing else: everybody on the machine could ask for its keys, and its tokens are made by
/// whoever holds this value. It stops when it is dropped.
#[derive(Debug)]
pub struct Demo {
    authority: TokenAuthority,
    token: String,
}

impl Demo {
    /// Starts an authority and issues a token for `audience` with these scopes, good for an hour.
    ///
    /// # Errors
    /// When the system has no port to give.
    pub async fn start(audience: &str, scopes: &str) -> io::Result<Self> {
        let authority = TokenAuthority::start().await?;
        let token = authority
            .token()
            .subject("demo-user")
            .client("demo-client")
            .audience(audience)
            .scopes(scopes)
            .expires_in(Duration::from_secs(3600))
            .mint();
        Ok(Self { authority, token })
    }

    /// The issuer of the token.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.authority.issuer()
    }

    /// The token. A demo shows it on the terminal; a real one never is.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The authority, for more tokens.
    #[must_use]
    pub fn authority(&self) -> &TokenAuthority {
        &self.authority
    }
}
