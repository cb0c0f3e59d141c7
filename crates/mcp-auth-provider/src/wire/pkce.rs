//! Proof Key for Code Exchange, S256 only (RFC 7636; AUTH-57).

use aws_lc_rs::digest::{SHA256, digest};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde::{Deserialize, Serialize};

/// What a client promised to be able to prove: the `code_challenge` of RFC 7636 §4.2, by S256.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CodeChallenge(String);

/// The client that redeems the code is the one that asked for it. Made by [`CodeChallenge::verify`] only.
#[derive(Debug)]
pub(crate) struct PkceVerified(());

impl CodeChallenge {
    /// Reads the two parameters of an authorization request.
    ///
    /// # Errors
    /// What is wrong, in words for the client: no challenge, another method than S256 (an absent one means `plain`, RFC 7636
    /// §4.3), or what cannot be a SHA-256 in base64url.
    pub(crate) fn read(challenge: Option<&str>, method: Option<&str>) -> Result<Self, &'static str> {
        let Some(challenge) = challenge else { return Err("code_challenge is missing: PKCE is required") };
        if method != Some("S256") {
            return Err("code_challenge_method must be S256");
        }
        let mut bytes = [0; 33];
        match Base64UrlUnpadded::decode(challenge, &mut bytes) {
            Ok(digest) if digest.len() == 32 => Ok(Self(challenge.to_owned())),
            _ => Err("code_challenge is not a SHA-256 in base64url"),
        }
    }

    /// Checks a `code_verifier`: 43 to 128 unreserved characters (RFC 7636 §4.1) whose SHA-256 is the challenge.
    pub(crate) fn verify(&self, verifier: &str) -> Option<PkceVerified> {
        let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(is_unreserved) {
            return None;
        }
        let hash = Base64UrlUnpadded::encode_string(digest(&SHA256, verifier.as_bytes()).as_ref());
        mcp_core::constant_time_eq(hash, &self.0).then_some(PkceVerified(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn the_example_of_the_rfc() {
        let challenge = CodeChallenge::read(Some(CHALLENGE), Some("S256")).unwrap();
        assert!(challenge.verify(VERIFIER).is_some());
        assert!(challenge.verify(CHALLENGE).is_none());
        assert!(challenge.verify(&VERIFIER.to_lowercase()).is_none());
    }

    // covers: PK01, PK03, PK04, PK05, PK06, PK07
    #[test]
    fn what_is_not_s256_is_refused() {
        assert!(CodeChallenge::read(None, Some("S256")).is_err());
        assert!(CodeChallenge::read(None, None).is_err());
        for method in [None, Some("plain"), Some("s256"), Some("S512"), Some("")] {
            assert!(CodeChallenge::read(Some(CHALLENGE), method).is_err(), "{method:?}");
        }
        let long = "A".repeat(129);
        for challenge in [
            &CHALLENGE[..42],
            &format!("{CHALLENGE}A"),
            &long,
            &format!("{}=", &CHALLENGE[..42]),
            &format!("{}+", &CHALLENGE[..42]),
            &format!("{CHALLENGE}="),
        ] {
            assert!(CodeChallenge::read(Some(challenge), Some("S256")).is_err(), "{challenge}");
        }
    }

    // covers: PK11
    #[test]
    fn a_verifier_of_the_wrong_shape_is_refused_though_its_hash_fits() {
        for verifier in
            ["a".repeat(42), "a".repeat(129), format!("{}+", "a".repeat(50)), format!("{}é", "a".repeat(50))]
        {
            let hash = Base64UrlUnpadded::encode_string(digest(&SHA256, verifier.as_bytes()).as_ref());
            let challenge = CodeChallenge::read(Some(&hash), Some("S256")).unwrap();
            assert!(challenge.verify(&verifier).is_none(), "{verifier}");
        }
    }
}
