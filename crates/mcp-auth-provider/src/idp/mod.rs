//! Other identity providers whose word counts here: identity assertion grants, ID-JAG (spec EXT-EMA).

mod assertion;
mod config;

use std::fmt;

use mcp_auth_jwt::assertion::{IssuerKeys, UnverifiedAssertion};
use mcp_core::{AuthErrorKind, ClientId, ConfigError, Issuer, SiteContext, Timestamp};

pub use config::TrustedIdp;

pub(crate) use assertion::{Asserted, TYPE};

use crate::wire::OAuthError;

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Idps(Vec<Idp>);

/// One of them, its keys at hand.
pub(crate) struct Idp {
    pub(crate) config: TrustedIdp,
    keys: IssuerKeys,
}

impl Idps {
    /// Checks the configuration and fetches keys for the first time.
    pub(crate) async fn start(configs: &[TrustedIdp], site: &SiteContext) -> Result<Self, ConfigError> {
        let mut idps: Vec<Idp> = Vec::new();
        for config in configs {
            config.check()?;
            let name = config.name();
            if idps.iter().any(|other| other.config.name() == name) {
                return Err(ConfigError::new(format!(
                    "the identity provider {:?} is trusted twice: say all about it in one TrustedIdp",
                    name.as_str()
                )));
            }
            if name.as_str() == site.url().as_str() {
                return Err(ConfigError::new("a server cannot be its own identity provider: leave it out"));
            }
            let keys = config.keys_of(site)?;
            idps.push(Idp { config: config.clone(), keys });
        }
        for idp in &idps {
            idp.keys.start().await?;
        }
        Ok(Self(idps))
    }

    /// Whether nobody's assertions are taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The one with this name, byte for byte. For any other, nothing is asked of anybody (attack EM02).
    fn named(&self, issuer: &str) -> Option<&Idp> {
        self.0.iter().find(|idp| idp.config.name().as_str() == issuer)
    }

    /// What an assertion says, if a trusted identity provider says it, of this client, to us, now. That it is said once is for
    /// the caller to see to.
    ///
    /// # Errors
    /// 400 `invalid_grant`; 503 when the provider's keys cannot be had.
    pub(crate) async fn judge(
        &self,
        text: &str,
        us: &Issuer,
        client: &ClientId,
        now: Timestamp,
    ) -> Result<Asserted, OAuthError> {
        let refused = OAuthError::invalid_grant;
        let unverified = UnverifiedAssertion::read(text).map_err(|error| refused(error.reason()))?;
        let idp = unverified.issuer().and_then(|issuer| self.named(issuer));
        let idp = idp.ok_or_else(|| refused("the assertion is by nobody who is trusted here"))?;
        let expected = idp.config.expected(us.as_str());
        let plausible = unverified.check(&expected, now).map_err(|error| refused(error.reason()))?;
        let verified = idp.keys.verify(&plausible).await.map_err(|error| match error.kind() {
            AuthErrorKind::Unavailable(wait) | AuthErrorKind::TooMany(wait) => OAuthError::unavailable(*wait),
            _ => refused("the signature of the assertion is none of its issuer's"),
        })?;
        assertion::judge(&idp.config, verified.claims(), client, now).map_err(refused)
    }
}

impl fmt::Debug for Idp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.config.fmt(f)
    }
}
