//! How a provider is told of the device grant.

use crate::OAuthProvider;

impl OAuthProvider {
    /// Lets clients without a browser ask for access by a code that their user types in elsewhere (RFC 8628): those that
    /// registered for the grant `urn:ietf:params:oauth:grant-type:device_code`.
    ///
    /// Off unless asked for, because it can be turned against users: somebody who begins it and talks a user into typing the code
    /// gets that user's access (RFC 8628 §5.4). The page warns of it and always asks, even where
    /// [consent is skipped](crate::ProviderDangerous::skip_consent); what it cannot do is see both ends.
    #[must_use]
    pub fn device_grant(self) -> Self {
        self.with_device_grant()
    }
}
