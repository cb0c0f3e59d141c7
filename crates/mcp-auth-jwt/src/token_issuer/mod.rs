//! Tokens for one's own clients: a job that calls its own server, a test, a gateway in front.
//!
//! This is not an authorization server: nobody can ask it for a token over the network. Whoever holds the
//! [`TokenIssuer`] makes tokens; whoever has its public keys can check them. Tokens follow RFC 9068 and live for minutes,
//! since they cannot be taken back one by one.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use mcp_auth_jwt::{TokenIssuer, TokenRequest};
//! use mcp_core::{Authenticator, ProtectedResource, RequestHead, SiteContext};
//!
//! let issuer = TokenIssuer::generate("https://mcp.example.com")?;
//! let site = "https://mcp.example.com".parse()?;
//! let resource = ProtectedResource::new(&site, "/mcp");
//! let authenticator = issuer.authenticator();
//! authenticator.start(&SiteContext::new(site.clone(), vec![resource.clone()])).await?;
//!
//! // One call gives a token that is good for a while, a new one whenever the old one nears its end.
//! let token = issuer.renewing(TokenRequest::new("nightly-report", resource.identifier()).scopes("files:read"));
//! let request = http::Request::post("/mcp").header("authorization", format!("Bearer {}", token.get()?));
//! let (parts, ()) = request.body(())?.into_parts();
//! let caller = authenticator.authenticate(&RequestHead::new(&parts, &site, "/mcp"), &resource).await.unwrap();
//! assert_eq!(caller.subject().as_str(), "nightly-report");
//! assert!(caller.scopes().has("files:read"));
//! # Ok(())
//! # }
//! ```
//!
//! # Rotation
//! [`rotate`](TokenIssuer::rotate) makes a new key that signs from then on; the old one stays published until the last
//! token it can have signed has ended. [`retire`](TokenIssuer::retire) is for a key that leaked: its tokens are refused
//! by [`authenticator`](TokenIssuer::authenticator) at once, and elsewhere as soon as the key set is fetched again, which
//! its `Cache-Control` asks for within five minutes.

mod authenticator;
mod renewing;
mod request;
mod signing_key;

use std::fmt;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Response};
use mcp_core::audit::{Audit, AuditEvent, EventKind, Outcome};
use mcp_core::{
    Access, Body, BoxService, Clock, ConfigError, Issuer, Route, SystemClock, Timestamp, TokenId, random_id,
};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

pub use authenticator::IssuedTokens;
pub use renewing::RenewingToken;
pub use request::{MintedToken, TokenRequest};
pub use signing_key::{SigningAlgorithm, SigningKey};

/// Makes short-lived access tokens (RFC 9068) and publishes the keys to check them. Clones are the same issuer.
#[derive(Clone)]
pub struct TokenIssuer(Arc<Shared>);

struct Shared {
    name: Issuer,
    longest: Duration,
    clock: OnceLock<Arc<dyn Clock>>,
    audit: OnceLock<Audit>,
    ring: RwLock<Ring>,
}

struct Ring {
    current: SigningKey,
    // Each with the end of the last token it can have signed.
    previous: Vec<(SigningKey, Timestamp)>,
    // Counts changes of the keys.
    edition: u64,
}

/// Which keys verify: tells two sets apart that one issuer has one after the other.
#[derive(Clone, Copy, PartialEq, Eq)]
struct InUse {
    edition: u64,
    /// Time alone takes keys out too.
    previous: usize,
}

impl TokenIssuer {
    /// An issuer with a fresh ES256 key, whose tokens end with this process at the latest.
    ///
    /// `name` goes into `iss`. With a URL, give it one of your own.
    ///
    /// # Errors
    /// When the name is empty.
    pub fn generate(name: impl Into<Issuer>) -> Result<Self, ConfigError> {
        Self::new(name, SigningKey::generate(SigningAlgorithm::default()))
    }

    /// An issuer with the key in a PEM file: [`SigningKey::from_pem`].
    ///
    /// # Errors
    /// When the key cannot be read or the name is empty.
    pub fn from_pem(name: impl Into<Issuer>, pem: &str) -> Result<Self, ConfigError> {
        Self::new(name, SigningKey::from_pem(pem)?)
    }

    /// An issuer with this key.
    ///
    /// # Errors
    /// When the name is empty.
    pub fn new(name: impl Into<Issuer>, key: SigningKey) -> Result<Self, ConfigError> {
        let name = name.into();
        if name.as_str().trim().is_empty() {
            return Err(ConfigError::new(
                "the token issuer has no name: write what its tokens shall have in iss, such as the server's public URL",
            ));
        }
        Ok(Self(Arc::new(Shared {
            name,
            longest: Duration::from_secs(60 * 60),
            clock: OnceLock::new(),
            audit: OnceLock::new(),
            ring: RwLock::new(Ring { current: key, previous: Vec::new(), edition: 0 }),
        })))
    }

    /// The longest life a token may be given: one hour unless said.
    ///
    /// # Errors
    /// When it is under a second or over 24 hours, or the issuer is in use already (it was cloned).
    pub fn longest_lifetime(mut self, span: Duration) -> Result<Self, ConfigError> {
        if span < Duration::from_secs(1) || span > MAX_LIFETIME {
            return Err(ConfigError::new(
                "the longest life of a token must lie between 1 second and 24 hours: these tokens cannot be taken back",
            ));
        }
        match Arc::get_mut(&mut self.0) {
            Some(shared) => {
                shared.longest = span;
                Ok(self)
            }
            None => Err(ConfigError::new(
                "the issuer is in use: call longest_lifetime() right after the issuer was made",
            )),
        }
    }

    /// The clock it goes by. Without, that of the site its [`authenticator`](Self::authenticator) guards, or the system's.
    #[must_use]
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        let _ = self.0.clock.set(clock);
        self
    }

    /// Publishes a key that signed tokens before this process began, until the last of them has ended.
    #[must_use]
    pub fn with_previous(self, key: SigningKey) -> Self {
        let until = self.now() + self.0.longest;
        self.change(|ring| ring.previous.push((key, until)));
        self
    }

    /// What its tokens have in `iss`.
    #[must_use]
    pub fn name(&self) -> &Issuer {
        &self.0.name
    }

    /// The id of the key that signs at present.
    #[must_use]
    pub fn key_id(&self) -> String {
        self.ring().current.id().to_owned()
    }

    /// Makes a token.
    ///
    /// # Errors
    /// When the subject or an audience is empty, the lifetime is under a second or over the issuer's longest, or a claim
    /// has a name that is defined by the RFCs.
    pub fn mint(&self, request: &TokenRequest) -> Result<MintedToken, ConfigError> {
        if request.subject.as_str().is_empty() {
            return Err(ConfigError::new("a token must name a subject: say whom its bearer acts as"));
        }
        if request.audience.iter().any(|one| one.as_str().is_empty()) {
            return Err(ConfigError::new(
                "a token must name an audience: write the resource's URL, such as https://mcp.example.com/mcp",
            ));
        }
        if request.lifetime < Duration::from_secs(1) || request.lifetime > self.0.longest {
            return Err(ConfigError::new(format!(
                "a token of this issuer lives for 1 to {} seconds: ask for less, or let the client renew it",
                self.0.longest.as_secs()
            )));
        }
        if let Some(taken) = request.claims.keys().find(|name| DEFINED.contains(&name.as_str())) {
            return Err(ConfigError::new(format!(
                "the claim {taken:?} has a meaning of its own: use the method for it, or another name"
            )));
        }
        let now = Timestamp::from_secs(self.now().as_secs());
        let expires_at = Timestamp::from_secs((now + request.lifetime).as_secs());
        let id = random_id();
        let claims = self.claims(request, &id, now, expires_at);
        let key = self.ring().current.clone();
        match key.jwt("at+jwt", claims) {
            Some(text) => Ok(MintedToken { text: Zeroizing::new(text), expires_at, id: TokenId::from(id) }),
            None => Err(ConfigError::new("the token could not be signed")),
        }
    }

    /// RFC 9068 §2.2.
    fn claims(
        &self,
        request: &TokenRequest,
        id: &str,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Map<String, Value> {
        let audience: Vec<&str> = request.audience.iter().map(AsRef::as_ref).collect();
        let mut claims = request.claims.clone();
        let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        put("iss", json!(self.0.name.as_str()));
        put("sub", json!(request.subject.as_str()));
        put("aud", if let [one] = audience.as_slice() { json!(one) } else { json!(audience) });
        put("client_id", json!(request.client.as_ref().map_or(request.subject.as_str(), AsRef::as_ref)));
        put("iat", json!(now.as_secs()));
        put("exp", json!(expires_at.as_secs()));
        put("jti", json!(id));
        if !request.scopes.is_empty() {
            put("scope", json!(request.scopes.to_string()));
        }
        claims
    }

    /// A token that is made anew whenever it nears its end.
    pub fn renewing(&self, request: TokenRequest) -> RenewingToken {
        RenewingToken::new(self.clone(), request)
    }

    /// Makes a new key of the same kind, which signs from now on, and returns its id. The old one stays published until
    /// the last token it can have signed has ended.
    pub fn rotate(&self) -> String {
        let algorithm = self.ring().current.algorithm();
        self.rotate_to(SigningKey::generate(algorithm))
    }

    /// Signs with this key from now on, and returns its id. The old one stays published as with [`rotate`](Self::rotate).
    pub fn rotate_to(&self, key: SigningKey) -> String {
        let now = self.now();
        let until = now + self.0.longest;
        let id = key.id().to_owned();
        self.change(|ring| {
            ring.previous.retain(|(_, end)| *end > now);
            let old = std::mem::replace(&mut ring.current, key);
            ring.previous.push((old, until));
        });
        self.record(&id, "a new signing key");
        id
    }

    /// Takes a key back at once: whatever it signed is refused. If it was the one that signs, a new one takes its place.
    /// Whether there was such a key.
    pub fn retire(&self, key_id: &str) -> bool {
        let algorithm = {
            let ring = self.ring();
            (ring.current.id() == key_id).then(|| ring.current.algorithm())
        };
        // Not under the lock: an RSA key takes a while.
        let fresh = algorithm.map(SigningKey::generate);
        let found = self.change(|ring| {
            let before = ring.previous.len();
            ring.previous.retain(|(key, _)| key.id() != key_id);
            match fresh {
                Some(key) if ring.current.id() == key_id => {
                    ring.current = key;
                    true
                }
                _ => ring.previous.len() < before,
            }
        });
        if found {
            self.record(key_id, "a signing key was taken back");
        }
        found
    }

    /// The public keys as a JWK set (RFC 7517 §5): the one that signs, and those whose tokens have not ended yet.
    #[must_use]
    pub fn jwks(&self) -> Value {
        let now = self.now();
        let ring = self.ring();
        let previous = ring.previous.iter().filter(|(_, end)| *end > now).map(|(key, _)| key);
        let keys: Vec<Value> =
            std::iter::once(&ring.current).chain(previous).map(SigningKey::public_jwk).collect();
        json!({ "keys": keys })
    }

    /// The key set as a public route at this path, for others that check the tokens.
    #[must_use]
    pub fn route(&self, path: &str) -> Route {
        let issuer = self.clone();
        let service = BoxService::from_fn(move |_| {
            let mut response = Response::new(Body::from(issuer.jwks().to_string()));
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
            async move { response }
        });
        Route::new(path, [Method::GET], Access::Public, service)
    }

    /// Accepts the tokens of this issuer, following every change of its keys at once.
    #[must_use]
    pub fn authenticator(&self) -> IssuedTokens {
        IssuedTokens::new(self.clone())
    }

    fn now(&self) -> Timestamp {
        self.0.clock.get().map_or(&SystemClock as &dyn Clock, |clock| &**clock).now()
    }

    fn in_use(&self) -> InUse {
        let now = self.now();
        let ring = self.ring();
        let previous = ring.previous.iter().filter(|(_, end)| *end > now).count();
        InUse { edition: ring.edition, previous }
    }

    fn ring(&self) -> RwLockReadGuard<'_, Ring> {
        self.0.ring.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, with: impl FnOnce(&mut Ring) -> T) -> T {
        let mut ring = self.0.ring.write().unwrap_or_else(PoisonError::into_inner);
        ring.edition += 1;
        with(&mut ring)
    }

    fn record(&self, key_id: &str, what: &'static str) {
        if let Some(audit) = self.0.audit.get() {
            let event = AuditEvent::new(self.now(), EventKind::Key, Outcome::Allowed);
            audit.record(event.on(self.0.name.as_str()).doing(format!("key {key_id}")).because(what));
        }
    }
}

impl fmt::Debug for TokenIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ring = self.ring();
        f.debug_struct("TokenIssuer")
            .field("name", &self.0.name)
            .field("key", &ring.current)
            .field("previous", &ring.previous.len())
            .finish_non_exhaustive()
    }
}

const MAX_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Claims with a meaning in RFC 7519, RFC 7800, RFC 8693, RFC 9068 and OpenID Connect that a verifier acts on.
const DEFINED: [&str; 16] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "scope",
    "scp",
    "client_id",
    "azp",
    "cnf",
    "act",
    "may_act",
    "nonce",
    "at_hash",
];
