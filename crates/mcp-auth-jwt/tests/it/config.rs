//! Set-ups that cannot be safe do not start, and say what to write instead.

use mcp_auth_jwt::{Algorithm, JwtAuthenticator, Keys, TrustedIssuer};
use mcp_auth_testkit::{Algorithm as Signed, FakeClock};
use mcp_core::{ConfigError, SecretKey};

use crate::support::{Guarded, authority, secs, with_keys};

async fn error(auth: JwtAuthenticator) -> String {
    match Guarded::start(auth, &FakeClock::new()).await {
        Ok(_) => panic!("it started"),
        Err(error) => error.to_string(),
    }
}

fn secret() -> Keys {
    Keys::shared_secret(SecretKey::new([7; 32]).unwrap())
}

fn public() -> Keys {
    Keys::jwk(r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#).unwrap()
}

#[tokio::test]
async fn secrets_and_public_keys_are_never_mixed() {
    let auth = JwtAuthenticator::keys("urn:x", secret().and(public()));
    assert!(error(auth).await.contains("make two issuers"));
    let auth = JwtAuthenticator::keys("urn:x", public()).algorithms([Algorithm::EdDSA, Algorithm::HS256]);
    assert!(error(auth).await.contains("leave these out"));
    let auth = JwtAuthenticator::keys("urn:x", secret()).algorithms([Algorithm::RS256]);
    assert!(error(auth).await.contains("name only HS256"));
    #[cfg(feature = "fetch")]
    {
        let auth =
            JwtAuthenticator::jwks_url("urn:x", "https://idp.test/jwks").algorithms([Algorithm::HS256]);
        assert!(error(auth).await.contains("leave these out"));
        let auth =
            JwtAuthenticator::issuer("https://idp.test").algorithms([Algorithm::RS256, Algorithm::HS512]);
        assert!(error(auth).await.contains("leave these out"));
    }
}

#[tokio::test]
async fn empty_and_excessive_values_are_told() {
    let auth = || JwtAuthenticator::keys("urn:x", public());
    for (auth, sentence) in [
        (auth().audience(""), "empty audience"),
        (auth().audience(" "), "empty audience"),
        (auth().algorithms([]), "allows no algorithm"),
        (auth().leeway(secs(61)), "more than 60 s"),
        (auth().max_lifetime(secs(0)), "no lifetime"),
        (auth().algorithms([Algorithm::RS256]), "name its algorithm"),
        (JwtAuthenticator::keys("", public()), "has no name"),
        (auth().and(TrustedIssuer::keys("urn:x", public())), "named twice"),
        (JwtAuthenticator::keys("urn:x", secret()).algorithms([Algorithm::HS512]), "512"),
    ] {
        let said = error(auth).await;
        assert!(said.contains(sentence), "{said}");
    }
}

#[test]
fn short_and_default_secrets_are_refused() {
    assert!(SecretKey::new(*b"secret").is_err());
    assert!(SecretKey::new([0; 32]).is_err());
}

#[tokio::test]
async fn pem_texts_that_are_no_public_key_are_explained() {
    let (authority, clock) = authority().await;
    let said = |text: &str| Keys::pem(text).unwrap_err().to_string();
    assert!(said("/etc/keys/public.pem").contains("not its name"));
    assert!(said("-----BEGIN EC PRIVATE KEY-----\nAA==\n-----END EC PRIVATE KEY-----").contains("-pubout"));
    assert!(said("-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----").contains("x509"));
    assert!(said("-----BEGIN PUBLIC KEY-----\nAA==\n").contains("paste the whole file"));
    assert!(said("-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----").contains("no public key"));
    // One good, one bad: the whole text is refused.
    let pem = authority.public_key_pem(Signed::Es256);
    assert!(Keys::pem(format!("{pem}\n-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----")).is_err());
    // Two good ones are two keys, which is how keys given as files are rotated.
    authority.rotate();
    let both = Keys::pem(format!("{pem}\n{}", authority.public_key_pem(Signed::Es256))).unwrap();
    let auth = JwtAuthenticator::keys(authority.issuer(), both);
    let guarded = Guarded::start(auth, &clock).await.unwrap();
    assert_eq!(guarded.status(&crate::support::good(&authority).mint()).await, 200);
}

#[tokio::test]
async fn small_rsa_keys_are_refused() {
    // 1024 bits, made for this test.
    let pem = "-----BEGIN PUBLIC KEY-----\n\
        MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDF+Xa3R/48v1OiK5N9KtSlpAYb\n\
        Ha3SQ8vVLAB7yuT2QfOawiAPKhxh7xSOv6Sx50kZzR+pJJaOWAInF9akXKb8GMSN\n\
        bEMscAGnq0FYiNjkdEnqarxEqKB0RPJJMJjCHP2ClutPXHoMagVrf95Gy27e5/+y\n\
        TP8FmkVwiVYzaptViQIDAQAB\n\
        -----END PUBLIC KEY-----\n";
    let said: ConfigError = Keys::pem(pem).unwrap_err();
    assert!(said.to_string().contains("2048"), "{said}");
}

#[tokio::test]
async fn a_second_site_is_checked_and_served_too() {
    let (authority, clock) = authority().await;
    let guarded = Guarded::start(with_keys(&authority), &clock).await.unwrap();
    let again = Guarded::start(guarded.auth, &clock).await.unwrap();
    assert_eq!(again.status(&crate::support::good(&authority).mint()).await, 200);
}
