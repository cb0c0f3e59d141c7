//! Several authenticators as one: an API key *or* a JWT *or* our own token.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use mcp_core::{async_trait, AnyOf, AuthError, Authenticator, Credential, Identity};
//! use mcp_core::{ProtectedResource, RequestHead};
//!
//! #[derive(Debug)]
//! struct Prefixed(&'static str);
//!
//! #[async_trait]
//! impl Authenticator for Prefixed {
//!     async fn authenticate(&self, r: &RequestHead<'_>, _: &ProtectedResource) -> Result<Identity, AuthError> {
//!         match r.credential()? {
//!             Credential::Bearer(token) if token.starts_with(self.0) => Ok(Identity::new(self.0, "x").build()),
//!             _ => Err(AuthError::not_mine()),
//!         }
//!     }
//! }
//!
//! let either = AnyOf::new().or(Prefixed("key_")).or(Prefixed("tok_"));
//! let site = "https://mcp.example.com".parse()?;
//! let resource = ProtectedResource::new(&site, "/mcp");
//! let (parts, ()) = http::Request::get("/mcp").header("authorization", "Bearer tok_1").body(())?.into_parts();
//! let head = RequestHead::new(&parts, &site, "/mcp");
//! assert_eq!(either.authenticate(&head, &resource).await.unwrap().issuer().as_str(), "tok_");
//! # Ok(())
//! # }
//! ```

use std::collections::HashSet;

use async_trait::async_trait;
use http::HeaderName;

use crate::{
    AtOnce, AuthError, AuthErrorKind, Authenticator, ConfigError, Identity, ProtectedResource, RequestHead,
    ResourceMetadata, Route, SiteContext,
};

/// Tries authenticators in order; the first that knows the credential decides, and its refusal is final.
///
/// One that cannot tell at the moment leaves the credential to the others. If none of them accepts it, the answer is
/// that we cannot tell, not that it is bad.
///
/// A known credential is let in without waiting if all members before the one that knows it can say at once that it is not
/// theirs ([`AtOnce::NotMine`]). Members that cannot are best put last, unless theirs is the word that must be heard first.
#[derive(Debug, Default)]
pub struct AnyOf(Vec<Box<dyn Authenticator>>);

impl AnyOf {
    /// A composition of none, which a start refuses.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    #[must_use]
    pub fn or(mut self, authenticator: impl Authenticator) -> Self {
        self.0.push(Box::new(authenticator));
        self
    }
}

#[async_trait]
impl Authenticator for AnyOf {
    async fn start(&self, site: &SiteContext) -> Result<(), ConfigError> {
        if self.0.is_empty() {
            return Err(ConfigError::new(
                "AnyOf has no authenticator, so nobody could come in: add one with .or(…)",
            ));
        }
        if self.0.len() > 255 {
            return Err(ConfigError::new("AnyOf takes at most 255 authenticators"));
        }
        let mut paths = HashSet::new();
        for member in &self.0 {
            if self.0.len() > 1 && site.resources().iter().any(|resource| member.metadata(resource).open) {
                return Err(ConfigError::new(
                    "AnyOf with NoAuth among several lets everybody in: use NoAuth alone, or allow named calls with \
                     Policy::allow_anonymous_tool",
                ));
            }
            for route in member.routes() {
                if !paths.insert((route.path().to_owned(), route.is_at_origin())) {
                    return Err(ConfigError::new(format!(
                        "two authenticators of AnyOf bring a route {}: move one of them",
                        route.path()
                    )));
                }
            }
            member.start(site).await?;
        }
        Ok(())
    }

    async fn authenticate(
        &self,
        request: &RequestHead<'_>,
        resource: &ProtectedResource,
    ) -> Result<Identity, AuthError> {
        let mut answer = AuthError::missing();
        let mut doubt = None;
        for (place, member) in self.0.iter().enumerate() {
            match member.authenticate(request, resource).await {
                Ok(identity) => return Ok(identity.let_in_by(place)),
                Err(error) => match error.kind() {
                    AuthErrorKind::Missing => {}
                    AuthErrorKind::NotMine => answer = error,
                    AuthErrorKind::Unavailable(_) => doubt = doubt.or(Some(error)),
                    AuthErrorKind::InvalidToken => return Err(doubt.unwrap_or(error)),
                    _ => return Err(error),
                },
            }
        }
        Err(doubt.unwrap_or(answer))
    }

    fn authenticate_now(&self, request: &RequestHead<'_>, resource: &ProtectedResource) -> AtOnce {
        for (place, member) in self.0.iter().enumerate() {
            match member.authenticate_now(request, resource) {
                AtOnce::Known(identity) => return AtOnce::Known(identity.let_in_by(place)),
                AtOnce::NotMine => {}
                // It may refuse, and its refusal is final: what a later member remembers must not overrule it.
                AtOnce::Ask => return AtOnce::Ask,
            }
        }
        AtOnce::NotMine
    }

    fn metadata(&self, resource: &ProtectedResource) -> ResourceMetadata {
        let mut members = self.0.iter().map(|member| member.metadata(resource));
        let first = members.next().unwrap_or_default();
        members.fold(first, ResourceMetadata::or)
    }

    fn routes(&self) -> Vec<Route> {
        self.0.iter().flat_map(|member| member.routes()).collect()
    }

    fn credential_headers(&self) -> Vec<HeaderName> {
        self.0.iter().flat_map(|member| member.credential_headers()).collect()
    }

    async fn still_valid(&self, identity: &Identity) -> Result<(), AuthError> {
        match identity.entrance().and_then(|(place, inner)| Some((self.0.get(place)?, inner))) {
            Some((member, inner)) => member.still_valid(&inner).await,
            None => Err(AuthError::invalid_token("the credential was accepted by nobody here")),
        }
    }
}
