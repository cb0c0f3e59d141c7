//! The operator's hand on a running server: which grants there are, their end, the signing keys.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use mcp_auth_provider::{async_trait, BrowserRequest, SignIn, SignInRoute, SignInState, Step};
//! # #[derive(Debug)] struct MySignIn;
//! # #[async_trait] impl SignIn for MySignIn {
//! #     fn routes(&self) -> Vec<SignInRoute> { Vec::new() }
//! #     async fn step(&self, _: &mut SignInState, _: BrowserRequest) -> Step { Step::Unavailable }
//! # }
//! # let mcp = mcp_core::BoxService::from_fn(|_| async { http::Response::new(mcp_core::Body::from("mcp")) });
//! use mcp_auth_provider::OAuthProvider;
//! use mcp_core::Site;
//! use mcp_store::MemoryStore;
//!
//! let provider = OAuthProvider::new(MySignIn).store(MemoryStore::new());
//! let site = Site::new("http://127.0.0.1:8000").resource("/mcp", mcp).auth(provider.clone()).build().await?;
//!
//! // Whoever does it stands in the audit trail beside what was done.
//! let operator = provider.operator("admin@example.com")?;
//! assert_eq!(operator.end_grants_of_user("ada").await?, 0);
//! assert!(operator.grants_of_user("ada", None).await?.grants.is_empty());
//! # drop(site);
//! # Ok(())
//! # }
//! ```

mod browsers;
mod error;
mod grants;
mod purge;
mod signing_keys;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use mcp_core::audit::Outcome;

use crate::OAuthProvider;
use crate::engine::Engine;

pub use error::OperatorError;
pub use grants::GrantPage;
pub use purge::Purged;

/// What an operator can do to a running server. Everything that changes something is audited under the operator's name.
#[derive(Clone)]
pub struct Operator {
    engine: Arc<Engine>,
    name: String,
}

impl OAuthProvider {
    /// The operator's hand on this server, for the person or program of this name.
    ///
    /// # Errors
    /// When the server does not run: its site was not built yet.
    pub fn operator(&self, name: impl Into<String>) -> Result<Operator, OperatorError> {
        let engine = self.engine().ok_or_else(OperatorError::not_running)?.clone();
        Ok(Operator { engine, name: name.into() })
    }
}

impl Operator {
    /// Notes down what was done, to whom and by whom.
    fn record(&self, kind: &'static str, subject: Option<&str>, client: Option<&str>, what: String) {
        let mut event = self.engine.event(kind, Outcome::Allowed);
        event.subject = subject.map(str::to_owned);
        event.client = client.map(str::to_owned);
        self.engine.audit.record(event.doing(what).because(format!("by the operator {:?}", self.name)));
    }
}

impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operator").field("name", &self.name).finish_non_exhaustive()
    }
}
