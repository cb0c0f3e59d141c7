//! The keys of an issuer that vouches for others.

use std::fmt;
use std::sync::Arc;

use mcp_core::{AuthError, Clock, ConfigError, Issuer, SiteContext};

use super::{PlausibleAssertion, VerifiedAssertion};
use crate::TrustedIssuer;
use crate::jws::Signed;
use crate::key_source::KeySource;
use crate::rules::Rules;

/// The keys of one issuer, kept fresh where they are fetched.
///
/// Of the [`TrustedIssuer`], what is about tokens (audience, profile, mapping, lifetimes) plays no part here.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use mcp_auth_jwt::assertion::{Expected, IssuerKeys, UnverifiedAssertion};
/// use mcp_auth_jwt::{Keys, TrustedIssuer};
/// use mcp_auth_testkit::TokenAuthority;
/// use mcp_core::{Clock, SiteContext, SystemClock};
///
/// let idp = TokenAuthority::start().await?;
/// let issuer = TrustedIssuer::keys(idp.issuer(), Keys::jwks(idp.jwks().to_string())?);
/// let us = "https://mcp.example.com";
/// let keys = IssuerKeys::new(&issuer, &SiteContext::new(us.parse()?, vec![]))?;
/// keys.start().await?;
///
/// let typ = "oauth-id-jag+jwt";
/// let text = idp.token().audience(us).typ(typ).mint();
/// let unverified = UnverifiedAssertion::read(&text)?;
/// assert_eq!(unverified.issuer(), Some(keys.issuer().as_str())); // so these keys are the ones to ask
/// let plausible = unverified.check(&Expected::typed(typ, idp.issuer(), us), SystemClock.now())?;
/// assert_eq!(keys.verify(&plausible).await?.claims()["sub"], "alice");
/// # Ok(())
/// # }
/// ```
pub struct IssuerKeys {
    rules: Rules,
    keys: KeySource,
    clock: Arc<dyn Clock>,
}

impl IssuerKeys {
    /// The keys of an issuer, fetched by a client that reaches public https hosts only, if they are fetched.
    ///
    /// # Errors
    /// When the set-up cannot be safe, or is one of shared secrets.
    pub fn new(issuer: &TrustedIssuer, site: &SiteContext) -> Result<Self, ConfigError> {
        let rules = Self::rules(issuer)?;
        #[cfg(feature = "fetch")]
        let keys = KeySource::new(issuer, &rules, site, &mut None)?;
        #[cfg(not(feature = "fetch"))]
        let keys = KeySource::new(issuer, &rules)?;
        Ok(Self { rules, keys, clock: Arc::clone(site.clock()) })
    }

    /// The same, fetched by this client.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    #[cfg(feature = "fetch")]
    #[cfg_attr(docsrs, doc(cfg(feature = "fetch")))]
    pub fn with_client(
        issuer: &TrustedIssuer,
        site: &SiteContext,
        client: Arc<dyn mcp_outbound::HttpClient>,
    ) -> Result<Self, ConfigError> {
        let rules = Self::rules(issuer)?;
        let keys = KeySource::new(issuer, &rules, site, &mut Some(client))?;
        Ok(Self { rules, keys, clock: Arc::clone(site.clock()) })
    }

    fn rules(issuer: &TrustedIssuer) -> Result<Rules, ConfigError> {
        let rules = issuer.rules()?;
        if rules.algorithms.iter().any(|algorithm| algorithm.is_symmetric()) {
            return Err(ConfigError::new(format!(
                "the issuer {:?} has a shared secret: what it vouches for to others must be signed by a key of its own",
                rules.issuer.as_str()
            )));
        }
        Ok(rules)
    }

    /// Fetches keys for the first time, where they are fetched, and keeps refreshing them for as long as this lives.
    ///
    /// # Errors
    /// When the issuer answers wrongly. One that cannot be reached is waited for.
    #[cfg_attr(
        not(feature = "fetch"),
        expect(clippy::unused_async, reason = "where keys are fetched, it waits")
    )]
    pub async fn start(&self) -> Result<(), ConfigError> {
        match &self.keys {
            KeySource::Fixed(_) => Ok(()),
            #[cfg(feature = "fetch")]
            KeySource::Remote(keys) => keys.start().await,
        }
    }

    /// Whose they are.
    #[must_use]
    pub fn issuer(&self) -> &Issuer {
        &self.rules.issuer
    }

    /// Checks the signature of an assertion by the issuer's keys. One that names no key is believed only where there is but
    /// one.
    ///
    /// # Errors
    /// An invalid token where the signature is none of the issuer's, or by an algorithm it is not allowed; unavailable when the
    /// keys cannot be had at the moment.
    ///
    /// # Cancel safety
    /// A fetch that was begun goes on without the caller.
    pub async fn verify(&self, assertion: &PlausibleAssertion<'_>) -> Result<VerifiedAssertion, AuthError> {
        let signed = Signed::of(&assertion.assertion.jws, &self.rules.algorithms)?;
        self.keys.verify(&signed, self.clock.now()).await?;
        if signed.key_id.is_none() && self.keys.count() != 1 {
            return Err(AuthError::invalid_token(
                "the token does not say which of the issuer's keys signed it",
            ));
        }
        let claims = assertion.assertion.jws.claims.clone();
        Ok(VerifiedAssertion { claims, expires_at: assertion.expires_at })
    }
}

impl fmt::Debug for IssuerKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuerKeys").field("issuer", &self.rules.issuer).finish_non_exhaustive()
    }
}
