//! The known traps of the JWT library underneath, one test each.

use std::process::Command;

use jsonwebtoken::crypto::{CryptoProvider, KeyUtils};
use mcp_auth_jwt::{Algorithm, JwtAuthenticator, Keys};
use mcp_auth_testkit::Algorithm as Signed;
use serde_json::json;

use crate::support::{Guarded, MCP, authority, good, guarded, with_keys};

/// With two back-ends compiled in, the library panics at its first call, unless somebody chose one for the process. We
/// ask no process-wide provider at all: here one is installed that panics whatever it is asked.
#[tokio::test]
async fn trap_1_no_process_wide_provider_is_asked() {
    const CHILD: &str = "MCP_AUTH_JWT_TRAP_1";
    #[expect(clippy::disallowed_methods, reason = "tells the child process from its parent")]
    if std::env::var_os(CHILD).is_none() {
        // In a process of its own, so that the other tests keep a provider that works.
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "traps::trap_1_no_process_wide_provider_is_asked", "--nocapture"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout);
        assert!(child.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    static BROKEN: CryptoProvider = CryptoProvider {
        signer_factory: |_, _| panic!("asked to sign"),
        verifier_factory: |_, _| panic!("asked to verify"),
        key_utils: KeyUtils {
            rsa_pub_components_from_private_key: |_| panic!("asked for a key"),
            rsa_pub_components_from_public_key: |_| panic!("asked for a key"),
            ec_pub_components_from_private_key: |_, _| panic!("asked for a key"),
            ed_pub_components_from_private_key: |_, _| panic!("asked for a key"),
            compute_digest: |_, _| panic!("asked for a digest"),
        },
    };
    assert!(BROKEN.install_default().is_ok());
    let (authority, clock) = authority().await;
    for algorithm in crate::support::ALGORITHMS {
        let token = good(&authority).algorithm(algorithm).mint();
        let allowed = Algorithm::from_name(algorithm.name()).unwrap();
        let keys = Keys::pem(authority.public_key_pem(algorithm)).unwrap();
        let auth = JwtAuthenticator::keys(authority.issuer(), keys).algorithms([allowed]);
        let guarded = Guarded::start(auth, &clock).await.unwrap();
        assert_eq!(guarded.status(&token).await, 200, "{algorithm:?}");
    }
}

// covers: TK23
#[tokio::test]
async fn trap_2_critical_extensions_and_types_are_looked_at() {
    let (authority, guarded) = guarded().await;
    for (what, token) in [
        ("unknown", good(&authority).header("crit", json!(["bork"])).header("bork", 1)),
        ("empty", good(&authority).header("crit", json!([]))),
        ("no list", good(&authority).header("crit", "exp")),
        ("b64", good(&authority).header("crit", json!(["b64"])).header("b64", false)),
        ("b64 alone", good(&authority).header("b64", false)),
        ("typ", good(&authority).typ("JWT")),
        ("typ as a number", good(&authority).header("typ", 1)),
    ] {
        guarded.refuses(what, &token.mint()).await;
    }
    // Keys that a token brings along or points to are no keys of ours, and nothing is fetched for them.
    let brought = good(&authority)
        .by_stranger()
        .header("jku", "https://evil.test/jwks")
        .header("x5u", "https://evil.test/cert")
        .header("jwk", authority.jwks()["keys"][0].clone())
        .header("zip", "DEF");
    guarded.refuses("a key in the header", &brought.mint()).await;
    assert_eq!(guarded.status(&good(&authority).typ("application/at+jwt").mint()).await, 200);
}

#[tokio::test]
async fn trap_3_aud_iss_and_nbf_are_demanded_and_checked() {
    let (authority, guarded) = guarded().await;
    guarded.refuses("no aud", &authority.token().mint()).await;
    guarded.refuses("no iss", &good(&authority).without("iss").mint()).await;
    guarded.refuses("nbf", &good(&authority).not_before_in(crate::support::secs(31)).mint()).await;
    // The library's leeway of 60 s is not ours.
    guarded.refuses("exp", &good(&authority).expired(crate::support::secs(1)).mint()).await;
}

#[tokio::test]
async fn trap_4_iss_is_one_text() {
    let (authority, guarded) = guarded().await;
    for iss in [
        json!([authority.issuer()]),
        json!([authority.issuer(), "https://evil.test"]),
        json!({"iss": authority.issuer()}),
        json!(null),
        json!(7),
    ] {
        let token = good(&authority).claim("iss", iss.clone()).mint();
        guarded.refuses(&iss.to_string(), &token).await;
    }
}

// The traps of sets from URLs are in `jwks`; here are those of keys that are given at start.
#[tokio::test]
async fn trap_5_a_bad_key_given_at_start_is_told_at_start() {
    let (authority, _) = authority().await;
    let good = authority.jwks()["keys"][0].clone();
    let with = |bad| json!({"keys": [good.clone(), bad]}).to_string();
    for bad in [json!({"kty": "RSA", "kid": 7}), json!(null), json!({"kty": "AKP"}), json!({})] {
        assert!(Keys::jwks(with(bad.clone())).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn trap_6_keys_that_are_not_for_this_are_refused() {
    let (authority, _) = authority().await;
    let _ = authority.public_key_pem(Signed::Es256);
    let jwks = authority.jwks();
    let key = |kty: &str| {
        let list = jwks["keys"].as_array().unwrap();
        list.iter().find(|key| key["kty"] == kty).cloned().unwrap()
    };
    let changed = |kty: &str, name: &str, value: serde_json::Value| {
        let mut key = key(kty);
        key[name] = value;
        key
    };
    let weak_n = "AQAB".repeat(40);
    for (what, bad) in [
        ("use: enc", changed("RSA", "use", json!("enc"))),
        ("key_ops: encrypt", changed("RSA", "key_ops", json!(["encrypt"]))),
        ("key_ops as a text", changed("RSA", "key_ops", json!("verify"))),
        ("alg of another kind", changed("RSA", "alg", json!("ES256"))),
        ("alg for encryption", changed("RSA", "alg", json!("RSA-OAEP"))),
        ("a small modulus", changed("RSA", "n", json!(weak_n))),
        ("exponent 1", changed("RSA", "e", json!("AQ"))),
        ("an even exponent", changed("RSA", "e", json!("Ag"))),
        ("no exponent", changed("RSA", "e", json!(""))),
        ("one-byte coordinates", changed("EC", "x", json!("AQ"))),
        ("a point off the curve", changed("EC", "x", key("EC")["y"].clone())),
        ("another curve", changed("EC", "crv", json!("P-384"))),
        ("secp256k1", changed("EC", "crv", json!("secp256k1"))),
        ("X25519", changed("OKP", "crv", json!("X25519"))),
        ("a private key", changed("OKP", "d", json!("abc"))),
        ("a short secret", json!({"kty": "oct", "k": "AAAA"})),
        ("a secret of zeros", json!({"kty": "oct", "k": "A".repeat(43)})),
    ] {
        // The point off the curve is found when the key is made ready.
        let refused = match Keys::jwk(bad.to_string()) {
            Err(_) => true,
            Ok(keys) => {
                let auth = JwtAuthenticator::keys(authority.issuer(), keys);
                Guarded::start(auth, &mcp_auth_testkit::FakeClock::new()).await.is_err()
            }
        };
        assert!(refused, "{what}");
    }
}

#[tokio::test]
async fn trap_7_newer_names_of_algorithms() {
    let (authority, clock) = authority().await;
    let guarded = Guarded::start(with_keys(&authority), &clock).await.unwrap();
    // RFC 9864: Ed25519 is what EdDSA was called.
    let token = good(&authority).algorithm(Signed::EdDsa).header("alg", "Ed25519").mint();
    assert_eq!(guarded.status(&token).await, 200);
    for alg in ["Ed448", "ML-DSA-65", "ES256K", "RS1", "es256", "ES256 ", ""] {
        let token = good(&authority).header("alg", alg).mint();
        guarded.refuses(alg, &token).await;
    }
}

#[tokio::test]
async fn trap_8_members_that_stand_twice() {
    let (authority, guarded) = guarded().await;
    let claims = |more: &str| {
        let text = format!(
            r#"{{"iss":"{}","sub":"alice","aud":"{MCP}","exp":1800000100{more}}}"#,
            authority.issuer()
        );
        authority.token().payload(&text).mint()
    };
    assert_eq!(guarded.status(&claims("")).await, 200);
    for more in [
        r#","exp":1900000000"#,
        r#","aud":"https://evil.test""#,
        r#","sub":"admin""#,
        r#","su\u0062":"admin""#,
        r#","cnf":{"jkt":"a","jkt":"b"}"#,
    ] {
        guarded.refuses(more, &claims(more)).await;
    }
    guarded.refuses("trailing text", &authority.token().payload("{} {}").mint()).await;
    guarded.refuses("no object", &authority.token().payload("[]").mint()).await;
}

/// CVE-2026-25537 was about `exp` and `nbf` of the wrong type; `claims` has the whole table. This is the version that
/// has it fixed, in case some reader asks the library itself.
#[test]
fn trap_9_the_library_is_new_enough() {
    #[derive(serde::Deserialize)]
    struct Claims {}
    let header = "eyJhbGciOiJIUzI1NiJ9";
    let claims = base64_of(br#"{"exp":"9999999999"}"#);
    let key = [7; 32];
    let message = format!("{header}.{claims}");
    let tag = aws_lc_rs::hmac::sign(
        &aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &key),
        message.as_bytes(),
    );
    let token = format!("{message}.{}", base64_of(tag.as_ref()));
    let validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::HS256);
    let key = jsonwebtoken::DecodingKey::from_secret(&key);
    assert!(jsonwebtoken::decode::<Claims>(token, &key, &validation).is_err());
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}
