//! One token for everybody: what a test needs, and no more.

use std::fmt;

use mcp_core::{
    AuthError, AuthMethod, Authenticator, Credential, Identity, Issuer, ProtectedResource, RequestHead,
    ResourceMetadata, async_trait, constant_time_eq,
};

/// Names whoever has the token, and the place where one would be asked for.
const ISSUER: &str = "https://issuer.example.com";

/// Lets in who has the token.
pub(crate) struct StaticToken(String);

impl StaticToken {
    /// The token callers must show.
    pub(crate) fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }
}

#[async_trait]
impl Authenticator for StaticToken {
    async fn authenticate(
        &self,
        request: &RequestHead<'_>,
        _resource: &ProtectedResource,
    ) -> Result<Identity, AuthError> {
        match request.credential()? {
            Credential::Bearer(token) if constant_time_eq(token, &self.0) => {
                let identity = Identity::new(ISSUER, "conformance").client("conformance-suite");
                Ok(identity.method(AuthMethod::ApiKey).build())
            }
            _ => Err(AuthError::invalid_token("the token is unknown")),
        }
    }

    fn metadata(&self, _resource: &ProtectedResource) -> ResourceMetadata {
        ResourceMetadata::issued_by([Issuer::new(ISSUER)])
    }
}

impl fmt::Debug for StaticToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StaticToken(..)")
    }
}
