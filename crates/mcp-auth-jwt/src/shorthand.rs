//! The setters of an issuer, on the authenticator that was made with it.

use std::time::Duration;

use mcp_core::{Audience, AuthError, IdentityBuilder};
use serde_json::{Map, Value};

use crate::{Algorithm, JwtAuthenticator, TokenProfile, TrustedIssuer};

impl JwtAuthenticator {
    fn first(mut self, change: impl FnOnce(TrustedIssuer) -> TrustedIssuer) -> Self {
        self.first = change(self.first);
        self
    }

    /// One more audience that is meant for this server: [`TrustedIssuer::audience`].
    #[must_use]
    pub fn audience(self, audience: impl Into<Audience>) -> Self {
        self.first(|issuer| issuer.audience(audience))
    }

    /// The algorithms tokens may be signed by: [`TrustedIssuer::algorithms`].
    #[must_use]
    pub fn algorithms(self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.first(|issuer| issuer.algorithms(algorithms))
    }

    /// How far ahead of ours the issuer's clock may be: [`TrustedIssuer::leeway`].
    #[must_use]
    pub fn leeway(self, leeway: Duration) -> Self {
        self.first(|issuer| issuer.leeway(leeway))
    }

    /// The longest life a token may have been given: [`TrustedIssuer::max_lifetime`].
    #[must_use]
    pub fn max_lifetime(self, longest: Duration) -> Self {
        self.first(|issuer| issuer.max_lifetime(longest))
    }

    /// What the issuer's access tokens look like: [`TrustedIssuer::profile`].
    #[must_use]
    pub fn profile(self, profile: TokenProfile) -> Self {
        self.first(|issuer| issuer.profile(profile))
    }

    /// Fills the identity from claims: [`TrustedIssuer::map_claims`].
    #[must_use]
    pub fn map_claims(
        self,
        map: impl Fn(&Map<String, Value>, IdentityBuilder) -> Result<IdentityBuilder, AuthError>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.first(|issuer| issuer.map_claims(map))
    }

    /// How long keys are used while the issuer cannot be reached: [`TrustedIssuer::stale_keys_for`].
    #[cfg(feature = "fetch")]
    #[cfg_attr(docsrs, doc(cfg(feature = "fetch")))]
    #[must_use]
    pub fn stale_keys_for(self, longest: Duration) -> Self {
        self.first(|issuer| issuer.stale_keys_for(longest))
    }
}
