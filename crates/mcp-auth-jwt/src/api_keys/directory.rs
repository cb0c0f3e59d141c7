//! Where keys are looked up.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use mcp_core::{Clock, ConfigError};

use super::KeyEntry;
use super::key::is_id;

/// Finds the entry of a key by its id: a file, a table, a service of your own.
///
/// It is asked at every request and again for long streams, so an entry that is gone or changed takes effect with the
/// next request.
#[async_trait]
pub trait KeyDirectory: fmt::Debug + Send + Sync + 'static {
    /// Called before the first look-up.
    ///
    /// # Errors
    /// When the directory cannot be used, in a sentence that says what to do.
    async fn start(&self, clock: &dyn Clock) -> Result<(), ConfigError> {
        let _ = clock;
        Ok(())
    }

    /// The entry with this id, twelve letters and digits that a caller sent.
    ///
    /// # Errors
    /// When it cannot be told whether there is one; the caller is answered 503.
    async fn find(&self, id: &str, clock: &dyn Clock) -> Result<Option<Arc<KeyEntry>>, KeyDirectoryError>;
}

#[async_trait]
impl<D: KeyDirectory + ?Sized> KeyDirectory for Arc<D> {
    async fn start(&self, clock: &dyn Clock) -> Result<(), ConfigError> {
        (**self).start(clock).await
    }

    async fn find(&self, id: &str, clock: &dyn Clock) -> Result<Option<Arc<KeyEntry>>, KeyDirectoryError> {
        (**self).find(id, clock).await
    }
}

/// Why a directory cannot tell: a sentence for the log.
#[derive(Debug)]
pub struct KeyDirectoryError(String);

impl KeyDirectoryError {
    /// A directory that cannot tell. No secret may stand in the sentence.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

impl fmt::Display for KeyDirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for KeyDirectoryError {}

/// A directory in memory. Held in an [`Arc`], it can be changed while the server runs.
///
/// ```
/// use std::sync::Arc;
/// use mcp_auth_jwt::{ApiKeys, KeyList};
///
/// let list = Arc::new(KeyList::default());
/// let authenticator = ApiKeys::new(list.clone());
/// let new = ApiKeys::generate("ada");
/// list.insert(new.entry().clone())?;
/// assert!(list.revoke(new.key().id()));
/// assert!(!list.revoke(new.key().id()));
/// # Ok::<(), mcp_core::ConfigError>(())
/// ```
#[derive(Default)]
pub struct KeyList(RwLock<HashMap<String, Arc<KeyEntry>>>);

impl KeyList {
    /// A directory of these entries.
    ///
    /// # Errors
    /// When two of them have the same id, or one has no owner.
    pub fn new(entries: impl IntoIterator<Item = KeyEntry>) -> Result<Self, ConfigError> {
        let list = Self::default();
        for entry in entries {
            list.insert(entry)?;
        }
        Ok(list)
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// When there is one with its id, or it has no owner.
    pub fn insert(&self, entry: KeyEntry) -> Result<(), ConfigError> {
        let mut entries = self.0.write().unwrap_or_else(PoisonError::into_inner);
        insert(&mut entries, entry)
    }

    /// Takes an entry out: the key is refused from now on. Whether there was one.
    pub fn revoke(&self, id: &str) -> bool {
        let mut entries = self.0.write().unwrap_or_else(PoisonError::into_inner);
        entries.remove(id).is_some()
    }
}

#[async_trait]
impl KeyDirectory for KeyList {
    async fn find(&self, id: &str, _: &dyn Clock) -> Result<Option<Arc<KeyEntry>>, KeyDirectoryError> {
        let entries = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Ok(entries.get(id).cloned())
    }
}

impl fmt::Debug for KeyList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.0.read().unwrap_or_else(PoisonError::into_inner);
        write!(f, "KeyList({} keys)", entries.len())
    }
}

/// Adds an entry to a map by id, if it can be one.
pub(super) fn insert(
    entries: &mut HashMap<String, Arc<KeyEntry>>,
    entry: KeyEntry,
) -> Result<(), ConfigError> {
    // First, and without the text: somebody may have put a whole key there.
    if !is_id(&entry.id) {
        return Err(ConfigError::new(format!(
            "an API key of {:?} has an id that is none: copy the 12 letters and digits between the key's underscores",
            entry.owner
        )));
    }
    if entry.owner.trim().is_empty() {
        return Err(ConfigError::new(format!(
            "the API key {:?} has no owner: name whom its callers act as",
            entry.id
        )));
    }
    let id = entry.id.clone();
    if entries.insert(id.clone(), Arc::new(entry)).is_some() {
        return Err(ConfigError::new(format!(
            "the API key {id:?} is there twice: take one of its entries out"
        )));
    }
    Ok(())
}
