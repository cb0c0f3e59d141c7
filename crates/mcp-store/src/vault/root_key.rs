//! The key at the root: under it the key ring is sealed, and under the ring everything else.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use mcp_core::{ConfigError, SecretKey};

use super::aead::AeadKey;
use super::key_file;
use crate::StoreError;

/// The key that opens a store. All servers on one store have the same.
///
/// It is used once at start and once for each new data key, never for records.
///
/// ```
/// use mcp_core::SecretKey;
/// use mcp_store::RootKey;
///
/// let root = RootKey::from_secret(&SecretKey::random());
/// assert_eq!(format!("{root:?}"), "RootKey([redacted])");
/// ```
#[derive(Clone)]
pub struct RootKey {
    wrapper: Arc<dyn KeyWrapper>,
    previous: Option<Arc<Self>>,
}

/// Something that holds a key and does not give it away: a key management service, a hardware module.
///
/// It wraps random keys of 256 bits. [`unwrap`](Self::unwrap) must refuse what was not made by [`wrap`](Self::wrap) with
/// the same key: wrap with authenticated encryption.
#[async_trait]
pub trait KeyWrapper: fmt::Debug + Send + Sync + 'static {
    /// Seals a key. The result, at most 16 KiB, is kept in the store.
    ///
    /// # Errors
    /// [`StoreError::unavailable`] when it cannot be done now.
    async fn wrap(&self, key: &SecretKey) -> Result<Vec<u8>, StoreError>;

    /// Opens it again.
    ///
    /// # Errors
    /// [`StoreError::corrupt`] when it was not sealed here; [`StoreError::unavailable`] when that cannot be told now.
    async fn unwrap(&self, wrapped: &[u8]) -> Result<SecretKey, StoreError>;
}

impl RootKey {
    /// A secret from the configuration. It may serve other purposes too: the key that is used is derived from it.
    #[must_use]
    pub fn from_secret(secret: &SecretKey) -> Self {
        Self::wrapped_by(Arc::new(Local(AeadKey::derive(secret, b"root key"))))
    }

    /// A secret from a file that nobody but its owner may read: at least 256 random bits, as bytes or as base64 (as from
    /// `openssl rand -base64 32`).
    ///
    /// # Errors
    /// When the file cannot be read, others may read it, or it holds no such secret.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        Ok(Self::from_secret(&key_file::read(path.as_ref())?))
    }

    /// A key that this process never sees.
    pub fn wrapped_by(wrapper: Arc<dyn KeyWrapper>) -> Self {
        Self { wrapper, previous: None }
    }

    /// In the place of this one: a vault that finds its key ring sealed under the previous key seals it under the new one.
    ///
    /// Give the pair to all servers, one after the other, and take the previous key away when the last of them has started.
    /// Those that have the previous key alone go on until then with the ring that they know, but cannot start anew.
    #[must_use]
    pub fn with_previous(mut self, previous: Self) -> Self {
        self.previous = Some(Arc::new(previous));
        self
    }

    pub(super) async fn wrap(&self, key: &SecretKey) -> Result<Vec<u8>, StoreError> {
        self.wrapper.wrap(key).await
    }

    /// The key, and whether it was wrapped under a previous one.
    pub(super) async fn unwrap(&self, wrapped: &[u8]) -> Result<(SecretKey, bool), StoreError> {
        let mut refused = match self.wrapper.unwrap(wrapped).await {
            Ok(key) => return Ok((key, false)),
            Err(error) => error,
        };
        let mut previous = &self.previous;
        while let Some(root) = previous
            && !refused.is_transient()
        {
            match root.wrapper.unwrap(wrapped).await {
                Ok(key) => return Ok((key, true)),
                Err(error) => refused = error,
            }
            previous = &root.previous;
        }
        Err(refused)
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootKey([redacted])")
    }
}

/// Wraps with a key in memory.
struct Local(AeadKey);

#[async_trait]
impl KeyWrapper for Local {
    async fn wrap(&self, key: &SecretKey) -> Result<Vec<u8>, StoreError> {
        Ok(self.0.seal(&[], WRAPPED, key.expose()))
    }

    async fn unwrap(&self, wrapped: &[u8]) -> Result<SecretKey, StoreError> {
        let key = self
            .0
            .open(wrapped, WRAPPED)
            .ok_or(StoreError::corrupt("it is sealed under another root key"))?;
        SecretKey::new(key.as_slice()).map_err(|_| StoreError::corrupt("a wrapped key is too short"))
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key in memory")
    }
}

const WRAPPED: &[u8] = b"mcp-store wrapped key v1";
