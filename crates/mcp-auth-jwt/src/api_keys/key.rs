//! The form of a key: `<prefix>_<id>_<secret><checksum>`.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest as hash};
use mcp_core::{ConfigError, random_bytes};
use zeroize::Zeroizing;

/// The SHA-256 of a whole key.
pub(super) type Digest = [u8; 32];

/// A key as its owner gets it. It is shown once; nothing but its hash is kept.
///
/// ```
/// use mcp_auth_jwt::ApiKeys;
///
/// let new = ApiKeys::generate("ada");
/// let text = new.key().expose();
/// assert!(text.starts_with(&format!("mcpk_{}_", new.key().id())));
/// assert_eq!(text.len(), 4 + 1 + 12 + 1 + 43 + 6);
/// assert!(!format!("{:?}", new.key()).contains(text));
/// ```
#[derive(Clone)]
pub struct ApiKey {
    text: Zeroizing<String>,
    prefix: usize,
}

impl ApiKey {
    /// A fresh key. The prefix was checked.
    pub(super) fn generate(prefix: &str) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(prefix.len() + 2 + ID + SECRET + CHECKSUM));
        text.push_str(prefix);
        text.push('_');
        push_random(&mut text, ID);
        text.push('_');
        push_random(&mut text, SECRET);
        let checksum = checksum(&text);
        text.push_str(&checksum);
        Self { text, prefix: prefix.len() }
    }

    /// The key. Whoever sees it can use it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// What the key is called in the directory and in logs. It opens nothing.
    #[must_use]
    pub fn id(&self) -> &str {
        self.text.get(self.prefix + 1..self.prefix + 1 + ID).unwrap_or_default()
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({}_[redacted])", self.id())
    }
}

/// Checks the form of a key with this prefix, checksum included, and returns its id.
pub(super) fn id_of<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let rest = text.strip_prefix(prefix)?.strip_prefix('_')?;
    let (id, rest) = rest.split_once('_')?;
    let in_form = id.len() == ID
        && rest.len() == SECRET + CHECKSUM
        && id.bytes().chain(rest.bytes()).all(|byte| byte.is_ascii_alphanumeric());
    if !in_form {
        return None;
    }
    let (body, end) = text.split_at_checked(text.len().checked_sub(CHECKSUM)?)?;
    (checksum(body) == end).then_some(id)
}

/// Whether a text is the id of a key.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == ID && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

pub(super) fn digest(text: &str) -> Digest {
    let mut out = [0; 32];
    out.copy_from_slice(hash(&SHA256, text.as_bytes()).as_ref());
    out
}

pub(super) fn check_prefix(prefix: &str) -> Result<(), ConfigError> {
    let fits = (2..=16).contains(&prefix.len())
        && prefix.starts_with(|first: char| first.is_ascii_lowercase())
        && prefix.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if fits {
        Ok(())
    } else {
        Err(ConfigError::new(format!(
            "{prefix:?} cannot be the prefix of API keys: use 2 to 16 lower-case letters and digits, beginning with a letter"
        )))
    }
}

fn push_random(text: &mut String, mut count: usize) {
    while count > 0 {
        for byte in random_bytes::<64>() {
            // 248 is the largest multiple of 62 in a byte: the rest would favour some letters.
            if count > 0 && byte < 248 {
                text.push(char::from(ALPHABET[usize::from(byte % 62)]));
                count -= 1;
            }
        }
    }
}

/// CRC-32 (ISO-HDLC) in base 62: against slips, not against forgery.
fn checksum(text: &str) -> String {
    let mut crc = u32::MAX;
    for byte in text.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            let mask = 0u32.wrapping_sub(crc & 1);
            crc = (crc >> 1) ^ (0xedb8_8320 & mask);
        }
    }
    let mut rest = !crc;
    let mut digits = [b'0'; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(rest % 62) as usize];
        rest /= 62;
    }
    digits.iter().copied().map(char::from).collect()
}

pub(super) const DEFAULT_PREFIX: &str = "mcpk";
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ID: usize = 12;
// 62^43 > 2^256.
const SECRET: usize = 43;
const CHECKSUM: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_crc_32() {
        // The check value of the CRC catalogue: CRC-32/ISO-HDLC of "123456789" is cbf43926.
        let mut value = 0xcbf4_3926_u32;
        let mut expected = Vec::new();
        for _ in 0..6 {
            expected.insert(0, ALPHABET[(value % 62) as usize]);
            value /= 62;
        }
        assert_eq!(checksum("123456789").as_bytes(), expected);
    }

    #[test]
    fn keys_differ_and_are_read_back() {
        let keys: Vec<ApiKey> = (0..50).map(|_| ApiKey::generate("ab1")).collect();
        for (n, key) in keys.iter().enumerate() {
            assert_eq!(id_of(key.expose(), "ab1"), Some(key.id()));
            assert_eq!(id_of(key.expose(), "ab"), None);
            assert!(keys.iter().skip(n + 1).all(|other| other.id() != key.id()));
        }
    }
}
