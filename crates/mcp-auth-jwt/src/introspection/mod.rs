//! Tokens whose issuer is asked about each of them (RFC 7662): opaque tokens, and those that must be revocable.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use bytes::Bytes;
//! use mcp_auth_jwt::Introspection;
//! use mcp_core::{Authenticator, ProtectedResource, RequestHead, SiteContext};
//! use mcp_outbound::OutboundError;
//!
//! // Stands for the issuer, which knows one token. Without http_client() a real one is asked.
//! let issuer = |request: http::Request<Bytes>| async move {
//!     let answer = if request.body().starts_with(b"token=2YotnFZFEjr1zCsicMWpAA&") {
//!         r#"{"active":true,"sub":"ada","scope":"files:read","aud":"https://mcp.example.com/mcp"}"#
//!     } else {
//!         r#"{"active":false}"#
//!     };
//!     Ok::<_, OutboundError>(http::Response::new(Bytes::from_static(answer.as_bytes())))
//! };
//! let tokens = Introspection::new("https://idp.example.com/introspect")
//!     .issuer("https://idp.example.com")
//!     .client_secret_basic("mcp-server", "the secret the issuer gave")
//!     .http_client(issuer);
//!
//! let site = "https://mcp.example.com".parse()?;
//! let resource = ProtectedResource::new(&site, "/mcp");
//! tokens.start(&SiteContext::new(site.clone(), vec![resource.clone()])).await?;
//! let request = http::Request::post("/mcp").header("authorization", "Bearer 2YotnFZFEjr1zCsicMWpAA").body(())?;
//! let (parts, ()) = request.into_parts();
//! let caller = tokens.authenticate(&RequestHead::new(&parts, &site, "/mcp"), &resource).await.unwrap();
//! assert_eq!(caller.subject().as_str(), "ada");
//! # Ok(())
//! # }
//! ```
//!
//! | | |
//! |---|---|
//! | asked | with POST, the token in the body; nothing of it in URLs or logs |
//! | size and time | 64 KiB, 5 s for an answer |
//! | remembered | good answers for 30 s (configurable, not beyond the token's end), bad ones for 10 s; 10,000 of each |
//! | at once | one question per token and resource, however many requests wait for it |
//! | issuer down | 503 and `Retry-After`; the same token is not asked about again for 1 s |
//! | revoked | refused when the remembered answer has run out; open streams end with their next check |
//!
//! An answer is believed when `active` is a JSON boolean and everything else it says has the type RFC 7662 §2.2 gives it;
//! otherwise it is no answer, and the caller gets 503. A token is let in when the answer names this resource in `aud`,
//! has not ended, is no refresh token, and is bound to no key (`cnf`), because a key would have to be proven.
//!
//! Signed answers (RFC 9701) are not asked for: the connection to the issuer is https and the answer is used at once.

mod answer;
mod client_auth;
mod known;
mod question;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use mcp_core::{
    AtOnce, Audience, AuthError, AuthErrorKind, Authenticator, Clock, ConfigError, Credential, Identity,
    Issuer, ProtectedResource, RequestHead, ResourceMetadata, SiteContext,
};
use mcp_outbound::HttpClient;
use zeroize::Zeroizing;

use crate::SigningKey;
use answer::Rules;
use client_auth::ClientAuth;
use known::{Answers, Key};
use question::{Endpoint, NoAnswer};

/// Accepts tokens that their issuer says are active.
///
/// By default it judges opaque tokens only and leaves JWTs and API keys to others of an
/// [`AnyOf`](mcp_core::AnyOf); see [`judge_tokens`](Self::judge_tokens).
pub struct Introspection {
    endpoint: String,
    auth: Option<ClientAuth>,
    anonymous: bool,
    issuer: Option<Issuer>,
    audiences: Vec<Audience>,
    any_audience: bool,
    subject_member: String,
    remember: Duration,
    remember_bad: Duration,
    deadline: Duration,
    judges: Arc<dyn Fn(&str) -> bool + Send + Sync>,
    client: Option<Arc<dyn HttpClient>>,
    running: OnceLock<Running>,
}

struct Running {
    clock: Arc<dyn Clock>,
    endpoint: Endpoint,
    rules: Rules,
    answers: Answers,
}

impl Introspection {
    /// Asks this endpoint (`introspection_endpoint` of the issuer's metadata).
    #[must_use]
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            auth: None,
            anonymous: false,
            issuer: None,
            audiences: Vec::new(),
            any_audience: false,
            subject_member: "sub".to_owned(),
            remember: Duration::from_secs(30),
            remember_bad: Duration::from_secs(10),
            deadline: Duration::from_secs(5),
            judges: Arc::new(looks_opaque),
            client: None,
            running: OnceLock::new(),
        }
    }

    /// This server proves itself to the endpoint by a secret in the `Authorization` header (RFC 6749 §2.3.1).
    #[must_use]
    pub fn client_secret_basic(mut self, id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.auth = Some(ClientAuth::Basic(id.into(), Zeroizing::new(secret.into())));
        self
    }

    /// This server proves itself by a secret in the body.
    #[must_use]
    pub fn client_secret_post(mut self, id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.auth = Some(ClientAuth::Post(id.into(), Zeroizing::new(secret.into())));
        self
    }

    /// This server proves itself by signing an assertion, good for one minute and made for the
    /// [issuer](Self::issuer), or for the endpoint where no issuer is named (RFC 7523 §2.2).
    #[must_use]
    pub fn private_key_jwt(mut self, id: impl Into<String>, key: SigningKey) -> Self {
        self.auth = Some(ClientAuth::PrivateKey(id.into(), key));
        self
    }

    /// The issuer of the tokens: clients are sent there for one, and answers that name another in `iss` are refused.
    ///
    /// Without it, the identities' issuer is the origin of the endpoint, and clients are told of no issuer.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<Issuer>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// One more audience that is meant for this server, beside the resource a token is used at. A token that names it is
    /// good at every resource.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<Audience>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// The member of the answer that names the caller, such as `username`; `sub` unless said. It must name each of them
    /// for good: a name that is given to somebody else later gives that one the data of the first.
    #[must_use]
    pub fn subject_from(mut self, member: &str) -> Self {
        member.clone_into(&mut self.subject_member);
        self
    }

    /// How long a good answer is remembered, 30 s unless said and 10 minutes at most: so long may a revoked token be
    /// good. Zero: every request asks.
    #[must_use]
    pub fn remember(mut self, at_most: Duration) -> Self {
        self.remember = at_most;
        self
    }

    /// How long a bad answer is remembered, 10 s unless said and 10 minutes at most. It spares the issuer the questions
    /// of a client that does not give up.
    #[must_use]
    pub fn remember_refusals(mut self, at_most: Duration) -> Self {
        self.remember_bad = at_most;
        self
    }

    /// How long an answer may take: 5 s unless said.
    #[must_use]
    pub fn deadline(mut self, span: Duration) -> Self {
        self.deadline = span;
        self
    }

    /// Which tokens it judges; the others are left to the next authenticator of a composition. Unless said, all that are
    /// neither JWTs nor API keys of the usual prefix.
    ///
    /// ```
    /// # use mcp_auth_jwt::Introspection;
    /// // JWTs too, because a signature does not tell that a token was revoked.
    /// let tokens = Introspection::new("https://idp.example.com/introspect").judge_tokens(|_token| true);
    /// # drop(tokens);
    /// ```
    #[must_use]
    pub fn judge_tokens(mut self, which: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.judges = Arc::new(which);
        self
    }

    /// The client that asks. Without, one that reaches public https hosts only.
    #[must_use]
    pub fn http_client(mut self, client: impl HttpClient) -> Self {
        self.client = Some(Arc::new(client));
        self
    }

    /// Switches that weaken what is checked.
    pub fn dangerous(self) -> IntrospectionDangerous {
        IntrospectionDangerous(self)
    }

    fn prepare(&self, site: &SiteContext) -> Result<Running, ConfigError> {
        let wrong = |what: &str| {
            Err(ConfigError::new(format!("the introspection endpoint {:?} {what}", self.endpoint)))
        };
        let Some(origin) = question::origin(&self.endpoint) else {
            return wrong("is not https: write its whole URL, like https://idp.example.com/introspect");
        };
        if self.remember > LONGEST_MEMORY || self.remember_bad > LONGEST_MEMORY {
            return wrong(
                "is remembered for more than 10 minutes: a revoked token would be good for as long",
            );
        }
        if self.audiences.iter().any(|one| one.as_str().trim().is_empty()) {
            return wrong(
                "has an empty audience: write the value its answers have in aud, or leave audience() out",
            );
        }
        match &self.auth {
            Some(auth) => auth.check()?,
            None if self.anonymous => {}
            None => {
                return wrong(
                    "is asked without credentials, which RFC 7662 forbids: add client_secret_basic(id, secret) or another",
                );
            }
        }
        let client = match &self.client {
            Some(client) => Arc::clone(client),
            None => crate::fetch::default_client()?,
        };
        Ok(Running {
            clock: Arc::clone(site.clock()),
            endpoint: Endpoint {
                url: self.endpoint.clone(),
                auth: self.auth.clone(),
                audience: self.issuer.as_ref().map_or(self.endpoint.as_str(), AsRef::as_ref).to_owned(),
                deadline: self.deadline,
                client,
            },
            rules: Rules {
                issuer: self.issuer.clone().unwrap_or_else(|| Issuer::from(origin)),
                issuer_is_known: self.issuer.is_some(),
                audiences: self.audiences.clone(),
                any_audience: self.any_audience,
                subject_member: self.subject_member.clone(),
            },
            answers: Answers::new(self.remember, self.remember_bad),
        })
    }
}

#[async_trait]
impl Authenticator for Introspection {
    /// Asks about a token that does not exist, to find out now that the credentials are wrong and not at 3 a.m.
    async fn start(&self, site: &SiteContext) -> Result<(), ConfigError> {
        let running = self.prepare(site)?;
        running.endpoint.probe(running.clock.now()).await?;
        // An authenticator of two sites keeps what the first start made; the second was checked all the same.
        let _ = self.running.set(running);
        Ok(())
    }

    async fn authenticate(
        &self,
        request: &RequestHead<'_>,
        resource: &ProtectedResource,
    ) -> Result<Identity, AuthError> {
        let Credential::Bearer(token) = request.credential()? else {
            return Err(AuthError::not_mine());
        };
        if !(self.judges)(token) {
            return Err(AuthError::not_mine());
        }
        let Some(running) = self.running.get() else {
            return Err(
                AuthError::unavailable(RETRY).log("Introspection was asked before start() was called")
            );
        };
        running.identity(token, request.credential_digest(), resource).await
    }

    /// Answers are waited for; tokens it does not judge are told at once.
    fn authenticate_now(&self, request: &RequestHead<'_>, _resource: &ProtectedResource) -> AtOnce {
        match request.credential() {
            Ok(Credential::Bearer(token)) if (self.judges)(token) => AtOnce::Ask,
            Ok(_) => AtOnce::NotMine,
            Err(error) if *error.kind() == AuthErrorKind::Missing => AtOnce::NotMine,
            Err(_) => AtOnce::Ask,
        }
    }

    fn metadata(&self, _resource: &ProtectedResource) -> ResourceMetadata {
        ResourceMetadata::issued_by(self.issuer.clone())
    }

    async fn still_valid(&self, identity: &Identity) -> Result<(), AuthError> {
        let (Some(running), Some(held)) = (self.running.get(), identity.extension::<Held>()) else {
            return Err(AuthError::not_mine());
        };
        let now = running.identity(&held.token, &held.digest, &held.resource).await?;
        if now.principal() == identity.principal() && identity.scopes().without(now.scopes()).is_empty() {
            Ok(())
        } else {
            Err(AuthError::invalid_token("what the token allows was changed"))
        }
    }
}

impl Running {
    async fn identity(
        &self,
        token: &str,
        digest: &[u8; 32],
        resource: &ProtectedResource,
    ) -> Result<Identity, AuthError> {
        let key = Key::new(digest, resource.identifier());
        self.answers.get_or_ask(key, &*self.clock, || self.ask(token, digest, resource)).await
    }

    async fn ask(
        &self,
        token: &str,
        digest: &[u8; 32],
        resource: &ProtectedResource,
    ) -> Result<Identity, AuthError> {
        let members = match self.endpoint.ask(token, self.clock.now()).await {
            Ok(members) => members,
            Err(why) => return Err(unavailable(&why)),
        };
        let identity = self.rules.judge(members, self.clock.now(), resource)?;
        Ok(identity
            .extension(Held {
                token: Arc::new(Zeroizing::new(token.to_owned())),
                digest: *digest,
                resource: resource.clone(),
            })
            .build())
    }
}

fn unavailable(why: &NoAnswer) -> AuthError {
    AuthError::unavailable(RETRY).log(why.to_string())
}

impl fmt::Debug for Introspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspection")
            .field("endpoint", &self.endpoint)
            .field("auth", &self.auth)
            .field("issuer", &self.issuer)
            .field("started", &self.running.get().is_some())
            .finish_non_exhaustive()
    }
}

/// Switches of an [`Introspection`] that weaken what is checked; see [`Introspection::dangerous`].
#[derive(Debug)]
#[must_use = "a switch returns the authenticator"]
pub struct IntrospectionDangerous(Introspection);

impl IntrospectionDangerous {
    /// Accepts tokens whose answer names no audience. Such a token may be meant for any other server of the issuer, and
    /// any other server can use its callers' tokens here (spec AUTH-09). An audience that is named is still checked.
    #[must_use]
    pub fn accept_missing_audience(mut self) -> Introspection {
        self.0.any_audience = true;
        self.0
    }

    /// Asks without credentials, of an endpoint that is protected in another way, by its network for one. One that
    /// answers everybody lets everybody try tokens out (RFC 7662 §4).
    #[must_use]
    pub fn without_client_credentials(mut self) -> Introspection {
        self.0.anonymous = true;
        self.0
    }
}

/// What a question takes, kept with an identity so that a stream's token can be asked about again.
#[derive(Clone)]
struct Held {
    token: Arc<Zeroizing<String>>,
    digest: [u8; 32],
    resource: ProtectedResource,
}

/// Neither a JWT nor one of our own API keys: those are known elsewhere, and an issuer has no business seeing them.
fn looks_opaque(token: &str) -> bool {
    let jwt = token.starts_with("eyJ") && token.bytes().filter(|byte| *byte == b'.').count() >= 2;
    !jwt && !token.starts_with("mcpk_")
}

const RETRY: Duration = Duration::from_secs(5);
const LONGEST_MEMORY: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jwts_and_api_keys_are_not_opaque() {
        for (token, opaque) in [
            ("eyJhbGciOiJFUzI1NiJ9.e30.AA", false),
            ("eyJhbGciOiJSU0EifQ.a.b.c.d", false),
            ("mcpk_abc_def", false),
            ("2YotnFZFEjr1zCsicMWpAA", true),
            ("eyJust-a-name", true),
            ("v4.local.abc", true),
        ] {
            assert_eq!(looks_opaque(token), opaque, "{token}");
        }
    }
}
