//! Accepting the tokens of one's own issuer.

use std::fmt;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use mcp_core::{
    AtOnce, AuthError, Authenticator, ConfigError, Identity, ProtectedResource, RequestHead, Route,
    SiteContext,
};

use super::{InUse, TokenIssuer};
use crate::{JwtAuthenticator, Keys, SigningAlgorithm};

/// Accepts the tokens of a [`TokenIssuer`]; see [`TokenIssuer::authenticator`].
///
/// It judges them exactly as [`JwtAuthenticator`] would judge those of a stranger. It names no authorization server in
/// the metadata, since there is none to ask for a token.
pub struct IssuedTokens {
    issuer: TokenIssuer,
    publish_at: Option<String>,
    site: OnceLock<SiteContext>,
    // Made for the keys of one moment.
    verifier: RwLock<Option<(InUse, Arc<JwtAuthenticator>)>>,
}

impl IssuedTokens {
    pub(super) fn new(issuer: TokenIssuer) -> Self {
        Self { issuer, publish_at: None, site: OnceLock::new(), verifier: RwLock::new(None) }
    }

    /// Serves the key set at this path of the site, for others that check the tokens.
    #[must_use]
    pub fn publish_at(mut self, path: &str) -> Self {
        self.publish_at = Some(path.to_owned());
        self
    }

    /// The verifier for these keys, if it was made already.
    fn made_for(&self, in_use: InUse) -> Option<Arc<JwtAuthenticator>> {
        let known = self.verifier.read().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|(of, _)| *of == in_use).map(|(_, verifier)| Arc::clone(verifier))
    }

    async fn verifier(&self, site: &SiteContext) -> Result<Arc<JwtAuthenticator>, ConfigError> {
        // Read before the keys: should they change in between, this verifier is taken for one of the older ones.
        let in_use = self.issuer.in_use();
        if let Some(verifier) = self.made_for(in_use) {
            return Ok(verifier);
        }
        let keys = Keys::jwks(self.issuer.jwks().to_string())?;
        let algorithms = [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa, SigningAlgorithm::Rs256];
        let verifier = JwtAuthenticator::keys(self.issuer.name().clone(), keys)
            .algorithms(algorithms.map(SigningAlgorithm::algorithm))
            .max_lifetime(self.issuer.0.longest);
        verifier.start(site).await?;
        let verifier = Arc::new(verifier);
        let mut known = self.verifier.write().unwrap_or_else(PoisonError::into_inner);
        *known = Some((in_use, Arc::clone(&verifier)));
        Ok(verifier)
    }

    async fn ready(&self) -> Result<Arc<JwtAuthenticator>, AuthError> {
        let unavailable = |why: String| AuthError::unavailable(Duration::from_secs(5)).log(why);
        match self.site.get() {
            Some(site) => self.verifier(site).await.map_err(|error| unavailable(error.to_string())),
            None => Err(unavailable("IssuedTokens was asked before start() was called".to_owned())),
        }
    }
}

#[async_trait]
impl Authenticator for IssuedTokens {
    async fn start(&self, site: &SiteContext) -> Result<(), ConfigError> {
        // What was set before stays: the issuer may serve several sites.
        let _ = self.issuer.0.clock.set(Arc::clone(site.clock()));
        let _ = self.issuer.0.audit.set(site.audit().clone());
        let _ = self.site.set(site.clone());
        self.verifier(site).await.map(drop)
    }

    async fn authenticate(
        &self,
        request: &RequestHead<'_>,
        resource: &ProtectedResource,
    ) -> Result<Identity, AuthError> {
        self.ready().await?.authenticate(request, resource).await
    }

    fn authenticate_now(&self, request: &RequestHead<'_>, resource: &ProtectedResource) -> AtOnce {
        match self.made_for(self.issuer.in_use()) {
            Some(verifier) => verifier.authenticate_now(request, resource),
            None => AtOnce::Ask,
        }
    }

    fn routes(&self) -> Vec<Route> {
        self.publish_at.iter().map(|path| self.issuer.route(path)).collect()
    }

    async fn still_valid(&self, identity: &Identity) -> Result<(), AuthError> {
        self.ready().await?.still_valid(identity).await
    }
}

impl fmt::Debug for IssuedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedTokens").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}
