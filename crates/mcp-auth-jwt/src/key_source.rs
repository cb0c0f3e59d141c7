//! Where the keys of an issuer come from, and what they say of a signature.

use mcp_core::{AuthError, Clock, ConfigError, Timestamp};

#[cfg(feature = "fetch")]
use std::sync::Arc;

#[cfg(feature = "fetch")]
use mcp_core::SiteContext;

use crate::TrustedIssuer;
#[cfg(feature = "fetch")]
use crate::fetch::RemoteKeys;
use crate::issuer::Source;
use crate::jws::Signed;
use crate::keys::{Fingerprint, KeySet, Verdict};
use crate::rules::Rules;

/// The keys of one issuer.
pub(crate) enum KeySource {
    Fixed(KeySet),
    #[cfg(feature = "fetch")]
    Remote(RemoteKeys),
}

#[cfg_attr(
    not(feature = "fetch"),
    expect(unused_variables, reason = "keys that are not fetched have no age")
)]
impl KeySource {
    /// The keys of an issuer. `client` is made when it is needed first.
    #[cfg(feature = "fetch")]
    pub(crate) fn new(
        issuer: &TrustedIssuer,
        rules: &Rules,
        site: &SiteContext,
        client: &mut Option<Arc<dyn mcp_outbound::HttpClient>>,
    ) -> Result<Self, ConfigError> {
        if let Source::Fixed(keys) = &issuer.source {
            return Ok(Self::Fixed(issuer.fixed_keys(keys, rules)?));
        }
        let client = match client {
            Some(client) => Arc::clone(client),
            None => Arc::clone(client.insert(crate::fetch::default_client()?)),
        };
        Ok(Self::Remote(RemoteKeys::new(issuer, rules, client, site)?))
    }

    /// The keys of an issuer.
    #[cfg(not(feature = "fetch"))]
    pub(crate) fn new(issuer: &TrustedIssuer, rules: &Rules) -> Result<Self, ConfigError> {
        let Source::Fixed(keys) = &issuer.source;
        Ok(Self::Fixed(issuer.fixed_keys(keys, rules)?))
    }

    /// How many keys there are.
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Fixed(keys) => keys.len(),
            #[cfg(feature = "fetch")]
            Self::Remote(keys) => keys.count(),
        }
    }

    /// Which edition of the keys would verify a token now; none while there are no usable ones.
    pub(crate) fn edition(&self, now: Timestamp) -> Option<u64> {
        match self {
            Self::Fixed(_) => Some(0),
            #[cfg(feature = "fetch")]
            Self::Remote(keys) => keys.edition(now),
        }
    }

    pub(crate) async fn verify(
        &self,
        token: &Signed<'_>,
        now: Timestamp,
    ) -> Result<(Fingerprint, u64), AuthError> {
        match self {
            Self::Fixed(keys) => {
                let id = token.key_id.as_deref();
                match keys.verify(token.algorithm, id, token.message, &token.signature) {
                    Verdict::Good(key) => Ok((key, 0)),
                    Verdict::Bad => Err(bad_signature()),
                    Verdict::Unknown => Err(unknown_key()),
                }
            }
            #[cfg(feature = "fetch")]
            Self::Remote(keys) => keys.verify(token, now).await,
        }
    }

    pub(crate) fn still_has(&self, key: &Fingerprint, clock: &dyn Clock) -> Result<(), AuthError> {
        let has = match self {
            Self::Fixed(keys) => keys.has(key),
            #[cfg(feature = "fetch")]
            Self::Remote(keys) => keys.still_has(key, clock.now())?,
        };
        if has {
            Ok(())
        } else {
            Err(AuthError::invalid_token("the key that signed the token was withdrawn"))
        }
    }
}

pub(crate) fn bad_signature() -> AuthError {
    AuthError::invalid_token("the token's signature is wrong")
}

pub(crate) fn unknown_key() -> AuthError {
    AuthError::invalid_token("the token is signed by an unknown key")
}
