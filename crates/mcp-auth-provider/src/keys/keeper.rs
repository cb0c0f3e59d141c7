//! Keeping up with the record of the keys, and changing it.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use mcp_auth_jwt::{SigningAlgorithm, SigningKey};
use mcp_core::audit::{Audit, AuditEvent, EventKind, Outcome};
use mcp_core::{ConfigError, Issuer, Timestamp};
use mcp_store::{Batch, Committed, Name, Partition, Revision, StoreError, Vault};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::builder::{JwtTokens, KeyUse, SigningKeyView};
use super::ring::{Fresh, Policy, Ring, Use};

/// How old what a node knows of the keys may be: so late it learns that one was taken back.
const FOLLOW: Duration = Duration::from_secs(15);
/// A node that could not read the record for so long signs nothing.
const STALE: Duration = Duration::from_secs(60);
/// A store in trouble is not asked more often.
const PAUSE: Duration = Duration::from_secs(1);
/// How often a commit is tried again that somebody else was faster than.
const TRIES: usize = 8;

/// The signing keys of a server.
pub(crate) struct SigningKeys {
    vault: Vault,
    audit: Audit,
    issuer: Issuer,
    algorithm: SigningAlgorithm,
    policy: Policy,
    // Read for each token that is made; never held across an await.
    known: RwLock<Arc<Known>>,
    /// Who reads the record; and when that failed last.
    reading: tokio::sync::Mutex<Option<Timestamp>>,
}

/// The record as it was read.
struct Known {
    ring: Ring,
    keys: Vec<SigningKey>,
    read_at: Timestamp,
}

impl SigningKeys {
    /// Reads the keys, and makes the first if there is none. Of nodes that start at once, one makes it.
    ///
    /// # Errors
    /// When the choices are out of bounds or the store does not answer.
    pub(crate) async fn start(
        vault: &Vault,
        audit: &Audit,
        issuer: &Issuer,
        tokens: &JwtTokens,
        longest: Duration,
    ) -> Result<Self, ConfigError> {
        tokens.check()?;
        let keys = Self {
            vault: vault.clone(),
            audit: audit.clone(),
            issuer: issuer.clone(),
            algorithm: tokens.algorithm,
            policy: Policy {
                algorithm: tokens.algorithm.algorithm().name().to_owned(),
                every: tokens.every,
                longest,
            },
            known: RwLock::new(Arc::new(Known {
                ring: Ring::default(),
                keys: Vec::new(),
                read_at: Timestamp::default(),
            })),
            reading: tokio::sync::Mutex::new(None),
        };
        keys.keep_up()
            .await
            .map_err(|error| ConfigError::new("the signing keys cannot be read or made").because(error))?;
        Ok(keys)
    }

    /// Makes sure that what this node knows of the keys is recent, and does what is due. To be called before a key is needed.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(crate) async fn keep_up(&self) -> Result<(), StoreError> {
        if !self.is_old(FOLLOW) {
            return Ok(());
        }
        // One caller reads; whoever comes meanwhile waits for it and then has the answer.
        let mut failed_at = self.reading.lock().await;
        if !self.is_old(FOLLOW) {
            return Ok(());
        }
        let now = self.vault.now();
        if failed_at.is_some_and(|at| now >= at && now.since(at) < PAUSE) {
            return Err(StoreError::unavailable("the signing keys could not be read a moment ago"));
        }
        let read = self.read_and_maintain().await;
        *failed_at = read.is_err().then_some(now);
        read
    }

    /// A JWT of this type, signed with the key whose time it is.
    ///
    /// # Errors
    /// When the record was not read for so long that the key may have been taken back.
    pub(crate) fn sign(&self, typ: &str, claims: Map<String, Value>) -> Result<String, StoreError> {
        if self.is_old(STALE) {
            return Err(StoreError::unavailable("the signing keys could not be read for a minute"));
        }
        let known = self.known();
        known
            .ring
            .signer(self.vault.now())
            .and_then(|signer| known.keys.iter().find(|key| key.id() == signer.id))
            .and_then(|key| key.jwt(typ, claims))
            .ok_or(StoreError::corrupt("there is no key to sign with"))
    }

    /// Whether this key was taken back, as far as this node knows.
    pub(crate) fn is_retired(&self, id: &str) -> bool {
        self.known().ring.is_retired(id)
    }

    /// The public keys, as a JWK set (RFC 7517 §5).
    pub(crate) fn jwks(&self) -> Value {
        let known = self.known();
        let published = known.ring.published(self.vault.now());
        let keys: Vec<Value> = published
            .filter_map(|(entry, ..)| known.keys.iter().find(|key| key.id() == entry.id))
            .map(SigningKey::public_jwk)
            .collect();
        json!({ "keys": keys })
    }

    /// All keys, as an operator sees them.
    pub(crate) fn view(&self) -> Vec<SigningKeyView> {
        let known = self.known();
        let published = known.ring.published(self.vault.now());
        let view = published.map(|(key, used, end)| SigningKeyView {
            id: key.id.clone(),
            algorithm: key.algorithm.clone(),
            made_at: key.made_at,
            signs_from: key.signs_from,
            published_until: end,
            used: match used {
                Use::Next => KeyUse::Next,
                Use::Signs => KeyUse::Signs,
                Use::Verifies => KeyUse::Verifies,
            },
        });
        view.collect()
    }

    /// Publishes the next key before its time. Its id; `None` if there are too many keys.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(crate) async fn rotate(&self, by: &str) -> Result<Option<String>, StoreError> {
        let fresh = self.generate().await?;
        let id = self.change(|ring, now| ring.rotate(&self.policy, now, fresh.again())).await?;
        if let Some(id) = &id {
            self.record(id, "the next signing key was called for", Some(by));
        }
        Ok(id)
    }

    /// Takes a key back. Whether there was such a key.
    ///
    /// # Errors
    /// When the store does not answer: then it may or may not have been taken back, and trying again does no harm.
    pub(crate) async fn retire(&self, id: &str, by: &str) -> Result<bool, StoreError> {
        let fresh = self.generate().await?;
        let found = self
            .change(|ring, now| ring.retire(&self.policy, now, id, fresh.again()).then_some(()))
            .await?
            .is_some();
        if found {
            self.record(id, "a signing key was taken back", Some(by));
        }
        Ok(found)
    }

    /// Changes the record, once, if `with` says so, and takes over what comes of it.
    async fn change<T>(
        &self,
        with: impl Fn(&mut Ring, Timestamp) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        let _reading = self.reading.lock().await;
        for _ in 0..TRIES {
            let (mut ring, at) = self.read().await?;
            let Some(result) = with(&mut ring, self.vault.now()) else {
                self.learn(ring)?;
                return Ok(None);
            };
            if self.write(&ring, at).await? {
                self.learn(ring)?;
                return Ok(Some(result));
            }
        }
        Err(StoreError::unavailable("others change the signing keys all the time"))
    }

    async fn read_and_maintain(&self) -> Result<(), StoreError> {
        let mut fresh: Option<Made> = None;
        for _ in 0..TRIES {
            let (mut ring, at) = self.read().await?;
            let now = self.vault.now();
            if ring.wants_key(&self.policy, now) && fresh.is_none() {
                fresh = Some(self.generate().await?);
            }
            let before: Vec<String> = ring.keys().iter().map(|key| key.id.clone()).collect();
            if !ring.maintain(&self.policy, now, fresh.as_ref().map(Made::again)) {
                return self.learn(ring);
            }
            if self.write(&ring, at).await? {
                for key in ring.keys().iter().filter(|key| !before.contains(&key.id)) {
                    self.record(&key.id, "a new signing key", None);
                }
                return self.learn(ring);
            }
        }
        Err(StoreError::unavailable("others change the signing keys all the time"))
    }

    async fn read(&self) -> Result<(Ring, Option<Revision>), StoreError> {
        match self.vault.get_one(&partition(), &name()).await? {
            Some(found) => Ok((found.json()?, Some(found.revision()))),
            None => Ok((Ring::default(), None)),
        }
    }

    /// `false` if somebody else was faster. Where the store lost the answer, it is asked what became of it.
    async fn write(&self, ring: &Ring, at: Option<Revision>) -> Result<bool, StoreError> {
        let batch = match at {
            Some(revision) => Batch::new().require(name(), revision),
            None => Batch::new().require_absent(name()),
        };
        let revision = batch.revision();
        match self.vault.commit(&partition(), batch.put_json(name(), ring, None)?).await {
            Ok(Committed::Done(_)) => Ok(true),
            Ok(_) => Ok(false),
            Err(error) if error.is_unknown() => {
                let found = self.vault.get_one(&partition(), &name()).await?;
                Ok(found.is_some_and(|record| record.revision() == revision))
            }
            Err(error) => Err(error),
        }
    }

    /// Takes over what was read. Keys that are known are not parsed again.
    fn learn(&self, ring: Ring) -> Result<(), StoreError> {
        let known = self.known();
        let mut keys = Vec::new();
        for entry in ring.keys() {
            match known.keys.iter().find(|key| key.id() == entry.id) {
                Some(key) => keys.push(key.clone()),
                None => keys.push(
                    SigningKey::from_pem(&entry.pem)
                        .map_err(|_| StoreError::corrupt("a signing key cannot be read"))?,
                ),
            }
        }
        let learnt = Arc::new(Known { ring, keys, read_at: self.vault.now() });
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = learnt;
        Ok(())
    }

    /// Not on the thread of a request: an RSA key takes half a second.
    async fn generate(&self) -> Result<Made, StoreError> {
        let algorithm = self.algorithm;
        let key = tokio::task::spawn_blocking(move || SigningKey::generate(algorithm)).await;
        let key = key.map_err(|_| StoreError::unavailable("a key could not be made"))?;
        let pem = key.expose_pem().map_err(StoreError::unavailable)?;
        Ok(Made {
            id: key.id().to_owned(),
            algorithm: algorithm.algorithm().name(),
            pem: Zeroizing::new(pem),
        })
    }

    fn known(&self) -> Arc<Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Also if the clock was set back since.
    fn is_old(&self, age: Duration) -> bool {
        let (now, read_at) = (self.vault.now(), self.known().read_at);
        now < read_at || now.since(read_at) >= age
    }

    fn record(&self, key_id: &str, what: &'static str, by: Option<&str>) {
        let mut event = AuditEvent::new(self.vault.now(), EventKind::Key, Outcome::Allowed);
        event.subject = by.map(str::to_owned);
        self.audit.record(event.on(self.issuer.as_str()).doing(format!("key {key_id}")).because(what));
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeys").field("keys", &self.known().keys).finish_non_exhaustive()
    }
}

/// A key that was made, for as many attempts to put it into the record as it takes.
struct Made {
    id: String,
    algorithm: &'static str,
    pem: Zeroizing<String>,
}

impl Made {
    fn again(&self) -> Fresh {
        Fresh { id: self.id.clone(), algorithm: self.algorithm.to_owned(), pem: self.pem.clone() }
    }
}

#[expect(clippy::expect_used, reason = "a short word is a partition")]
pub(super) fn partition() -> Partition {
    Partition::new("keys").expect("a word is a partition")
}

#[expect(clippy::expect_used, reason = "a short word is a name")]
pub(super) fn name() -> Name {
    Name::new("ring").expect("a word is a name")
}
