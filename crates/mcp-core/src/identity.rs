//! Who is calling: what an authenticator found out, and all that a tool may know.
//!
//! ```
//! use mcp_core::{AuthMethod, Identity, Scopes};
//! use serde::Deserialize;
//!
//! let identity = Identity::new("https://idp.example.com", "42")
//!     .client("cli")
//!     .scopes(Scopes::from("files:read"))
//!     .method(AuthMethod::Bearer)
//!     .props(serde_json::json!({ "login": "ada" }))
//!     .build();
//!
//! #[derive(Deserialize)]
//! struct User {
//!     login: String,
//! }
//! assert_eq!(identity.props::<User>()?.login, "ada");
//! assert_eq!(identity.subject().as_str(), "42");
//! // The same person with another application is the same user, and another principal.
//! let elsewhere = Identity::new("https://idp.example.com", "42").client("ide").build();
//! assert_eq!(identity.user(), elsewhere.user());
//! assert_ne!(identity.principal(), elsewhere.principal());
//! # Ok::<(), serde_json::Error>(())
//! ```

use std::cmp::Ordering;
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::{Arc, OnceLock};

use http::Extensions;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{Audience, ClientId, Issuer, Scopes, Subject, Timestamp, TokenId};

/// How a caller proved who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthMethod {
    /// It did not: nobody asked, or the call is open to everybody.
    Anonymous,
    /// A bearer token (RFC 6750).
    Bearer,
    /// A token bound to a key, with a proof of it (RFC 9449).
    Dpop,
    /// A key handed out by this server's operator.
    ApiKey,
    /// A client certificate (RFC 8705).
    Certificate,
}

/// Who is calling. Cheap to clone.
#[derive(Clone)]
pub struct Identity {
    facts: Arc<Facts>,
    /// Through which members of (nested) compositions the caller came in: a byte each, the outermost lowest.
    entrance: u64,
}

struct Facts {
    issuer: Issuer,
    subject: Subject,
    client: Option<ClientId>,
    scopes: Scopes,
    audience: Vec<Audience>,
    expires_at: Option<Timestamp>,
    issued_at: Option<Timestamp>,
    token_id: Option<TokenId>,
    method: AuthMethod,
    claims: Map<String, Value>,
    props: Option<Value>,
    extensions: Extensions,
    user: UserKey,
    principal: Principal,
}

impl Identity {
    /// Starts an identity: who vouches for it, and whom it names.
    #[expect(
        clippy::new_ret_no_self,
        reason = "an identity has more facts than a constructor takes; `build` ends it"
    )]
    pub fn new(issuer: impl Into<Issuer>, subject: impl Into<Subject>) -> IdentityBuilder {
        IdentityBuilder {
            issuer: issuer.into(),
            subject: subject.into(),
            client: None,
            scopes: Scopes::none(),
            audience: Vec::new(),
            expires_at: None,
            issued_at: None,
            token_id: None,
            method: AuthMethod::Bearer,
            claims: Map::new(),
            props: None,
            extensions: Extensions::new(),
        }
    }

    /// The caller nobody vouches for.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::new("urn:mcp-auth:nobody", "anonymous").method(AuthMethod::Anonymous).build()
    }

    /// Whether nobody vouches for this caller.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.facts.method == AuthMethod::Anonymous
    }

    /// Who vouches for the caller.
    #[must_use]
    pub fn issuer(&self) -> &Issuer {
        &self.facts.issuer
    }

    /// The caller as its issuer names it. A person's data belongs under [`user`](Self::user), not under this alone.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.facts.subject
    }

    /// The application that calls, where the credential says.
    #[must_use]
    pub fn client(&self) -> Option<&ClientId> {
        self.facts.client.as_ref()
    }

    /// What the credential allows.
    #[must_use]
    pub fn scopes(&self) -> &Scopes {
        &self.facts.scopes
    }

    /// Whom the credential was made for.
    #[must_use]
    pub fn audience(&self) -> &[Audience] {
        &self.facts.audience
    }

    /// When the credential ends.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.facts.expires_at
    }

    /// When the credential was made.
    #[must_use]
    pub fn issued_at(&self) -> Option<Timestamp> {
        self.facts.issued_at
    }

    /// What the credential is called. Not a secret: it opens nothing.
    #[must_use]
    pub fn token_id(&self) -> Option<&TokenId> {
        self.facts.token_id.as_ref()
    }

    /// How the caller proved who it is.
    #[must_use]
    pub fn method(&self) -> AuthMethod {
        self.facts.method
    }

    /// What the issuer said beside that, as it said it.
    #[must_use]
    pub fn claims(&self) -> &Map<String, Value> {
        &self.facts.claims
    }

    /// What the sign-in chose to remember (login, e-mail, …), as the type a tool wants. Without props, the claims.
    ///
    /// # Errors
    /// When the remembered value does not have the shape of `T`.
    pub fn props<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        match &self.facts.props {
            Some(props) => T::deserialize(props),
            None => T::deserialize(serde::de::value::MapDeserializer::new(
                self.facts.claims.iter().map(|(name, value)| (name.as_str(), value)),
            )),
        }
    }

    /// A value that the authenticator's crate attached under its type.
    #[must_use]
    pub fn extension<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.facts.extensions.get()
    }

    /// The key for a person's data: issuer and subject.
    #[must_use]
    pub fn user(&self) -> &UserKey {
        &self.facts.user
    }

    /// The key for sessions: issuer, subject and client.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.facts.principal
    }

    /// Notes that a composition let the caller in by its member at this place (0 to 254).
    pub(crate) fn let_in_by(mut self, place: usize) -> Self {
        self.entrance = (self.entrance << 8) | (place as u64 + 1);
        self
    }

    /// The place noted last, and the identity as that member gave it.
    pub(crate) fn entrance(&self) -> Option<(usize, Self)> {
        let place = usize::try_from(self.entrance & 0xff).ok()?.checked_sub(1)?;
        Some((place, Self { facts: self.facts.clone(), entrance: self.entrance >> 8 }))
    }

    /// Whether both are the very same value in memory; cheap, and never true for different callers.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.facts, &other.facts)
    }
}

impl fmt::Debug for Identity {
    // Claims and props are personal data and may hold secrets an issuer put there: they are left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("issuer", &self.facts.issuer)
            .field("subject", &self.facts.subject)
            .field("client", &self.facts.client)
            .field("scopes", &self.facts.scopes)
            .field("expires_at", &self.facts.expires_at)
            .field("method", &self.facts.method)
            .finish_non_exhaustive()
    }
}

/// An [`Identity`] being put together.
#[must_use = "an identity is made by `build`"]
pub struct IdentityBuilder {
    issuer: Issuer,
    subject: Subject,
    client: Option<ClientId>,
    scopes: Scopes,
    audience: Vec<Audience>,
    expires_at: Option<Timestamp>,
    issued_at: Option<Timestamp>,
    token_id: Option<TokenId>,
    method: AuthMethod,
    claims: Map<String, Value>,
    props: Option<Value>,
    extensions: Extensions,
}

impl IdentityBuilder {
    /// The application that calls.
    pub fn client(mut self, client: impl Into<ClientId>) -> Self {
        self.client = Some(client.into());
        self
    }

    /// What the credential allows.
    pub fn scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = scopes;
        self
    }

    /// One more of those the credential was made for.
    pub fn audience(mut self, audience: impl Into<Audience>) -> Self {
        self.audience.push(audience.into());
        self
    }

    /// When the credential ends.
    pub fn expires_at(mut self, at: Timestamp) -> Self {
        self.expires_at = Some(at);
        self
    }

    /// When the credential was made.
    pub fn issued_at(mut self, at: Timestamp) -> Self {
        self.issued_at = Some(at);
        self
    }

    /// What the credential is called.
    pub fn token_id(mut self, id: impl Into<TokenId>) -> Self {
        self.token_id = Some(id.into());
        self
    }

    /// How the caller proved who it is ([`AuthMethod::Bearer`] unless said).
    pub fn method(mut self, method: AuthMethod) -> Self {
        self.method = method;
        self
    }

    /// What the issuer said beside that.
    pub fn claims(mut self, claims: Map<String, Value>) -> Self {
        self.claims = claims;
        self
    }

    /// What the sign-in chose to remember.
    pub fn props(mut self, props: Value) -> Self {
        self.props = Some(props);
        self
    }

    /// Attaches a value under its type.
    pub fn extension<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.extensions.insert(value);
        self
    }

    /// The identity.
    #[must_use]
    pub fn build(self) -> Identity {
        // Each part is preceded by its length: no choice of names makes two callers look alike.
        let user = format!(
            "{}:{}{}:{}",
            self.issuer.as_str().len(),
            self.issuer,
            self.subject.as_str().len(),
            self.subject
        );
        let principal = match &self.client {
            Some(client) => format!("{user}{}:{client}", client.as_str().len()),
            None => format!("{user}-"),
        };
        let facts = Arc::new(Facts {
            issuer: self.issuer,
            subject: self.subject,
            client: self.client,
            scopes: self.scopes,
            audience: self.audience,
            expires_at: self.expires_at,
            issued_at: self.issued_at,
            token_id: self.token_id,
            method: self.method,
            claims: self.claims,
            props: self.props,
            extensions: self.extensions,
            user: UserKey(user.into()),
            principal: Principal::new(principal),
        });
        Identity { facts, entrance: 0 }
    }
}

impl fmt::Debug for IdentityBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityBuilder").finish_non_exhaustive()
    }
}

/// The key for a person's data: issuer and subject, in a form in which no two pairs look alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserKey(Arc<str>);

impl UserKey {
    /// The key as text, for stores.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The key for sessions: issuer, subject and client, in a form in which no two triples look alike.
///
/// Looked up on every request that carries a session or opens a stream, so its hash is made once, with a key of this
/// process.
#[derive(Clone)]
pub struct Principal {
    text: Arc<str>,
    hash: u64,
}

impl Principal {
    fn new(text: String) -> Self {
        static KEY: OnceLock<RandomState> = OnceLock::new();
        let hash = KEY.get_or_init(RandomState::new).hash_one(&text);
        Self { text: text.into(), hash }
    }

    /// The key as text, for stores and MACs.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Principal {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.text == other.text
    }
}

impl Eq for Principal {}

impl Hash for Principal {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl PartialOrd for Principal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Principal {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Principal").field(&self.text).finish()
    }
}

/// What an extractor can make of an identity: the [`Identity`] itself, or any type its props can be read as.
pub trait FromIdentity: Sized {
    /// Reads the identity.
    ///
    /// # Errors
    /// When the props do not have the shape of the type.
    fn from_identity(identity: &Identity) -> Result<Self, serde_json::Error>;
}

impl FromIdentity for Identity {
    fn from_identity(identity: &Identity) -> Result<Self, serde_json::Error> {
        Ok(identity.clone())
    }
}

impl<T: DeserializeOwned> FromIdentity for T {
    fn from_identity(identity: &Identity) -> Result<Self, serde_json::Error> {
        identity.props()
    }
}
