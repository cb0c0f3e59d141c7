//! A token that never runs out.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use mcp_core::ConfigError;

use super::{MintedToken, TokenIssuer, TokenRequest};

/// A token for a client of one's own, made anew whenever it nears its end; see [`TokenIssuer::renewing`].
///
/// A token is renewed when a third of its life is left, so that a request that takes a while does not outlive it, and as
/// soon as the issuer's keys have changed.
///
/// ```
/// use mcp_auth_jwt::{TokenIssuer, TokenRequest};
///
/// let issuer = TokenIssuer::generate("https://mcp.example.com")?;
/// let token = issuer.renewing(TokenRequest::new("job", "https://mcp.example.com/mcp"));
/// assert_eq!(token.get()?, token.get()?); // the same while it is fresh
/// # Ok::<(), mcp_core::ConfigError>(())
/// ```
pub struct RenewingToken {
    issuer: TokenIssuer,
    request: TokenRequest,
    current: Mutex<Option<(MintedToken, u64)>>,
}

impl RenewingToken {
    pub(super) fn new(issuer: TokenIssuer, request: TokenRequest) -> Self {
        Self { issuer, request, current: Mutex::new(None) }
    }

    /// A token that is good for at least a third of its life. A secret: send it, do not keep it.
    ///
    /// # Errors
    /// As [`TokenIssuer::mint`].
    pub fn get(&self) -> Result<String, ConfigError> {
        let edition = self.issuer.ring().edition;
        let now = self.issuer.now();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((token, made_in)) = &*current
            && *made_in == edition
            && token.expires_at().since(now) > self.request.lifetime / 3
            // A clock that was set back would otherwise keep an old token for good.
            && token.expires_at().since(now) <= self.request.lifetime
        {
            return Ok(token.expose().to_owned());
        }
        let token = self.issuer.mint(&self.request)?;
        let text = token.expose().to_owned();
        *current = Some((token, edition));
        Ok(text)
    }
}

impl fmt::Debug for RenewingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RenewingToken").field("request", &self.request).finish_non_exhaustive()
    }
}
