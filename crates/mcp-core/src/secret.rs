//! Secrets: random, compared in constant time, wiped when dropped, never printed.

use std::fmt;

use aws_lc_rs::rand;
use base64ct::{Base64UrlUnpadded, Encoding};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::ConfigError;

/// A secret key of at least 256 bits.
///
/// ```
/// use mcp_core::SecretKey;
///
/// assert!(SecretKey::new(*b"too short").is_err());
/// let key = SecretKey::new([7; 32])?;
/// assert_eq!(format!("{key:?}"), "SecretKey([redacted])");
/// # Ok::<(), mcp_core::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct SecretKey(Zeroizing<Vec<u8>>);

impl SecretKey {
    /// Takes the bytes of a key.
    ///
    /// # Errors
    /// When there are fewer than 32 bytes, when all of them are zero, or when they are an example everybody knows: a
    /// default somebody forgot to replace.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, ConfigError> {
        let bytes = Zeroizing::new(bytes.into());
        if bytes.len() < 32 {
            return Err(ConfigError::new(format!(
                "the secret has {} bits: use at least 256, for example from `openssl rand -base64 32`",
                bytes.len() * 8
            )));
        }
        if bytes.iter().all(|byte| *byte == 0) {
            return Err(ConfigError::new(
                "the secret is all zeros: make one, for example by `openssl rand -base64 32`",
            ));
        }
        if KNOWN.iter().any(|known| bytes.as_slice() == known.as_bytes()) {
            return Err(ConfigError::new(
                "the secret is an example that everybody knows: make one, for example by `openssl rand -base64 32`",
            ));
        }
        Ok(Self(bytes))
    }

    /// A fresh random key of 256 bits.
    ///
    /// # Panics
    /// When the operating system has no randomness to give: nothing can be safe then.
    #[must_use]
    pub fn random() -> Self {
        Self(Zeroizing::new(random_bytes::<32>().to_vec()))
    }

    /// The bytes. Whoever sees them holds the key.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey([redacted])")
    }
}

/// Random bytes from the operating system's generator, by way of AWS-LC.
///
/// # Panics
/// When the operating system has no randomness to give: nothing can be safe then.
#[must_use]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[expect(clippy::expect_used, reason = "without randomness no server may go on; no peer can cause it")]
    rand::fill(&mut bytes).expect("the operating system's random generator failed");
    bytes
}

/// A random identifier of 256 bits as text: 43 characters of base64url.
#[must_use]
pub fn random_id() -> String {
    Base64UrlUnpadded::encode_string(&random_bytes::<32>())
}

/// Compares two texts without telling by the time it takes where they differ. Their lengths are not hidden.
///
/// ```
/// assert!(mcp_core::constant_time_eq("abc", "abc"));
/// assert!(!mcp_core::constant_time_eq("abc", "abd"));
/// assert!(!mcp_core::constant_time_eq("abc", "ab"));
/// ```
#[must_use]
pub fn constant_time_eq(a: impl AsRef<[u8]>, b: impl AsRef<[u8]>) -> bool {
    a.as_ref().ct_eq(b.as_ref()).into()
}

/// Long enough and yet no secret: what tutorials and token debuggers fill in.
const KNOWN: [&str; 5] = [
    "a-string-secret-at-least-256-bits-long",
    "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
    "01234567890123456789012345678901",
    "0123456789abcdef0123456789abcdef",
    "your-super-secret-jwt-token-with-at-least-32-characters-long",
];
