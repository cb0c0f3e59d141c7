//! Every algorithm there is, with a token made by hand.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self as sig, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RsaEncoding, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use mcp_auth_jwt::{Algorithm, JwtAuthenticator, Keys};
use mcp_auth_testkit::FakeClock;
use serde_json::json;

use crate::support::{Guarded, MCP, START};

const ISSUER: &str = "https://idp.test";

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn token(algorithm: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let header = json!({"alg": algorithm, "typ": "at+jwt"}).to_string();
    let claims = json!({"iss": ISSUER, "sub": "alice", "aud": MCP, "exp": START.as_secs() + 60}).to_string();
    let message = format!("{}.{}", text(header.as_bytes()), text(claims.as_bytes()));
    let signature = sign(message.as_bytes());
    format!("{message}.{}", text(&signature))
}

async fn check(algorithm: Algorithm, keys: Keys, sign: impl Fn(&[u8]) -> Vec<u8>) {
    let auth = JwtAuthenticator::keys(ISSUER, keys).algorithms([algorithm]);
    let guarded = Guarded::start(auth, &FakeClock::at(START)).await.unwrap();
    assert_eq!(guarded.status(&token(algorithm.name(), &sign)).await, 200, "{algorithm}");
    let broken = |message: &[u8]| {
        let mut signature = sign(message);
        let middle = signature.len() / 2;
        signature[middle] ^= 1;
        signature
    };
    guarded.refuses(algorithm.name(), &token(algorithm.name(), broken)).await;
    for odd in [Vec::new(), vec![0; 64], vec![0; 256], vec![255; 64]] {
        guarded.refuses(algorithm.name(), &token(algorithm.name(), |_| odd.clone())).await;
    }
}

#[tokio::test]
async fn rsa() {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let der = STANDARD.encode(pair.public_key().as_ref());
    let pem = format!("-----BEGIN RSA PUBLIC KEY-----\n{der}\n-----END RSA PUBLIC KEY-----\n");
    for (algorithm, encoding) in [
        (Algorithm::RS256, &sig::RSA_PKCS1_SHA256 as &'static dyn RsaEncoding),
        (Algorithm::RS384, &sig::RSA_PKCS1_SHA384),
        (Algorithm::RS512, &sig::RSA_PKCS1_SHA512),
        (Algorithm::PS256, &sig::RSA_PSS_SHA256),
        (Algorithm::PS384, &sig::RSA_PSS_SHA384),
        (Algorithm::PS512, &sig::RSA_PSS_SHA512),
    ] {
        check(algorithm, Keys::pem(&pem).unwrap(), |message| {
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(encoding, &SystemRandom::new(), message, &mut signature).unwrap();
            signature
        })
        .await;
    }
}

#[tokio::test]
async fn elliptic_curves() {
    for (algorithm, curve, signing, length) in [
        (
            Algorithm::ES256,
            "P-256",
            &sig::ECDSA_P256_SHA256_FIXED_SIGNING as &'static EcdsaSigningAlgorithm,
            32,
        ),
        (Algorithm::ES384, "P-384", &sig::ECDSA_P384_SHA384_FIXED_SIGNING, 48),
        (Algorithm::ES512, "P-521", &sig::ECDSA_P521_SHA512_FIXED_SIGNING, 66),
    ] {
        let pair = EcdsaKeyPair::generate(signing).unwrap();
        let (x, y) = pair.public_key().as_ref()[1..].split_at(length);
        let jwk = json!({"kty": "EC", "crv": curve, "x": text(x), "y": text(y)}).to_string();
        check(algorithm, Keys::jwk(jwk).unwrap(), |message| {
            pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
        })
        .await;
    }
    let pair = Ed25519KeyPair::generate().unwrap();
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref())}).to_string();
    check(Algorithm::EdDSA, Keys::jwk(jwk).unwrap(), |message| pair.sign(message).as_ref().to_vec()).await;
}

#[tokio::test]
async fn shared_secrets() {
    let secret = mcp_core::random_bytes::<64>();
    for (algorithm, hash) in [
        (Algorithm::HS256, hmac::HMAC_SHA256),
        (Algorithm::HS384, hmac::HMAC_SHA384),
        (Algorithm::HS512, hmac::HMAC_SHA512),
    ] {
        let jwk = json!({"kty": "oct", "k": text(&secret)}).to_string();
        let key = hmac::Key::new(hash, &secret);
        check(algorithm, Keys::jwk(jwk).unwrap(), |message| hmac::sign(&key, message).as_ref().to_vec())
            .await;
        // A tag that was cut short is no tag.
        let auth = JwtAuthenticator::keys(
            ISSUER,
            Keys::jwk(json!({"kty": "oct", "k": text(&secret)}).to_string()).unwrap(),
        )
        .algorithms([algorithm]);
        let guarded = Guarded::start(auth, &FakeClock::at(START)).await.unwrap();
        let short = token(algorithm.name(), |message| hmac::sign(&key, message).as_ref()[..16].to_vec());
        guarded.refuses("half a tag", &short).await;
    }
}
