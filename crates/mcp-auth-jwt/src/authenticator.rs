//! The authenticator: which issuer a token says it is from, and what is made of it.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use mcp_core::{
    AtOnce, AuthError, AuthErrorKind, Authenticator, Clock, ConfigError, Credential, Identity, Issuer,
    ProtectedResource, RequestHead, ResourceMetadata, SiteContext,
};

use crate::TrustedIssuer;
use crate::cache::VerifiedTokens;
#[cfg(feature = "dpop")]
use crate::dpop::{Dpop, DpopProofs};
#[cfg(feature = "fetch")]
use crate::fetch::RemoteKeys;
use crate::jws::Jws;
use crate::key_source::KeySource;
use crate::rules::{Rules, SignedBy, VerifiedToken};

/// Accepts JWT access tokens that others issued (RFC 9068, RFC 8725).
///
/// Made with one issuer; the setters (`audience`, `algorithms`, `profile`, …) are those of that issuer. More are added
/// by [`and`](Self::and) and have their own.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use mcp_auth_jwt::{JwtAuthenticator, Keys};
/// use mcp_core::{AuthErrorKind, Authenticator, ProtectedResource, RequestHead, SecretKey, SiteContext};
///
/// let tokens = JwtAuthenticator::keys("urn:example", Keys::shared_secret(SecretKey::random()));
/// let url: mcp_core::PublicUrl = "https://mcp.example.com".parse()?;
/// let mcp = ProtectedResource::new(&url, "/mcp");
/// tokens.start(&SiteContext::new(url.clone(), vec![mcp.clone()])).await?;
///
/// let (request, ()) = http::Request::post("/mcp").header("authorization", "Bearer abc").body(())?.into_parts();
/// let error = tokens.authenticate(&RequestHead::new(&request, &url, "/mcp"), &mcp).await.unwrap_err();
/// assert_eq!(error.kind(), &AuthErrorKind::NotMine); // no JWT: another authenticator may know it
/// # Ok(())
/// # }
/// ```
pub struct JwtAuthenticator {
    pub(crate) first: TrustedIssuer,
    more: Vec<TrustedIssuer>,
    tokens: usize,
    at_most: Duration,
    #[cfg(feature = "fetch")]
    client: Option<Arc<dyn mcp_outbound::HttpClient>>,
    #[cfg(feature = "dpop")]
    dpop: Option<Dpop>,
    running: OnceLock<Running>,
}

/// What a start makes of the set-up.
struct Running {
    clock: Arc<dyn Clock>,
    issuers: Vec<RunningIssuer>,
    known: VerifiedTokens,
    #[cfg(feature = "dpop")]
    proofs: Option<DpopProofs>,
}

struct RunningIssuer {
    rules: Rules,
    keys: KeySource,
}

impl JwtAuthenticator {
    /// Accepts the tokens of this issuer.
    #[must_use]
    pub fn new(issuer: TrustedIssuer) -> Self {
        Self {
            first: issuer,
            more: Vec::new(),
            tokens: 10_000,
            at_most: Duration::from_secs(5 * 60),
            #[cfg(feature = "fetch")]
            client: None,
            #[cfg(feature = "dpop")]
            dpop: None,
            running: OnceLock::new(),
        }
    }

    /// Accepts the tokens of an issuer that publishes its metadata: [`TrustedIssuer::discover`].
    #[cfg(feature = "fetch")]
    #[cfg_attr(docsrs, doc(cfg(feature = "fetch")))]
    #[must_use]
    pub fn issuer(issuer: impl Into<Issuer>) -> Self {
        Self::new(TrustedIssuer::discover(issuer))
    }

    /// Accepts the tokens of an issuer whose keys are a JWK set at a URL: [`TrustedIssuer::jwks_url`].
    #[cfg(feature = "fetch")]
    #[cfg_attr(docsrs, doc(cfg(feature = "fetch")))]
    #[must_use]
    pub fn jwks_url(issuer: impl Into<Issuer>, url: impl Into<String>) -> Self {
        Self::new(TrustedIssuer::jwks_url(issuer, url))
    }

    /// Accepts the tokens of an issuer whose keys are known: [`TrustedIssuer::keys`].
    #[must_use]
    pub fn keys(issuer: impl Into<Issuer>, keys: crate::Keys) -> Self {
        Self::new(TrustedIssuer::keys(issuer, keys))
    }

    /// Accepts the tokens of another issuer too.
    #[must_use]
    pub fn and(mut self, issuer: TrustedIssuer) -> Self {
        self.more.push(issuer);
        self
    }

    /// How many verified tokens are remembered, and each for how long, in any case not beyond its end and not after a
    /// change of its issuer's keys. 10,000 for 5 minutes unless said; zero turns it off.
    #[must_use]
    pub fn remember(mut self, tokens: usize, at_most: Duration) -> Self {
        self.tokens = tokens;
        self.at_most = at_most;
        self
    }

    /// The client that fetches metadata and keys. Without, one that reaches public https hosts only.
    #[cfg(feature = "fetch")]
    #[cfg_attr(docsrs, doc(cfg(feature = "fetch")))]
    #[must_use]
    pub fn http_client(mut self, client: impl mcp_outbound::HttpClient) -> Self {
        self.client = Some(Arc::new(client));
        self
    }

    /// Accepts tokens that are bound to a key, with proofs of it. Without, they are refused.
    #[cfg(feature = "dpop")]
    #[cfg_attr(docsrs, doc(cfg(feature = "dpop")))]
    #[must_use]
    pub fn dpop(mut self, dpop: Dpop) -> Self {
        self.dpop = Some(dpop);
        self
    }

    fn issuers(&self) -> impl Iterator<Item = &TrustedIssuer> {
        std::iter::once(&self.first).chain(&self.more)
    }

    fn prepare(&self, site: &SiteContext) -> Result<Running, ConfigError> {
        let mut issuers: Vec<RunningIssuer> = Vec::new();
        #[cfg(feature = "fetch")]
        let mut client = self.client.clone();
        for issuer in self.issuers() {
            let rules = issuer.rules()?;
            if issuers.iter().any(|other| other.rules.issuer == rules.issuer) {
                return Err(ConfigError::new(format!(
                    "the issuer {:?} is named twice: join its keys with Keys::and, its audiences with audience()",
                    rules.issuer.as_str()
                )));
            }
            #[cfg(feature = "fetch")]
            let keys = KeySource::new(issuer, &rules, site, &mut client)?;
            #[cfg(not(feature = "fetch"))]
            let keys = KeySource::new(issuer, &rules)?;
            issuers.push(RunningIssuer { rules, keys });
        }
        Ok(Running {
            clock: Arc::clone(site.clock()),
            issuers,
            known: VerifiedTokens::new(self.tokens, self.at_most),
            #[cfg(feature = "dpop")]
            proofs: self.dpop.as_ref().map(DpopProofs::new).transpose()?,
        })
    }
}

#[async_trait]
impl Authenticator for JwtAuthenticator {
    async fn start(&self, site: &SiteContext) -> Result<(), ConfigError> {
        let running = self.prepare(site)?;
        #[cfg(feature = "fetch")]
        {
            let first: Vec<_> = running.remote_keys().map(RemoteKeys::start).collect();
            for fetch in first {
                fetch.await?;
            }
        }
        // An authenticator of two sites keeps what the first start made; the second was checked all the same.
        let _ = self.running.set(running);
        Ok(())
    }

    async fn authenticate(
        &self,
        request: &RequestHead<'_>,
        resource: &ProtectedResource,
    ) -> Result<Identity, AuthError> {
        let credential = request.credential()?;
        let Some(running) = self.running.get() else {
            return Err(AuthError::unavailable(Duration::from_secs(5))
                .log("JwtAuthenticator was asked before start() was called"));
        };
        match credential {
            Credential::Bearer(token) => {
                let token = running.token(token, request, resource).await?;
                running.admit_bearer(&token)?;
                Ok(token.identity.clone())
            }
            #[cfg(feature = "dpop")]
            Credential::Dpop(text) => {
                let Some(proofs) = &running.proofs else {
                    return Err(AuthError::not_mine().log("DPoP is not turned on"));
                };
                let token = running.token(text, request, resource).await?;
                let Some(thumbprint) = &token.bound_to else {
                    return Err(AuthError::invalid_token(
                        "the token is not bound to a key and must be presented as Bearer",
                    ));
                };
                proofs.check(request, text, thumbprint, running.clock.now())?;
                Ok(token.identity.clone())
            }
            _ => Err(AuthError::not_mine()),
        }
    }

    /// A bearer token verified before costs no trip through a future. Proofs are always checked anew.
    fn authenticate_now(&self, request: &RequestHead<'_>, resource: &ProtectedResource) -> AtOnce {
        let Some(running) = self.running.get() else { return AtOnce::Ask };
        // First, because what is known by its digest was read when it was verified.
        if request.is_bearer()
            && let Some(token) = running.known(request, resource, running.clock.now())
            && running.admit_bearer(&token).is_ok()
        {
            return AtOnce::Known(token.identity.clone());
        }
        match request.credential() {
            Ok(Credential::Bearer(token)) if !Jws::may_be(token) => AtOnce::NotMine,
            Ok(Credential::Bearer(_)) => AtOnce::Ask,
            #[cfg(feature = "dpop")]
            Ok(Credential::Dpop(_)) if running.proofs.is_some() => AtOnce::Ask,
            Ok(_) => AtOnce::NotMine,
            Err(error) if *error.kind() == AuthErrorKind::Missing => AtOnce::NotMine,
            Err(_) => AtOnce::Ask,
        }
    }

    fn metadata(&self, _resource: &ProtectedResource) -> ResourceMetadata {
        let issuers = self.issuers().filter(|issuer| issuer.is_url());
        #[cfg_attr(not(feature = "dpop"), expect(unused_mut, reason = "filled in where DPoP is compiled"))]
        let mut metadata = ResourceMetadata::issued_by(issuers.map(|issuer| issuer.name.clone()));
        #[cfg(feature = "dpop")]
        if let Some(dpop) = &self.dpop {
            metadata.dpop_algorithms = dpop.algorithm_names();
            metadata.dpop_required = dpop.is_required();
        }
        metadata
    }

    #[cfg(feature = "dpop")]
    fn credential_headers(&self) -> Vec<http::HeaderName> {
        vec![http::HeaderName::from_static("dpop")]
    }

    /// An identity is good no longer when the key that signed its token was withdrawn.
    async fn still_valid(&self, identity: &Identity) -> Result<(), AuthError> {
        let (Some(running), Some(signed)) = (self.running.get(), identity.extension::<SignedBy>()) else {
            return Err(AuthError::not_mine());
        };
        match running.issuers.get(signed.issuer) {
            Some(issuer) if issuer.rules.issuer == *identity.issuer() => {
                issuer.keys.still_has(&signed.key, &*running.clock)
            }
            _ => Err(AuthError::not_mine()),
        }
    }
}

impl Running {
    #[cfg(feature = "fetch")]
    fn remote_keys(&self) -> impl Iterator<Item = &RemoteKeys> {
        self.issuers.iter().filter_map(|issuer| match &issuer.keys {
            KeySource::Remote(keys) => Some(keys),
            KeySource::Fixed(_) => None,
        })
    }

    /// The token, if it was verified before and its issuer's keys are still those it was verified with.
    fn known(
        &self,
        request: &RequestHead<'_>,
        resource: &ProtectedResource,
        now: mcp_core::Timestamp,
    ) -> Option<Arc<VerifiedToken>> {
        let known = self.known.get(request.credential_digest(), resource.identifier(), now)?;
        let issuer = self.issuers.get(known.issuer)?;
        (issuer.keys.edition(now) == Some(known.edition)).then_some(known.token)
    }

    /// The token, verified now or before.
    async fn token(
        &self,
        token: &str,
        request: &RequestHead<'_>,
        resource: &ProtectedResource,
    ) -> Result<Arc<VerifiedToken>, AuthError> {
        let digest = request.credential_digest();
        let now = self.clock.now();
        if let Some(token) = self.known(request, resource, now) {
            return Ok(token);
        }
        let jws = Jws::parse(token).ok_or_else(AuthError::not_mine)?;
        let named = jws.claims.get("iss").and_then(|name| name.as_str());
        let Some((place, issuer)) =
            self.issuers.iter().enumerate().find(|(_, issuer)| named == Some(issuer.rules.issuer.as_str()))
        else {
            // Nothing of the token goes into the log: it is anybody's text.
            return Err(AuthError::not_mine().log("the token names no issuer of ours in iss"));
        };
        let plausible = issuer.rules.judge(jws, now, resource)?;
        let (key, edition) = issuer.keys.verify(&plausible.signed, now).await?;
        // The keys may have been waited for.
        if self.clock.now() >= plausible.expires {
            return Err(AuthError::invalid_token("the token has expired"));
        }
        let verified = issuer.rules.accept(plausible, SignedBy { issuer: place, key })?;
        Ok(self.known.remember(digest, resource.identifier(), now, (place, edition), verified))
    }

    /// RFC 9449 §7.2, spec EXT-DP-06: a bound token without its proof may be a stolen one.
    fn admit_bearer(&self, token: &VerifiedToken) -> Result<(), AuthError> {
        if token.bound_to.is_some() {
            return Err(AuthError::invalid_token(
                "the token is bound to a key and must be presented with a DPoP proof",
            ));
        }
        #[cfg(feature = "dpop")]
        if self.proofs.as_ref().is_some_and(DpopProofs::is_required) {
            return Err(AuthError::invalid_token("only tokens that are bound to a key are accepted here"));
        }
        Ok(())
    }
}

impl fmt::Debug for JwtAuthenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtAuthenticator")
            .field("issuers", &self.issuers().collect::<Vec<_>>())
            .field("started", &self.running.get().is_some())
            .finish_non_exhaustive()
    }
}
