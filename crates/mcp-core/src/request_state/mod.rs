//! Sealing of MCP `requestState`: what a server gives a client to carry until the client asks again (spec SEC-13).
//!
//! A stateless server that needs more input answers `input_required` with a `requestState`, and gets it back with the
//! client's next request. In between the client may read, change, keep or swap it, so it is sealed: AES-256-GCM under a
//! key derived from the server's secret (HKDF-SHA-256), bound to the [principal](crate::Principal) and to the
//! [context](StateContext) it was made for, with its end inside. Whoever opens it under another identity, for another
//! call, too late or changed gets an error that says nothing of the reason.
//!
//! Nodes that share the secret open each other's states. Sealing the same state twice gives two different texts; one
//! key is good for four billion of them (the bound for random nonces, NIST SP 800-38D §8.3), so
//! [rotate](StateSealer::with_previous) it long before.
//!
//! A state that may be used only once (it stands for a confirmation, a payment) is opened with
//! [`StateSealer::open_once`], which remembers in this process what was used. With several nodes behind one address, let
//! the act itself be idempotent, or keep the mark in a shared store.
//!
//! ```
//! use std::time::Duration;
//! use mcp_core::request_state::{StateContext, StateSealer};
//! use mcp_core::{Identity, SecretKey, Timestamp};
//!
//! let sealer = StateSealer::new(&SecretKey::random());
//! let ada = Identity::new("https://idp.example.com", "ada").client("cli").build();
//! let context = StateContext::new("tools/call").name("delete_file");
//! let now = Timestamp::from_secs(1_700_000_000);
//!
//! let state = sealer.seal(&ada, &context, Duration::from_secs(300), now, &("report.txt", 3))?;
//! let (file, version): (String, u32) = sealer.open(&ada, &context, now, &state)?;
//! assert_eq!((file.as_str(), version), ("report.txt", 3));
//!
//! let bob = Identity::new("https://idp.example.com", "bob").client("cli").build();
//! let error = sealer.open::<(String, u32)>(&bob, &context, now, &state).unwrap_err();
//! assert_eq!(error.to_string(), "the request state is not valid");
//! # Ok::<(), mcp_core::request_state::StateError>(())
//! ```

mod context;
mod error;
mod guard;
mod sealed;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, RandomizedNonceKey};
use aws_lc_rs::hkdf::{self, HKDF_SHA256, Salt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

pub use context::StateContext;
pub use error::{StateError, StateErrorKind};

use crate::{Identity, SecretKey, Timestamp};
use guard::ReplayGuard;
use sealed::{KeyId, Sealed};

/// Seals and opens request states. Clones share the memory of [`open_once`](Self::open_once).
#[derive(Clone)]
pub struct StateSealer {
    current: Arc<StateKey>,
    previous: Vec<Arc<StateKey>>,
    max_len: usize,
    used: Arc<ReplayGuard>,
}

impl StateSealer {
    /// Seals under this secret. It may serve other purposes too: the key that is used is derived from it.
    #[must_use]
    pub fn new(secret: &SecretKey) -> Self {
        Self {
            current: Arc::new(StateKey::derive(secret)),
            previous: Vec::new(),
            max_len: 16 * 1024,
            used: Arc::new(ReplayGuard::new(65_536)),
        }
    }

    /// Still opens what was sealed under an earlier secret. Keep it for as long as the longest life of a state.
    #[must_use]
    pub fn with_previous(mut self, secret: &SecretKey) -> Self {
        self.previous.push(Arc::new(StateKey::derive(secret)));
        self
    }

    /// How long a sealed text may be, in bytes (16 KiB unless said); nothing longer is made or looked at.
    #[must_use]
    pub fn max_len(mut self, bytes: usize) -> Self {
        self.max_len = bytes;
        self
    }

    /// How many used states are remembered by [`open_once`](Self::open_once) at a time (65,536 unless said). What was
    /// remembered before is forgotten. An entry takes about 50 bytes, until the state expires.
    #[must_use]
    pub fn remember(mut self, states: usize) -> Self {
        self.used = Arc::new(ReplayGuard::new(states));
        self
    }

    /// Seals a payload for this caller and this context, for `ttl` from `now`: a text of base64url characters.
    ///
    /// # Errors
    /// When the payload cannot be written as JSON or is too long.
    pub fn seal(
        &self,
        identity: &Identity,
        context: &StateContext,
        ttl: Duration,
        now: Timestamp,
        payload: &impl Serialize,
    ) -> Result<String, StateError> {
        let mut bytes = Zeroizing::new((now + ttl).as_millis().to_be_bytes().to_vec());
        serde_json::to_writer(&mut *bytes, payload)
            .map_err(|error| StateError::shape(StateErrorKind::Unwritable, &error))?;
        let id = self.current.id;
        let aad = aad(id, identity, context);
        let nonce = self
            .current
            .aead
            .seal_in_place_append_tag(Aad::from(aad), &mut *bytes)
            .map_err(|_| StateError::of(StateErrorKind::Unwritable))?;
        let text = Sealed::write(id, nonce.as_ref(), &bytes);
        if text.len() > self.max_len {
            return Err(StateError::of(StateErrorKind::TooLong));
        }
        Ok(text)
    }

    /// Opens a state. It can be opened again until it expires.
    ///
    /// # Errors
    /// When it was not sealed here, by one of these keys, for this caller and this context; when it has expired; when
    /// the payload does not have the shape of `T`.
    pub fn open<T: DeserializeOwned>(
        &self,
        identity: &Identity,
        context: &StateContext,
        now: Timestamp,
        state: &str,
    ) -> Result<T, StateError> {
        self.unseal(identity, context, now, state).map(|opened| opened.payload)
    }

    /// Opens a state that may be used only once. The mark is set when everything else is right: an attempt that fails
    /// burns nothing.
    ///
    /// The marks are kept in this process, in bounded memory, and are never dropped before the state expires. When there
    /// is no room for another, or the caller alone holds a 64th of it, the answer is
    /// [`StateErrorKind::Full`]: refusing is safe, forgetting would not be.
    ///
    /// # Errors
    /// As [`open`](Self::open), and when it was used before or the memory is full.
    pub fn open_once<T: DeserializeOwned>(
        &self,
        identity: &Identity,
        context: &StateContext,
        now: Timestamp,
        state: &str,
    ) -> Result<T, StateError> {
        let opened = self.unseal(identity, context, now, state)?;
        self.used.claim(now, opened.expires_at, opened.nonce, identity.principal())?;
        Ok(opened.payload)
    }

    fn unseal<T: DeserializeOwned>(
        &self,
        identity: &Identity,
        context: &StateContext,
        now: Timestamp,
        state: &str,
    ) -> Result<Opened<T>, StateError> {
        if state.len() > self.max_len {
            return Err(StateError::of(StateErrorKind::TooLong));
        }
        let forged = || StateError::of(StateErrorKind::Forged);
        let Sealed { id, nonce, mut bytes } = Sealed::read(state).ok_or_else(forged)?;
        let key = std::iter::once(&self.current)
            .chain(&self.previous)
            .find(|key| key.id == id)
            .ok_or_else(|| StateError::of(StateErrorKind::UnknownKey))?;
        let opened = key
            .aead
            .open_in_place((&nonce).into(), Aad::from(aad(id, identity, context)), &mut bytes)
            .map_err(|_| forged())?;
        let (expires_at, payload) = opened.split_first_chunk().ok_or_else(forged)?;
        let expires_at = Timestamp::from_millis(u64::from_be_bytes(*expires_at));
        if expires_at <= now {
            return Err(StateError::of(StateErrorKind::Expired));
        }
        let payload = serde_json::from_slice(payload)
            .map_err(|error| StateError::shape(StateErrorKind::Shape, &error))?;
        Ok(Opened { expires_at, nonce, payload })
    }
}

impl fmt::Debug for StateSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateSealer")
            .field("previous", &self.previous.len())
            .field("max_len", &self.max_len)
            .finish_non_exhaustive()
    }
}

struct Opened<T> {
    expires_at: Timestamp,
    nonce: [u8; 12],
    payload: T,
}

struct StateKey {
    /// Tells keys apart without trying them. Derived, so that nodes agree on it; says nothing about the key.
    id: KeyId,
    aead: RandomizedNonceKey,
}

impl StateKey {
    #[expect(
        clippy::expect_used,
        reason = "the lengths are constants that suit the algorithms; no peer has a part in it"
    )]
    fn derive(secret: &SecretKey) -> Self {
        let root = Salt::new(HKDF_SHA256, b"mcp-core request state v1").extract(secret.expose());
        let mut key = Zeroizing::new([0; 32]);
        let mut id = KeyId::default();
        let expand = |info: &[u8], out: &mut [u8]| {
            root.expand(&[info], Length(out.len()))
                .and_then(|okm| okm.fill(out))
                .expect("HKDF gives up to 255 blocks");
        };
        expand(b"key", &mut *key);
        expand(b"id", &mut id);
        let aead = RandomizedNonceKey::new(&AES_256_GCM, &*key).expect("AES-256 takes 32 bytes");
        Self { id, aead }
    }
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// What a state is bound to beside its key. The context is of fixed length, so that the parts cannot be shifted.
fn aad(id: KeyId, identity: &Identity, context: &StateContext) -> Vec<u8> {
    let principal = identity.principal().as_str().as_bytes();
    [&[sealed::VERSION], &id[..], &context.digest(), principal].concat()
}
