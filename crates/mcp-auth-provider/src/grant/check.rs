//! Is this access token good, and whose is it?

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use mcp_core::{AuthError, AuthMethod, Identity, ProtectedResource, Timestamp};
use mcp_store::{Name, Partition, Revision, StoreError};
use quick_cache::sync::Cache;

use crate::engine::Engine;
use crate::wire::{TokenKind, TokenText, UnverifiedJwt, record_name};

use super::key::GrantKey;
use super::record::{AccessRecord, GrantRecord, grant_name};

/// Where the record of an access token is: attached to its identity.
#[derive(Clone, Debug)]
pub(crate) struct TokenPlace {
    pub(crate) partition: Partition,
    pub(crate) name: Name,
    /// What the token is called: the `jti` of a JWT, or the beginning of its hash.
    pub(crate) id: String,
    /// The key that signed it, where it is a JWT.
    key: Option<String>,
}

/// Where the record of an access token must be, if it is one of ours.
///
/// # Errors
/// [`AuthError::not_mine`] if it is not.
pub(crate) fn place_of(engine: &Engine, token: &str) -> Result<TokenPlace, AuthError> {
    if let Some(token) = TokenText::parse(TokenKind::Access, token) {
        let name = token.name();
        let id = name.as_str().trim_start_matches("access.").get(..22).unwrap_or_default().to_owned();
        return Ok(TokenPlace { partition: token.partition().clone(), name, id, key: None });
    }
    // No signature is checked here: a JWT of ours is one whose record is there, and that is named by the hash of all of it.
    let jwt = UnverifiedJwt::parse(token).ok_or_else(AuthError::not_mine)?;
    if jwt.issuer != engine.issuer.as_str() {
        return Err(AuthError::not_mine());
    }
    let partition = jwt.id.rsplit_once('.').and_then(|(partition, _)| TokenText::read_partition(partition));
    Ok(TokenPlace {
        partition: partition.ok_or_else(AuthError::not_mine)?,
        name: record_name(TokenKind::Access, token.as_bytes()),
        id: jwt.id,
        key: jwt.key,
    })
}

/// A token that was looked up a moment ago.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) identity: Identity,
    /// The thumbprint of the key that has to be proved with each request.
    pub(crate) jkt: Option<String>,
    resource: String,
    expires_at: Timestamp,
    looked_up: Timestamp,
    partition: Partition,
}

impl Known {
    /// Whether the token is for this resource.
    pub(crate) fn is_for(&self, resource: &ProtectedResource) -> bool {
        self.resource == resource.identifier()
    }
}

/// Tokens that were looked up a moment ago, by their SHA-256. Bounded; the oldest go first.
#[derive(Debug)]
pub(crate) struct KnownTokens {
    tokens: Cache<[u8; 32], Arc<Known>>,
    notice: Duration,
    /// One more with each time that anything is forgotten: what was read before must not be remembered after.
    edition: AtomicU64,
}

impl KnownTokens {
    /// Remembers tokens for `notice`: that is how late a revocation by another process is noticed.
    pub(crate) fn new(capacity: usize, notice: Duration) -> Self {
        Self { tokens: Cache::new(capacity), notice, edition: AtomicU64::new(0) }
    }

    /// The token with this digest, if it was looked up so shortly ago that it need not be again.
    pub(crate) fn get(&self, digest: &[u8; 32], now: Timestamp) -> Option<Arc<Known>> {
        if self.notice.is_zero() {
            return None;
        }
        let known = self.tokens.get(digest)?;
        // A clock that was set back must not make an answer live longer.
        let fresh =
            now >= known.looked_up && now.since(known.looked_up) < self.notice && now < known.expires_at;
        fresh.then_some(known)
    }

    /// What to hand to [`remember`](Self::remember), asked before the store is.
    pub(super) fn edition(&self) -> u64 {
        self.edition.load(Ordering::Acquire)
    }

    /// Remembers what was read, unless something was forgotten since.
    pub(super) fn remember(&self, digest: &[u8; 32], known: &Arc<Known>, edition: u64) {
        if self.notice.is_zero() || self.edition() != edition {
            return;
        }
        self.tokens.insert(*digest, known.clone());
        // Between the look and the insertion somebody may have forgotten it.
        if self.edition() != edition {
            self.tokens.remove(digest);
        }
    }

    /// Forgets every token of a grant.
    pub(crate) fn forget(&self, partition: &Partition) {
        self.edition.fetch_add(1, Ordering::AcqRel);
        self.tokens.retain(|_, known| known.partition != *partition);
    }

    /// Forgets all of them.
    pub(crate) fn forget_all(&self) {
        self.edition.fetch_add(1, Ordering::AcqRel);
        self.tokens.clear();
    }

    /// Forgets one token.
    pub(crate) fn forget_token(&self, digest: &[u8; 32]) {
        self.edition.fetch_add(1, Ordering::AcqRel);
        self.tokens.remove(digest);
    }
}

/// Looks a token up in the store.
///
/// # Errors
/// [`AuthError::invalid_token`] when there is no such token or its grant has ended; [`AuthError::unavailable`] when the store
/// does not answer.
pub(crate) async fn look_up(
    engine: &Engine,
    place: &TokenPlace,
    token: &str,
    digest: &[u8; 32],
) -> Result<Arc<Known>, AuthError> {
    let (now, edition) = (engine.now(), engine.known.edition());
    let Some((access, grant)) = read(engine, place).await.map_err(cannot_tell)? else {
        return Err(unknown());
    };
    let props = props(place, token, &access, &grant).map_err(cannot_tell)?;
    let client = access.client.unwrap_or_else(|| grant.client.to_string());
    let method = if access.jkt.is_some() { AuthMethod::Dpop } else { AuthMethod::Bearer };
    let mut identity = Identity::new(engine.issuer.clone(), grant.subject)
        .client(client)
        .scopes(access.scopes)
        .audience(access.resource.as_str())
        .expires_at(access.expires_at)
        .issued_at(access.issued_at)
        .token_id(place.id.as_str())
        .method(method)
        .extension(place.clone());
    if let Some(act) = access.act {
        identity = identity.claims([("act".to_owned(), act)].into_iter().collect());
    }
    if let Some(props) = props {
        identity = identity.props(props);
    }
    let known = Arc::new(Known {
        identity: identity.build(),
        jkt: access.jkt,
        resource: access.resource,
        expires_at: access.expires_at,
        looked_up: now,
        partition: place.partition.clone(),
    });
    engine.known.remember(digest, &known, edition);
    Ok(known)
}

/// Whether a token that was good is so still.
///
/// # Errors
/// As [`look_up`].
pub(crate) async fn still_good(engine: &Engine, place: &TokenPlace) -> Result<(), AuthError> {
    match read(engine, place).await.map_err(cannot_tell)? {
        Some(_) => Ok(()),
        None => Err(unknown()),
    }
}

/// The record of a token and that of its grant, if both are alive.
pub(crate) async fn read(
    engine: &Engine,
    place: &TokenPlace,
) -> Result<Option<(AccessRecord, GrantRecord)>, StoreError> {
    Ok(read_at(engine, place).await?.map(|(access, grant, _)| (access, grant)))
}

/// The same, and who wrote each of them: for a commit that requires that nothing changed.
pub(super) async fn read_at(
    engine: &Engine,
    place: &TokenPlace,
) -> Result<Option<(AccessRecord, GrantRecord, [Revision; 2])>, StoreError> {
    if let (Some(keys), Some(key)) = (&engine.keys, &place.key) {
        keys.keep_up().await?;
        if keys.is_retired(key) {
            return Ok(None);
        }
    }
    let names = [place.name.clone(), grant_name()];
    let mut found = engine.vault.get(&place.partition, &names).await?.into_iter();
    let (Some(Some(access)), Some(Some(grant))) = (found.next(), found.next()) else { return Ok(None) };
    let at = [access.revision(), grant.revision()];
    let (access, grant): (AccessRecord, GrantRecord) = (access.json()?, grant.json()?);
    Ok(grant.ended.is_none().then_some((access, grant, at)))
}

/// The SHA-256 of a token: under which it is known.
pub(super) fn digest_of(token: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    hash
}

/// What the grant lets tools know, opened by the token.
fn props(
    place: &TokenPlace,
    token: &str,
    access: &AccessRecord,
    grant: &GrantRecord,
) -> Result<Option<serde_json::Value>, StoreError> {
    // A token that is older than the first props has no key to them.
    if grant.props.is_empty() || access.key.is_empty() {
        return Ok(None);
    }
    let clear = GrantKey::unwrap(&access.key, token, &place.partition)
        .and_then(|key| key.open(&place.partition, &grant.props))
        .ok_or(StoreError::corrupt("what a grant remembers does not open with its token"))?;
    serde_json::from_slice(&clear)
        .map(Some)
        .map_err(|_| StoreError::corrupt("what a grant remembers is no JSON"))
}

fn unknown() -> AuthError {
    AuthError::invalid_token("the token is unknown, has expired or was revoked")
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function of map_err")]
fn cannot_tell(error: StoreError) -> AuthError {
    AuthError::unavailable(Duration::from_secs(2)).log(error.to_string())
}
