//! One issuer, and what is expected of its tokens.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mcp_core::{Audience, AuthError, ConfigError, IdentityBuilder, Issuer};
use serde_json::{Map, Value};

use crate::keys::{KeySet, Keys};
use crate::rules::Rules;
use crate::{Algorithm, TokenProfile};

/// Turns claims into what an identity carries beside them.
pub(crate) type ClaimMapper =
    Arc<dyn Fn(&Map<String, Value>, IdentityBuilder) -> Result<IdentityBuilder, AuthError> + Send + Sync>;

/// An issuer whose tokens are accepted: its name, where its keys are, and what its tokens must look like.
///
/// One alone is written at [`JwtAuthenticator`](crate::JwtAuthenticator) directly; several are joined by
/// [`JwtAuthenticator::and`](crate::JwtAuthenticator::and), each with its own keys and rules, so that none can speak for
/// another.
///
/// ```
/// use mcp_auth_jwt::{Algorithm, JwtAuthenticator, Keys, TokenProfile, TrustedIssuer};
/// use mcp_core::SecretKey;
///
/// let jobs = TrustedIssuer::keys("urn:example:jobs", Keys::shared_secret(SecretKey::random()))
///     .profile(TokenProfile::Untyped)
///     .audience("jobs");
/// let people = TrustedIssuer::keys("https://idp.example.com", Keys::jwk(
///     r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
/// )?)
/// .algorithms([Algorithm::EdDSA]);
/// let tokens = JwtAuthenticator::new(people).and(jobs);
/// # drop(tokens);
/// # Ok::<(), mcp_core::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct TrustedIssuer {
    pub(crate) name: Issuer,
    pub(crate) source: Source,
    algorithms: Option<Vec<Algorithm>>,
    audiences: Vec<Audience>,
    leeway: Duration,
    max_lifetime: Option<Duration>,
    profile: TokenProfile,
    map: Option<ClaimMapper>,
    #[cfg(feature = "fetch")]
    pub(crate) stale_keys: Duration,
}

#[derive(Clone)]
pub(crate) enum Source {
    Fixed(Keys),
    #[cfg(feature = "fetch")]
    Discovery,
    #[cfg(feature = "fetch")]
    Jwks(String),
}

impl TrustedIssuer {
    fn new(name: impl Into<Issuer>, source: Source) -> Self {
        Self {
            name: name.into(),
            source,
            algorithms: None,
            audiences: Vec::new(),
            leeway: Duration::from_secs(30),
            max_lifetime: None,
            profile: TokenProfile::default(),
            map: None,
            #[cfg(feature = "fetch")]
            stale_keys: Duration::from_secs(24 * 60 * 60),
        }
    }

    /// An issuer that publishes its metadata (RFC 8414, OpenID Connect Discovery), and in it the URL of its keys.
    ///
    /// `issuer` is compared byte for byte with the metadata's `issuer` and the tokens' `iss`; mind the last slash.
    #[cfg(feature = "fetch")]
    #[cfg_attr(docsrs, doc(cfg(feature = "fetch")))]
    #[must_use]
    pub fn discover(issuer: impl Into<Issuer>) -> Self {
        Self::new(issuer, Source::Discovery)
    }

    /// An issuer whose keys are a JWK set at this URL.
    #[cfg(feature = "fetch")]
    #[cfg_attr(docsrs, doc(cfg(feature = "fetch")))]
    #[must_use]
    pub fn jwks_url(issuer: impl Into<Issuer>, url: impl Into<String>) -> Self {
        Self::new(issuer, Source::Jwks(url.into()))
    }

    /// An issuer whose keys are known.
    #[must_use]
    pub fn keys(issuer: impl Into<Issuer>, keys: Keys) -> Self {
        Self::new(issuer, Source::Fixed(keys))
    }

    /// One more audience that is meant for this server. Without any, a token must name the resource it is used at, as
    /// RFC 8707 and MCP have it: a token for `/mcp` is no good at `/sse`.
    ///
    /// With one, a token that names it is good at every resource. It is for issuers that do not know resource
    /// indicators and put a fixed name there.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<Audience>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// The algorithms tokens may be signed by, and no others. Without: [`Algorithm::ASYMMETRIC`], or HS256 with a
    /// shared secret.
    #[must_use]
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = Some(algorithms.into_iter().collect());
        self
    }

    /// How far ahead of ours the issuer's clock may be: for `nbf` and `iat`. 30 s unless said, 60 s at most. `exp` is
    /// taken at its word.
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// The longest life, from `iat` to `exp`, a token may have been given; from now where it has no `iat`. 60 minutes
    /// for shared secrets unless said, since such tokens cannot be withdrawn; any otherwise.
    #[must_use]
    pub fn max_lifetime(mut self, longest: Duration) -> Self {
        self.max_lifetime = Some(longest);
        self
    }

    /// What the issuer's access tokens look like. RFC 9068 unless said.
    #[must_use]
    pub fn profile(mut self, profile: TokenProfile) -> Self {
        self.profile = profile;
        self
    }

    /// Fills the identity from claims. Called for each verified token, with an identity that has everything the claims
    /// say already; the error refuses the token.
    ///
    /// ```
    /// # use mcp_auth_jwt::{Keys, TrustedIssuer};
    /// # use mcp_core::{AuthError, Scopes, SecretKey};
    /// # let keys = Keys::shared_secret(SecretKey::random());
    /// // Auth0 puts what a user may do into `permissions`, and only staff may come in.
    /// TrustedIssuer::keys("https://tenant.eu.auth0.com/", keys).map_claims(|claims, identity| {
    ///     if claims.get("https://example.com/staff") != Some(&true.into()) {
    ///         return Err(AuthError::forbidden("only staff may use this server"));
    ///     }
    ///     let permissions = claims.get("permissions").and_then(|list| list.as_array());
    ///     let permissions: Vec<_> = permissions.into_iter().flatten().filter_map(|one| one.as_str()).collect();
    ///     Ok(identity.scopes(Scopes::parse(&permissions.join(" "))))
    /// });
    /// ```
    #[must_use]
    pub fn map_claims(
        mut self,
        map: impl Fn(&Map<String, Value>, IdentityBuilder) -> Result<IdentityBuilder, AuthError>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.map = Some(Arc::new(map));
        self
    }

    /// How long keys are used beyond the time the issuer gave them while it cannot be reached. 24 hours unless said,
    /// 7 days at most; zero: not at all. After that, requests are answered 503 until it can be reached again.
    #[cfg(feature = "fetch")]
    #[cfg_attr(docsrs, doc(cfg(feature = "fetch")))]
    #[must_use]
    pub fn stale_keys_for(mut self, longest: Duration) -> Self {
        self.stale_keys = longest;
        self
    }

    /// The rules, if this set-up can be safe.
    pub(crate) fn rules(&self) -> Result<Rules, ConfigError> {
        let name = &self.name;
        let wrong = |what: &str| Err(ConfigError::new(format!("the issuer {:?} {what}", name.as_str())));
        if name.as_str().trim().is_empty() {
            return Err(ConfigError::new("an issuer has no name: write the value its tokens have in iss"));
        }
        if self.audiences.iter().any(|one| one.as_str().trim().is_empty()) {
            return wrong(
                "has an empty audience: write the value its tokens have in aud, or leave audience() out",
            );
        }
        if self.leeway > MAX_LEEWAY {
            return wrong("has a leeway of more than 60 s: set the clocks, for example by NTP");
        }
        if self.max_lifetime.is_some_and(|longest| longest.is_zero()) {
            return wrong(
                "allows tokens no lifetime: write how long they may live, or leave max_lifetime() out",
            );
        }
        let secret = match &self.source {
            Source::Fixed(keys) => match keys.are_secret() {
                Some(secret) => secret,
                None => {
                    return wrong(
                        "has a shared secret beside public keys: whoever knows a public key could sign with it as the \
                         secret; make two issuers of them",
                    );
                }
            },
            #[cfg(feature = "fetch")]
            Source::Discovery | Source::Jwks(_) => false,
        };
        let algorithms = match (&self.algorithms, secret) {
            (None, true) => vec![Algorithm::HS256],
            (None, false) => Algorithm::ASYMMETRIC.to_vec(),
            (Some(list), _) => list.clone(),
        };
        if algorithms.is_empty() {
            return wrong(
                "allows no algorithm: name those its tokens are signed by, or leave algorithms() out",
            );
        }
        if algorithms.iter().any(|algorithm| algorithm.is_symmetric() != secret) {
            return wrong(if secret {
                "has a shared secret and allows algorithms of public keys: name only HS256, HS384 or HS512"
            } else {
                "has public keys and allows HS256, HS384 or HS512: whoever knows the public key could sign with it as \
                 the secret; leave these out"
            });
        }
        Ok(Rules {
            issuer: name.clone(),
            algorithms,
            audiences: self.audiences.clone(),
            leeway: self.leeway,
            max_lifetime: self.max_lifetime.or(secret.then_some(SECRET_LIFETIME)),
            profile: self.profile,
            map: self.map.clone(),
        })
    }

    /// The keys of a fixed set, each of which must be of use.
    pub(crate) fn fixed_keys(&self, keys: &Keys, rules: &Rules) -> Result<KeySet, ConfigError> {
        let set = KeySet::new(keys.raw(), &rules.algorithms);
        if set.len() == keys.raw().len() {
            return Ok(set);
        }
        Err(ConfigError::new(format!(
            "the issuer {:?} has a key that none of the algorithms {:?} can use: name its algorithm in algorithms(); \
             HS384 takes 384 bits, HS512 takes 512",
            self.name.as_str(),
            rules.algorithms
        )))
    }

    /// Whether this is an authorization server that clients can be sent to.
    pub(crate) fn is_url(&self) -> bool {
        let name = self.name.as_str();
        name.starts_with("https://") || name.starts_with("http://")
    }
}

impl fmt::Debug for TrustedIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustedIssuer")
            .field("name", &self.name)
            .field("audiences", &self.audiences)
            .field("algorithms", &self.algorithms)
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}

const MAX_LEEWAY: Duration = Duration::from_secs(60);
const SECRET_LIFETIME: Duration = Duration::from_secs(60 * 60);
