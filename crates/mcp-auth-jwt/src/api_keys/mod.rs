//! Keys this server's operator hands out: for scripts, build servers and clients that know no OAuth.
//!
//! A key looks like `mcpk_<id>_<secret><checksum>`. The prefix and the checksum let secret scanners find a key that
//! leaked and tell it from noise without asking anybody; the id says which key it is, in lists and logs; the secret has
//! 256 bits. Only its SHA-256 is kept, so that whoever reads the directory cannot come in.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use mcp_auth_jwt::{ApiKeys, KeyList};
//! use mcp_core::{Authenticator, ProtectedResource, RequestHead, Scopes};
//!
//! // Once, for the owner: show the key, keep the entry.
//! let new = ApiKeys::generate("ada").scopes(Scopes::from("files:read"));
//! let shown = new.key().expose().to_owned();
//! let keys = ApiKeys::new(KeyList::new([new.into_entry()])?);
//!
//! let site = "https://mcp.example.com".parse()?;
//! let resource = ProtectedResource::new(&site, "/mcp");
//! let request = http::Request::post("/mcp").header("authorization", format!("Bearer {shown}")).body(())?;
//! let (parts, ()) = request.into_parts();
//! let caller = keys.authenticate(&RequestHead::new(&parts, &site, "/mcp"), &resource).await.unwrap();
//! assert_eq!(caller.subject().as_str(), "ada");
//! # Ok(())
//! # }
//! ```
//!
//! # Rotation and revocation
//! An owner may have any number of keys: add the new one, change the client, take the old one out. Sessions go on over
//! the change, since they belong to the owner and not to the key. A key that is taken out of the directory is refused
//! from the next look on, and streams that it opened end; no restart is needed.

mod date;
mod directory;
mod entry;
#[cfg(feature = "keys-file")]
mod file;
mod key;
#[cfg(feature = "keys-file")]
mod toml_form;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use http::HeaderName;
use http::header::AUTHORIZATION;
use mcp_core::{
    AtOnce, AuthError, AuthErrorKind, AuthMethod, Authenticator, Clock, ConfigError, Credential, Identity,
    Issuer, ProtectedResource, RequestHead, SiteContext, SystemClock, constant_time_eq,
};

pub use directory::{KeyDirectory, KeyDirectoryError, KeyList};
pub use entry::{KeyEntry, NewKey};
#[cfg(feature = "keys-file")]
#[cfg_attr(docsrs, doc(cfg(feature = "keys-file")))]
pub use file::KeyFile;
pub use key::ApiKey;

use key::{DEFAULT_PREFIX, Digest};

/// Accepts keys of a [`KeyDirectory`].
///
/// A key is presented as `Authorization: Bearer <key>`, and in a header of its own where [`header`](Self::header) names
/// one; never in a query.
pub struct ApiKeys {
    directory: Arc<dyn KeyDirectory>,
    prefix: String,
    header: Option<String>,
    header_name: Option<HeaderName>,
    issuer: Issuer,
    clock: OnceLock<Arc<dyn Clock>>,
}

impl ApiKeys {
    /// Accepts the keys of this directory: usually a `KeyFile`.
    #[must_use]
    pub fn new(directory: impl KeyDirectory) -> Self {
        Self {
            directory: Arc::new(directory),
            prefix: DEFAULT_PREFIX.to_owned(),
            header: None,
            header_name: None,
            issuer: Issuer::new("urn:mcp-auth:api-keys"),
            clock: OnceLock::new(),
        }
    }

    /// Makes a key for an owner, with the prefix `mcpk` and without scopes.
    ///
    /// The owner is the subject of the callers' [`Identity`].
    pub fn generate(owner: impl Into<String>) -> NewKey {
        NewKey::new(ApiKey::generate(DEFAULT_PREFIX), owner.into())
    }

    /// Makes a key with a prefix of your own, by which scanners can tell whose it is.
    ///
    /// # Errors
    /// When the prefix is not 2 to 16 lower-case letters and digits, beginning with a letter.
    pub fn generate_with_prefix(prefix: &str, owner: impl Into<String>) -> Result<NewKey, ConfigError> {
        key::check_prefix(prefix)?;
        Ok(NewKey::new(ApiKey::generate(prefix), owner.into()))
    }

    /// Accepts keys with this prefix and no others; `mcpk` unless said.
    #[must_use]
    pub fn prefix(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.prefix);
        self
    }

    /// Accepts keys in this header too, for clients that cannot send `Authorization`: `X-API-Key` for one.
    #[must_use]
    pub fn header(mut self, name: &str) -> Self {
        self.header = Some(name.to_owned());
        self.header_name = name.parse().ok();
        self
    }

    /// Who the callers' identities say vouches for them: give two directories of one site different names, or the same
    /// owner in both is the same user. `urn:mcp-auth:api-keys` unless said.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<Issuer>) -> Self {
        self.issuer = issuer.into();
        self
    }

    fn clock(&self) -> &dyn Clock {
        self.clock.get().map_or(&SystemClock, |clock| &**clock)
    }

    /// The key in the request, wherever it may stand; with whether it can only be ours.
    fn presented<'a>(&self, request: &RequestHead<'a>) -> Result<(&'a str, bool), AuthError> {
        let mut own = self.header_name.iter().flat_map(|name| request.headers().get_all(name));
        let Some(value) = own.next() else {
            return match request.credential()? {
                Credential::Bearer(token) => Ok((token, false)),
                _ => Err(AuthError::not_mine()),
            };
        };
        if own.next().is_some() || request.headers().contains_key(AUTHORIZATION) {
            // RFC 6750 §2: a client must not use more than one method to send its token.
            return Err(AuthError::malformed("there is more than one credential"));
        }
        match value.to_str() {
            Ok(text) => Ok((text.trim(), true)),
            Err(_) => Err(invalid()),
        }
    }

    fn looks_like_ours(&self, text: &str) -> bool {
        text.strip_prefix(self.prefix.as_str()).is_some_and(|rest| rest.starts_with('_'))
    }

    async fn find(&self, id: &str) -> Result<Option<Arc<KeyEntry>>, AuthError> {
        self.directory
            .find(id, self.clock())
            .await
            .map_err(|error| AuthError::unavailable(RETRY).log(format!("the key directory: {error}")))
    }

    /// Whether the entry opens this resource now.
    fn check(&self, entry: &KeyEntry, resource: &str) -> Result<(), AuthError> {
        if entry.expires().is_some_and(|end| self.clock().now() >= end) {
            return Err(AuthError::invalid_token("the API key has expired"));
        }
        if entry.opens(resource) {
            Ok(())
        } else {
            Err(AuthError::invalid_token("the API key is for another resource"))
        }
    }
}

#[async_trait]
impl Authenticator for ApiKeys {
    async fn start(&self, site: &SiteContext) -> Result<(), ConfigError> {
        key::check_prefix(&self.prefix)?;
        if let Some(header) = &self.header {
            let taken = self.header_name.as_ref().is_some_and(|name| {
                matches!(name.as_str(), "authorization" | "cookie" | "host" | "origin" | "dpop")
                    || name.as_str().starts_with("mcp-")
            });
            if self.header_name.is_none() || taken {
                return Err(ConfigError::new(format!(
                    "API keys cannot come in a header {header:?}: name one of their own, such as X-API-Key"
                )));
            }
        }
        // An authenticator of two sites goes by the clock of the first.
        let _ = self.clock.set(Arc::clone(site.clock()));
        self.directory.start(self.clock()).await
    }

    async fn authenticate(
        &self,
        request: &RequestHead<'_>,
        resource: &ProtectedResource,
    ) -> Result<Identity, AuthError> {
        let (text, own_header) = self.presented(request)?;
        if !self.looks_like_ours(text) {
            return Err(if own_header { invalid() } else { AuthError::not_mine() });
        }
        // The checksum costs nothing: what was cut off or made up never reaches the directory.
        let Some(id) = key::id_of(text, &self.prefix) else {
            return Err(AuthError::invalid_token("the API key is malformed or cut off"));
        };
        // The head has hashed its own header once already, for whoever else wants it.
        let digest = if own_header { key::digest(text) } else { *request.credential_digest() };
        let entry = self.find(id).await?;
        // A key that does not exist costs a comparison too, so that nobody learns by the clock which ids do.
        let kept = entry.as_deref().map_or(&NOBODY, KeyEntry::digest);
        let same = constant_time_eq(kept, digest);
        let Some(entry) = entry.filter(|_| same) else {
            return Err(invalid());
        };
        self.check(&entry, resource.identifier())?;
        let mut identity = Identity::new(self.issuer.clone(), entry.owner())
            .scopes(entry.granted().clone())
            .audience(resource.audience().clone())
            .token_id(entry.id())
            .method(AuthMethod::ApiKey)
            .extension(Presented(digest));
        if let Some(end) = entry.expires() {
            identity = identity.expires_at(end);
        }
        if let Some(client) = entry.used_by() {
            identity = identity.client(client);
        }
        Ok(identity.build())
    }

    /// Keys are looked up each time; what is none is told by its prefix.
    fn authenticate_now(&self, request: &RequestHead<'_>, _resource: &ProtectedResource) -> AtOnce {
        match self.presented(request) {
            Ok((text, false)) if !self.looks_like_ours(text) => AtOnce::NotMine,
            Err(error) if matches!(error.kind(), AuthErrorKind::Missing | AuthErrorKind::NotMine) => {
                AtOnce::NotMine
            }
            _ => AtOnce::Ask,
        }
    }

    fn credential_headers(&self) -> Vec<HeaderName> {
        self.header_name.iter().cloned().collect()
    }

    async fn still_valid(&self, identity: &Identity) -> Result<(), AuthError> {
        let (Some(Presented(digest)), Some(id)) = (identity.extension(), identity.token_id()) else {
            return Err(AuthError::not_mine());
        };
        let entry = self
            .find(id.as_str())
            .await?
            .filter(|entry| constant_time_eq(entry.digest(), digest))
            .ok_or_else(|| AuthError::invalid_token("the API key was withdrawn"))?;
        for audience in identity.audience() {
            self.check(&entry, audience.as_str())?;
        }
        let same_caller = entry.owner() == identity.subject().as_str()
            && entry.used_by() == identity.client().map(AsRef::as_ref);
        if same_caller && identity.scopes().without(entry.granted()).is_empty() {
            Ok(())
        } else {
            Err(AuthError::invalid_token("what the API key allows was changed"))
        }
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeys")
            .field("directory", &self.directory)
            .field("prefix", &self.prefix)
            .field("header", &self.header)
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

/// The hash of the key a caller came in with, kept with its identity for [`ApiKeys::still_valid`].
#[derive(Clone)]
struct Presented(Digest);

// The same words for a wrong secret and for an id that does not exist.
fn invalid() -> AuthError {
    AuthError::invalid_token("the API key is not known")
}

const NOBODY: Digest = [0; 32];
const RETRY: Duration = Duration::from_secs(5);
