//! The key of a grant: what tools may know is sealed under it, and it is wrapped by each token of the grant. Who has the database
//! and the vault's keys, but no token, cannot read it.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest;
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use mcp_core::random_bytes;
use mcp_store::Partition;
use zeroize::Zeroizing;

/// 256 random bits, in clear only while a token of the grant is at hand.
pub(crate) struct GrantKey(Zeroizing<[u8; 32]>);

impl GrantKey {
    pub(crate) fn random() -> Self {
        Self(Zeroizing::new(random_bytes()))
    }

    /// The key itself, to be kept where nobody has a token yet.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.0.to_vec()
    }

    /// The key that was kept so.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(Zeroizing::new(bytes.try_into().ok()?)))
    }

    /// Wraps it, so that this token opens it.
    pub(crate) fn wrap(&self, token: &str, partition: &Partition) -> Vec<u8> {
        seal(&of_token(token, WRAP), partition, &*self.0)
    }

    /// Opens what [`wrap`](Self::wrap) gave. `None` if that was another token's, or there is none.
    pub(crate) fn unwrap(wrapped: &[u8], token: &str, partition: &Partition) -> Option<Self> {
        let clear = open(&of_token(token, WRAP), partition, wrapped)?;
        Some(Self(Zeroizing::new(clear.as_slice().try_into().ok()?)))
    }

    /// Seals something of the grant.
    pub(crate) fn seal(&self, partition: &Partition, clear: &[u8]) -> Vec<u8> {
        seal(&derive(&*self.0, b"mcp-auth props 1"), partition, clear)
    }

    /// Opens what [`seal`](Self::seal) gave.
    pub(crate) fn open(&self, partition: &Partition, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        open(&derive(&*self.0, b"mcp-auth props 1"), partition, sealed)
    }
}

/// Seals an answer so that only the token it answers opens it.
pub(crate) fn seal_answer(token: &str, partition: &Partition, clear: &[u8]) -> Vec<u8> {
    seal(&of_token(token, ANSWER), partition, clear)
}

/// Opens what [`seal_answer`] gave.
pub(crate) fn open_answer(token: &str, partition: &Partition, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    open(&of_token(token, ANSWER), partition, sealed)
}

const WRAP: &[u8] = b"mcp-auth wrap 1\0";
const ANSWER: &[u8] = b"mcp-auth answer 1\0";

/// The key that a token is for one purpose. A token has 256 random bits, so there is nothing to extract or to stretch: the hash
/// of both is a key that nobody has without the token, at a quarter of what HKDF costs, three times a refresh.
#[expect(clippy::expect_used, reason = "a SHA-256 is as long as a key of AES-256")]
fn of_token(token: &str, purpose: &[u8]) -> LessSafeKey {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(purpose);
    hash.update(token.as_bytes());
    let key = UnboundKey::new(&AES_256_GCM, hash.finish().as_ref()).expect("32 bytes");
    LessSafeKey::new(key)
}

#[expect(clippy::expect_used, reason = "lengths are constants of the algorithms")]
fn derive(secret: &[u8], purpose: &[u8]) -> LessSafeKey {
    let info = [purpose];
    let key = Salt::new(HKDF_SHA256, &[]).extract(secret);
    let okm = key.expand(&info, &AES_256_GCM).expect("HKDF gives 32 bytes");
    LessSafeKey::new(UnboundKey::from(okm))
}

#[expect(clippy::expect_used, reason = "AES-GCM seals anything shorter than gigabytes")]
fn seal(key: &LessSafeKey, partition: &Partition, clear: &[u8]) -> Vec<u8> {
    let nonce: [u8; NONCE_LEN] = random_bytes();
    let mut sealed = nonce.to_vec();
    sealed.extend_from_slice(clear);
    let aad = Aad::from(partition.as_str());
    let (_, body) = sealed.split_at_mut(NONCE_LEN);
    let tag = key
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad, body)
        .expect("a short value can be sealed");
    sealed.extend_from_slice(tag.as_ref());
    sealed
}

fn open(key: &LessSafeKey, partition: &Partition, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, body) = sealed.split_at_checked(NONCE_LEN)?;
    let mut body = Zeroizing::new(body.to_vec());
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let length = key.open_in_place(nonce, Aad::from(partition.as_str()), &mut body).ok()?.len();
    body.truncate(length);
    Some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_token_opens_a_key() {
        let (here, there) = (Partition::random(), Partition::random());
        let key = GrantKey::random();
        let wrapped = key.wrap("token", &here);
        let sealed = key.seal(&here, b"ada@example.com");
        let again = GrantKey::unwrap(&wrapped, "token", &here).unwrap();
        assert_eq!(&**again.open(&here, &sealed).unwrap(), b"ada@example.com");
        assert!(GrantKey::unwrap(&wrapped, "tokem", &here).is_none());
        assert!(GrantKey::unwrap(&wrapped, "token", &there).is_none());
        assert!(key.open(&there, &sealed).is_none());
        assert!(GrantKey::random().open(&here, &sealed).is_none());
        assert!(open_answer("token", &here, &wrapped).is_none());
        assert!(GrantKey::unwrap(&[], "token", &here).is_none());
        assert!(GrantKey::unwrap(&wrapped[..20], "token", &here).is_none());
    }
}
