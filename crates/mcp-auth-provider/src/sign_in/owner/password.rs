//! The one password, as the store keeps it: one record that all servers on it go by.

use mcp_core::{ConfigError, random_bytes, random_id};
use mcp_store::{Batch, Committed, Name, Opened, Partition, StoreError, Vault};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::as_text;

use super::hash::Hasher;

/// A hash, how it was made, and which password it is of.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Password {
    #[serde(with = "as_text::bytes")]
    pub(super) salt: Vec<u8>,
    #[serde(with = "as_text::bytes")]
    pub(super) hash: Vec<u8>,
    /// In KiB.
    pub(super) memory: u32,
    pub(super) passes: u32,
    /// Another for each password; says nothing of it.
    pub(super) version: String,
}

impl Password {
    pub(super) fn new(salt: Vec<u8>, hash: Vec<u8>, memory: u32, passes: u32) -> Self {
        Self { salt, hash, memory, passes, version: random_id() }
    }

    pub(super) async fn read(vault: &Vault) -> Result<Option<Self>, StoreError> {
        vault.get_one(&partition(), &name()).await?.map(|found| found.json()).transpose()
    }
}

/// Makes a configured password the one that counts, unless it is already.
pub(super) async fn configure(vault: &Vault, hasher: &Hasher, clear: &str) -> Result<(), ConfigError> {
    for _ in 0..TRIES {
        let found = vault.get_one(&partition(), &name()).await.map_err(broken)?;
        let mut version = None;
        if let Some(found) = &found {
            let old: Password = found.json().map_err(broken)?;
            if hasher.fits(clear, &old).await.ok_or_else(no_memory)? {
                if hasher.is_current(&old) {
                    return Ok(());
                }
                version = Some(old.version);
            }
        }
        let mut new = hasher.hash(clear).await.ok_or_else(no_memory)?;
        // The same password by better parameters signs nobody out.
        new.version = version.unwrap_or(new.version);
        if put(vault, found.as_ref(), &new).await.map_err(broken)? {
            return Ok(());
        }
    }
    Err(ConfigError::new("other servers keep changing the owner's password: give all of them the same"))
}

/// Makes a password if there is none, and tells it.
pub(super) async fn generate(
    vault: &Vault,
    hasher: &Hasher,
    told: &(dyn Fn(&str) + Send + Sync),
) -> Result<(), ConfigError> {
    if Password::read(vault).await.map_err(broken)?.is_some() {
        return Ok(());
    }
    let clear = random();
    let new = hasher.hash(&clear).await.ok_or_else(no_memory)?;
    // Another server that starts at this moment may be faster; then its password counts, and it tells it.
    if put(vault, None, &new).await.map_err(broken)? {
        told(&clear);
    }
    Ok(())
}

async fn put(vault: &Vault, found: Option<&Opened>, new: &Password) -> Result<bool, StoreError> {
    let batch = match found {
        Some(found) => Batch::new().require(name(), found.revision()),
        None => Batch::new().require_absent(name()),
    };
    let batch = batch.put_json(name(), new, None)?;
    let revision = batch.revision();
    match vault.commit(&partition(), batch).await {
        Ok(Committed::Done(_)) => Ok(true),
        Ok(_) => Ok(false),
        Err(error) if error.is_unknown() => {
            let found = vault.get_one(&partition(), &name()).await?;
            Ok(found.is_some_and(|record| record.revision() == revision))
        }
        Err(error) => Err(error),
    }
}

/// Five groups of five letters and digits, without those that look alike: 125 bits.
fn random() -> Zeroizing<String> {
    let bytes = Zeroizing::new(random_bytes::<25>());
    let mut text = Zeroizing::new(String::with_capacity(29));
    for (n, byte) in bytes.iter().enumerate() {
        if n > 0 && n % 5 == 0 {
            text.push('-');
        }
        // 32 divides 256: no letter is likelier than another.
        text.push(char::from(ALPHABET[usize::from(byte % 32)]));
    }
    text
}

const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";

/// Where all that belongs to the owner's sign-in is kept.
pub(super) fn partition() -> Partition {
    #[expect(clippy::expect_used, reason = "a constant")]
    Partition::new("signin.owner").expect("a constant is a partition")
}

fn name() -> Name {
    #[expect(clippy::expect_used, reason = "a constant")]
    Name::new("password").expect("a constant is a name")
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function of map_err")]
fn broken(error: StoreError) -> ConfigError {
    ConfigError::new(format!("the owner's password cannot be kept: {error}"))
}

fn no_memory() -> ConfigError {
    ConfigError::new("the owner's password cannot be hashed: argon2id needs 19 MiB of memory")
}

const TRIES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_generated_has_125_bits_and_no_lookalikes() {
        let one = random();
        assert_eq!(one.len(), 29);
        assert!(one.bytes().all(|byte| byte == b'-' || ALPHABET.contains(&byte)), "{}", *one);
        assert_ne!(*one, *random());
        let mut letters = ALPHABET.to_vec();
        letters.sort_unstable();
        letters.dedup();
        assert_eq!(letters.len(), 32);
    }
}
