//! Signed assertions, and what is wrong with them.

use std::time::Duration;

use mcp_auth_jwt::Algorithm;
use mcp_auth_jwt::assertion::{BadSignature, Expected, PublicKeys, UnverifiedAssertion, VerifiedAssertion};
use mcp_auth_testkit::{TokenAuthority, TokenBuilder};
use mcp_core::Timestamp;
use proptest::prelude::*;
use serde_json::json;

use crate::support::{START, authority};

const US: &str = "https://auth.test";

fn good(signer: &TokenAuthority) -> TokenBuilder {
    signer
        .token()
        .issuer("worker")
        .subject("worker")
        .audience(US)
        .typ("JWT")
        .expires_in(Duration::from_secs(60))
}

fn judge(
    text: &str,
    expected: &Expected<'_>,
    keys: &PublicKeys,
    now: Timestamp,
) -> Result<VerifiedAssertion, String> {
    let unverified = UnverifiedAssertion::read(text).map_err(|error| error.to_string())?;
    let plausible = unverified.check(expected, now).map_err(|error| error.to_string())?;
    plausible.verify(keys).map_err(|error| error.to_string())
}

// covers: TK16, TK17, TK18, TK22, TK23
#[tokio::test]
async fn what_is_wrong_is_said_in_our_words() {
    let (signer, _) = authority().await;
    let keys = PublicKeys::strict(&signer.jwks()).unwrap();
    let expected = Expected::of_client("worker", US);
    let check = |assertion: TokenBuilder| judge(&assertion.mint(), &expected, &keys, START);
    assert_eq!(check(good(&signer)).unwrap().claims()["sub"], "worker");
    for (assertion, word) in [
        (good(&signer).unsigned(), "algorithm"),
        (good(&signer).public_key_as_secret(), "algorithm"),
        (good(&signer).header("crit", json!(["exp"])), "extensions"),
        (good(&signer).header("b64", true), "extensions"),
        (good(&signer).header("zip", "DEF"), "extensions"),
        (good(&signer).header("jwk", json!({})), "key of its own"),
        (good(&signer).header("jku", "https://evil.test"), "key of its own"),
        (good(&signer).header("x5u", "https://evil.test"), "key of its own"),
        (good(&signer).header("kid", json!([])), "unreadably"),
        (good(&signer).typ("at+jwt"), "type"),
        (good(&signer).header("typ", 1), "type"),
        (good(&signer).issuer("other"), "iss"),
        (good(&signer).subject("other"), "sub"),
        (good(&signer).claim("aud", json!([US])), "aud"),
        (good(&signer).without("exp"), "exp"),
        (good(&signer).without("jti"), "jti"),
        (good(&signer).claim("nbf", "x"), "number of seconds"),
        (good(&signer).expires_in(Duration::from_secs(3700)), "longer"),
        (good(&signer).payload(r#"{"iss":"worker","iss":"worker"}"#), "well-formed"),
        (good(&signer).tampered(), "signature"),
        (good(&signer).kid("none"), "unknown key"),
    ] {
        let text = format!("{assertion:?}");
        let reason = check(assertion).err().unwrap_or_else(|| panic!("{text} passed"));
        assert!(reason.contains(word), "{reason}: {word}");
    }
    assert!(UnverifiedAssertion::read(&"a".repeat(20_000)).is_err());
}

#[tokio::test]
async fn a_typed_assertion_is_of_that_type_and_about_anybody() {
    let (signer, _) = authority().await;
    let keys = PublicKeys::strict(&signer.jwks()).unwrap();
    let expected = Expected::typed("oauth-id-jag+jwt", "worker", US);
    let check = |assertion: TokenBuilder| judge(&assertion.mint(), &expected, &keys, START);
    assert!(check(good(&signer).typ("oauth-id-jag+jwt").subject("ada")).is_ok());
    assert!(check(good(&signer)).is_err());
    assert!(check(good(&signer).header("typ", json!(null))).is_err());
    assert!(check(good(&signer).typ("oauth-id-jag+jwt").subject("")).is_err());
}

#[tokio::test]
async fn the_leeway_is_for_clocks_and_nothing_else() {
    let (signer, _) = authority().await;
    let keys = PublicKeys::strict(&signer.jwks()).unwrap();
    let expected = Expected::of_client("worker", US).leeway(Duration::from_secs(10));
    let text = good(&signer).mint();
    let at = |seconds: u64| judge(&text, &expected, &keys, START + Duration::from_secs(seconds));
    assert!(at(69).is_ok() && at(70).is_err());
    assert!(judge(&text, &expected, &keys, START - Duration::from_secs(10)).is_ok());
    assert!(judge(&text, &expected, &keys, START - Duration::from_secs(11)).is_err());
    let narrow = Expected::of_client("worker", US).algorithms([Algorithm::RS256, Algorithm::HS256]);
    assert!(judge(&text, &narrow, &keys, START).is_err());
}

// covers: DR05
#[tokio::test]
async fn registered_sets_are_read_strictly_and_fetched_ones_key_by_key() {
    let (signer, _) = authority().await;
    let good = signer.jwks()["keys"].clone();
    let secret = json!({ "kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr0" });
    let mut private = good[0].clone();
    private["d"] = json!("AA");
    let off_curve = json!({ "kty": "EC", "crv": "P-256", "x": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "y": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" });
    for bad in [secret, private, off_curve, json!(null), json!({}), json!({ "kty": "EC" })] {
        let mixed = json!({ "keys": [bad, good[0]] });
        assert!(PublicKeys::strict(&mixed).is_err(), "{bad}");
        assert_eq!(PublicKeys::lenient(&mixed).unwrap().len(), 1, "{bad}");
    }
    let many = json!({ "keys": vec![good[0].clone(); 21] });
    assert!(PublicKeys::strict(&many).is_err());
    assert_eq!(PublicKeys::lenient(&many).unwrap().len(), 20);
    for bad in [json!([]), json!({}), json!(null), json!({ "keys": {} })] {
        assert!(PublicKeys::strict(&bad).is_err() && PublicKeys::lenient(&bad).is_none(), "{bad}");
    }
    assert!(PublicKeys::lenient(&json!({ "keys": [] })).unwrap().is_empty());
}

#[tokio::test]
async fn the_key_it_names_is_the_only_one_tried() {
    let (signer, _) = authority().await;
    let keys = PublicKeys::strict(&signer.jwks()).unwrap();
    let text = good(&signer).by_stranger().mint();
    let plausible = UnverifiedAssertion::read(&text).unwrap();
    let plausible = plausible.check(&Expected::of_client("worker", US), START).unwrap();
    assert_eq!(plausible.verify(&keys).unwrap_err(), BadSignature::Wrong);
    assert!(!format!("{plausible:?}").contains(&text[..20]));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[a-zA-Z0-9_.=-]{0,80}", json in ".{0,40}") {
        let _ = UnverifiedAssertion::read(&text);
        let value = serde_json::from_str(&json).unwrap_or_default();
        let _ = (PublicKeys::strict(&value), PublicKeys::lenient(&value));
    }
}
