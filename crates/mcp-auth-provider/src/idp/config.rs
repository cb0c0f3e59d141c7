//! What an operator says of an identity provider.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mcp_auth_jwt::assertion::{Expected, IssuerKeys};
use mcp_auth_jwt::{Algorithm, Keys, TrustedIssuer};
use mcp_core::{ClientId, ConfigError, Issuer, Scopes, SiteContext};
use mcp_outbound::HttpClient;
use serde_json::{Map, Value};

use super::assertion::TYPE;
use crate::OAuthProvider;

/// Turns the claims of an assertion into the name of a user.
pub(super) type SubjectMap = Arc<dyn Fn(&Map<String, Value>) -> Option<String> + Send + Sync>;

/// An identity provider that may say of a user that a client acts for them: "enterprise-managed authorization", by identity
/// assertion grants (ID-JAG).
///
/// The company's identity provider decides which of its users may reach this server by which client; nobody is asked for consent
/// here. Its assertions are good once, for the client they name, which has to prove itself, and for resources they name. There is
/// no refresh token: the client gets the next assertion from the provider, and so the provider stays in command.
///
/// ```
/// use std::time::Duration;
/// use mcp_auth_provider::TrustedIdp;
/// use mcp_auth_jwt::{Algorithm, Keys};
///
/// let keys = Keys::jwk(r#"{"kty":"OKP","crv":"Ed25519","kid":"1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#)?;
/// let idp = TrustedIdp::keys("https://idp.example.com", keys)
///     .algorithms([Algorithm::EdDSA])
///     .client("agent")
///     .max_lifetime(Duration::from_secs(600));
/// assert!(format!("{idp:?}").contains("https://idp.example.com"));
/// # Ok::<(), mcp_core::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct TrustedIdp {
    issuer: TrustedIssuer,
    name: Issuer,
    algorithms: Vec<Algorithm>,
    max_lifetime: Duration,
    http: Option<Arc<dyn HttpClient>>,
    /// Whose assertions count; empty for all clients that may use the grant.
    pub(super) clients: Vec<ClientId>,
    pub(super) tenants: Vec<String>,
    pub(super) subject: Option<SubjectMap>,
    /// What an assertion without `scope` allows.
    pub(super) scopes: Scopes,
    /// Whether an assertion may name no resource.
    pub(super) any_resource: bool,
}

const MAX_LIFETIME: Duration = Duration::from_secs(24 * 3600);

impl TrustedIdp {
    fn of(name: Issuer, issuer: TrustedIssuer) -> Self {
        Self {
            issuer,
            name,
            algorithms: Algorithm::ASYMMETRIC.to_vec(),
            max_lifetime: Duration::from_secs(3600),
            http: None,
            clients: Vec::new(),
            tenants: Vec::new(),
            subject: None,
            scopes: Scopes::none(),
            any_resource: false,
        }
    }

    /// One that publishes its metadata, and in it the URL of its keys. `issuer` is compared byte for byte; mind the last slash.
    #[cfg(feature = "fetch")]
    #[cfg_attr(docsrs, doc(cfg(feature = "fetch")))]
    #[must_use]
    pub fn new(issuer: impl Into<Issuer>) -> Self {
        let name = issuer.into();
        Self::of(name.clone(), TrustedIssuer::discover(name))
    }

    /// One whose keys are a JWK set at this URL.
    #[cfg(feature = "fetch")]
    #[cfg_attr(docsrs, doc(cfg(feature = "fetch")))]
    #[must_use]
    pub fn jwks_url(issuer: impl Into<Issuer>, url: impl Into<String>) -> Self {
        let name = issuer.into();
        Self::of(name.clone(), TrustedIssuer::jwks_url(name, url))
    }

    /// One whose public keys are known.
    #[must_use]
    pub fn keys(issuer: impl Into<Issuer>, keys: Keys) -> Self {
        let name = issuer.into();
        Self::of(name.clone(), TrustedIssuer::keys(name, keys))
    }

    /// The algorithms it signs by, and no others. Without: any with a public key.
    #[must_use]
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = algorithms.into_iter().collect();
        self
    }

    /// The longest life, from `iat` to `exp`, an assertion may have been given. An hour unless said.
    #[must_use]
    pub fn max_lifetime(mut self, longest: Duration) -> Self {
        self.max_lifetime = longest;
        self
    }

    /// One of the clients it may speak of. Without any, all that may use the grant.
    #[must_use]
    pub fn client(mut self, client: impl Into<ClientId>) -> Self {
        self.clients.push(client.into());
        self
    }

    /// One of its tenants whose users may come in, where it has several under one issuer (`tenant`). Without any, an assertion
    /// that names a tenant is refused: else the users of everybody's tenants could come in.
    #[must_use]
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenants.push(tenant.into());
        self
    }

    /// Says which user of this server the claims of an assertion mean; `None` refuses it. For servers whose users sign in
    /// otherwise too and are to be the same either way. Choose a claim that is never given to another; an e-mail address is.
    ///
    /// Without, each is a user of their own: `idp:` + issuer + `|` + `sub`, with the tenant between them if there is one.
    #[must_use]
    pub fn subject(
        mut self,
        map: impl Fn(&Map<String, Value>) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.subject = Some(Arc::new(map));
        self
    }

    /// What an assertion without a `scope` allows. Nothing unless said.
    #[must_use]
    pub fn scopes_unless_said(mut self, scopes: impl Into<Scopes>) -> Self {
        self.scopes = scopes.into();
        self
    }

    /// Takes assertions that name no `resource`: they are for the one the client asks for. Without, they are refused.
    #[must_use]
    pub fn without_resource(mut self) -> Self {
        self.any_resource = true;
        self
    }

    /// The client that fetches metadata and keys. Without, one that reaches public https hosts only.
    #[cfg(feature = "fetch")]
    #[cfg_attr(docsrs, doc(cfg(feature = "fetch")))]
    #[must_use]
    pub fn http_client(mut self, client: impl HttpClient) -> Self {
        self.http = Some(Arc::new(client));
        self
    }

    pub(super) fn name(&self) -> &Issuer {
        &self.name
    }

    pub(super) fn max_lifetime_of_assertions(&self) -> Duration {
        self.max_lifetime
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let wrong = |what: &str| {
            Err(ConfigError::new(format!("the identity provider {:?} {what}", self.name.as_str())))
        };
        if self.max_lifetime.is_zero() || self.max_lifetime > MAX_LIFETIME {
            return wrong("may give assertions no life, or one of more than 24 h: change max_lifetime()");
        }
        if self.tenants.iter().any(String::is_empty) {
            return wrong("has a tenant without a name: write its name, or leave tenant() out");
        }
        Ok(())
    }

    /// Its keys, which are never shared secrets.
    pub(super) fn keys_of(&self, site: &SiteContext) -> Result<IssuerKeys, ConfigError> {
        let issuer = self.issuer.clone().algorithms(self.algorithms.iter().copied());
        match &self.http {
            #[cfg(feature = "fetch")]
            Some(client) => IssuerKeys::with_client(&issuer, site, client.clone()),
            _ => IssuerKeys::new(&issuer, site),
        }
    }

    /// What every assertion of it has to say.
    pub(super) fn expected<'a>(&'a self, us: &'a str) -> Expected<'a> {
        Expected::typed(TYPE, self.name.as_str(), us)
            .or_list_of_one()
            .algorithms(self.algorithms.iter().copied())
            .longest(self.max_lifetime)
    }
}

impl fmt::Debug for TrustedIdp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustedIdp")
            .field("name", &self.name)
            .field("algorithms", &self.algorithms)
            .field("clients", &self.clients)
            .field("tenants", &self.tenants)
            .finish_non_exhaustive()
    }
}

impl OAuthProvider {
    /// Takes the word of an identity provider for its users, from clients that may use the grant
    /// `urn:ietf:params:oauth:grant-type:jwt-bearer`. May be said of several.
    #[must_use]
    pub fn trust_issuer(self, idp: TrustedIdp) -> Self {
        self.with_idp(idp)
    }
}
