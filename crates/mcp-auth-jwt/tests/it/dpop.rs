//! Tokens bound to a key.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mcp_auth_jwt::{Algorithm, Dpop, DpopError, DpopProofs};
use mcp_auth_testkit::{Client, TokenAuthority};
use mcp_core::{AuthError, AuthErrorKind, AuthMethod, Authenticator, Identity, SecretKey, random_id};
use serde_json::{Map, Value, json};

use crate::support::{Guarded, MCP, START, authority, good, secs, with_keys};

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A client with a key.
struct Holder {
    pair: EcdsaKeyPair,
}

impl Holder {
    fn new() -> Self {
        Self { pair: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap() }
    }

    fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        json!({"kty": "EC", "crv": "P-256", "x": text(&point[1..33]), "y": text(&point[33..])})
    }

    fn thumbprint(&self) -> String {
        let jwk = self.jwk();
        let members = format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, jwk["x"], jwk["y"]);
        text(digest(&SHA256, members.as_bytes()).as_ref())
    }

    fn token(&self, authority: &TokenAuthority) -> String {
        good(authority).claim("cnf", json!({"jkt": self.thumbprint()})).expires_in(secs(3000)).mint()
    }

    /// A proof with changes: a null leaves the member out.
    fn proof(&self, token: &str, header: Value, claims: Value) -> String {
        let mut head = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk()});
        let mut body = json!({
            "jti": random_id(), "htm": "POST", "htu": MCP, "iat": START.as_secs(),
            "ath": text(digest(&SHA256, token.as_bytes()).as_ref()),
        });
        change(head.as_object_mut().unwrap(), header);
        change(body.as_object_mut().unwrap(), claims);
        let message = format!("{}.{}", text(head.to_string().as_bytes()), text(body.to_string().as_bytes()));
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", text(signature.as_ref()))
    }
}

fn change(object: &mut Map<String, Value>, by: Value) {
    let Value::Object(by) = by else { return };
    for (name, value) in by {
        if value.is_null() {
            object.remove(&name);
        } else {
            object.insert(name, value);
        }
    }
}

async fn present(guarded: &Guarded, token: &str, proofs: &[&str]) -> Result<Identity, AuthError> {
    let authorization = format!("DPoP {token}");
    let mut headers = vec![("authorization", authorization.as_str())];
    headers.extend(proofs.iter().map(|proof| ("dpop", *proof)));
    guarded.request(&guarded.mcp, &headers).await
}

async fn bound(dpop: Dpop) -> (TokenAuthority, Guarded, Holder, String) {
    let (authority, clock) = authority().await;
    let guarded = Guarded::start(with_keys(&authority).dpop(dpop), &clock).await.unwrap();
    let holder = Holder::new();
    let token = holder.token(&authority);
    (authority, guarded, holder, token)
}

// covers: EXT-DP-01, EXT-DP-02, DP11
#[tokio::test]
async fn a_bound_token_with_its_proof_is_let_in() {
    let (_, guarded, holder, token) = bound(Dpop::new()).await;
    let identity = present(&guarded, &token, &[&holder.proof(&token, json!({}), json!({}))]).await.unwrap();
    assert_eq!(identity.method(), AuthMethod::Dpop);
    assert_eq!(identity.subject().as_str(), "alice");
    let extra = holder.proof(&token, json!({"x": 1, "kid": "k"}), json!({"y": [1], "exp": 1}));
    assert!(present(&guarded, &token, &[&extra]).await.is_ok());
}

// covers: DP03
#[tokio::test]
async fn one_proof_and_no_more() {
    let (_, guarded, holder, token) = bound(Dpop::new()).await;
    let proof = || holder.proof(&token, json!({}), json!({}));
    let error = present(&guarded, &token, &[]).await.unwrap_err();
    assert_eq!((error.status().as_u16(), error.code()), (401, Some("invalid_token")));
    let error = present(&guarded, &token, &[&proof(), &proof()]).await.unwrap_err();
    assert_eq!(error.status(), 401);
    let both = format!("{}, {}", proof(), proof());
    assert_eq!(present(&guarded, &token, &[&both]).await.unwrap_err().status(), 401);
    let long = proof() + &"A".repeat(9000);
    assert_eq!(present(&guarded, &token, &[&long]).await.unwrap_err().kind(), &AuthErrorKind::InvalidProof);
}

// covers: DP04, DP05, DP06, EXT-DP-03
#[tokio::test]
async fn proofs_with_anything_wrong_are_refused() {
    let (_, guarded, holder, token) = bound(Dpop::new()).await;
    let mut private = holder.jwk();
    private["d"] = json!("abc");
    let secret = json!({"kty": "oct", "k": text(&[7; 32])});
    let null = Value::Null;
    for (header, claims) in [
        (json!({"typ": null}), json!({})),
        (json!({"typ": "jwt"}), json!({})),
        (json!({"typ": "at+jwt"}), json!({})),
        (json!({"alg": null}), json!({})),
        (json!({"alg": "none"}), json!({})),
        (json!({"alg": "HS256"}), json!({})),
        (json!({"alg": "RS1"}), json!({})),
        (json!({"alg": "ES384"}), json!({})),
        (json!({"jwk": null}), json!({})),
        (json!({"jwk": private}), json!({})),
        (json!({"jwk": secret}), json!({})),
        (json!({"jwk": secret, "alg": "HS256"}), json!({})),
        (json!({"jwk": [holder.jwk()]}), json!({})),
        (json!({"jwk": Holder::new().jwk()}), json!({})),
        (json!({"crit": ["x"], "x": 1}), json!({})),
        (json!({}), json!({"jti": null})),
        (json!({}), json!({"jti": ""})),
        (json!({}), json!({"jti": 7})),
        (json!({}), json!({"jti": "j".repeat(257)})),
        (json!({}), json!({"htm": null})),
        (json!({}), json!({"htm": "PUT"})),
        (json!({}), json!({"htm": "post"})),
        (json!({}), json!({"htu": null})),
        (json!({}), json!({"htu": [MCP]})),
        (json!({}), json!({"htu": "https://mcp.test/sse"})),
        (json!({}), json!({"htu": "http://mcp.test/mcp"})),
        (json!({}), json!({"htu": "/mcp"})),
        (json!({}), json!({"iat": null})),
        (json!({}), json!({"iat": "1800000000"})),
        (json!({}), json!({"iat": -1})),
        (json!({}), json!({"ath": null})),
        (json!({}), json!({"ath": "wrong"})),
        (json!({}), json!({"ath": text(digest(&SHA256, b"other").as_ref())})),
        (null.clone(), json!({"ath": 7})),
    ] {
        let proof = holder.proof(&token, header.clone(), claims.clone());
        let error = present(&guarded, &token, &[&proof]).await.unwrap_err();
        assert_eq!(error.kind(), &AuthErrorKind::InvalidProof, "{header} {claims}");
        assert_eq!(error.status(), 401);
    }
    for proof in ["", "x", "a.b.c", "e30.e30.AA"] {
        assert_eq!(present(&guarded, &token, &[proof]).await.unwrap_err().status(), 401, "{proof}");
    }
    // The proof repeats none of its members.
    let (head, rest) = holder
        .proof(&token, json!({}), json!({}))
        .split_once('.')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let mut bytes = URL_SAFE_NO_PAD.decode(&head).unwrap();
    bytes.splice(1..1, br#""typ":"dpop+jwt","#.iter().copied());
    let twice = format!("{}.{rest}", text(&bytes));
    assert_eq!(present(&guarded, &token, &[&twice]).await.unwrap_err().kind(), &AuthErrorKind::InvalidProof);
}

// covers: DP07
#[tokio::test]
async fn the_url_of_a_proof_is_compared_as_a_url() {
    let (_, guarded, holder, token) = bound(Dpop::new()).await;
    for url in ["https://mcp.test/mcp?a=b#c", "HTTPS://MCP.TEST/mcp", "https://mcp.test:443/mcp"] {
        let proof = holder.proof(&token, json!({}), json!({"htu": url}));
        assert!(present(&guarded, &token, &[&proof]).await.is_ok(), "{url}");
    }
}

// covers: DP08
#[tokio::test]
async fn the_proof_is_made_by_the_key_of_the_token() {
    let (_, guarded, holder, token) = bound(Dpop::new()).await;
    let thief = Holder::new().proof(&token, json!({}), json!({}));
    assert_eq!(present(&guarded, &token, &[&thief]).await.unwrap_err().kind(), &AuthErrorKind::InvalidProof);
    let mut tampered = holder.proof(&token, json!({}), json!({})).into_bytes();
    let last = tampered.len() - 10;
    tampered[last] = if tampered[last] == b'A' { b'B' } else { b'A' };
    let tampered = String::from_utf8(tampered).unwrap();
    assert_eq!(
        present(&guarded, &token, &[&tampered]).await.unwrap_err().kind(),
        &AuthErrorKind::InvalidProof
    );
}

// covers: DP09, EXT-DP-04
#[tokio::test]
async fn proofs_are_of_this_moment() {
    let (_, guarded, holder, token) = bound(Dpop::new()).await;
    for (iat, expected) in [
        (0, true),
        (-10, true),
        (10, true),
        (-300, true),
        (300, true),
        (-301, false),
        (301, false),
        (-3600, false),
        (3600, false),
    ] {
        let proof = holder.proof(&token, json!({}), json!({"iat": 1_800_000_000_i64 + iat}));
        assert_eq!(present(&guarded, &token, &[&proof]).await.is_ok(), expected, "{iat}");
    }
}

// covers: EXT-DP-04
#[tokio::test]
async fn a_proof_is_good_once() {
    let (_, guarded, holder, token) = bound(Dpop::new()).await;
    let proof = holder.proof(&token, json!({}), json!({"iat": START.as_secs() + 300}));
    assert!(present(&guarded, &token, &[&proof]).await.is_ok());
    assert!(present(&guarded, &token, &[&proof]).await.is_err());
    // To the very end of its time.
    guarded.clock.advance(secs(600));
    assert!(present(&guarded, &token, &[&proof]).await.is_err());
    // A refused proof is not used up: nobody can spoil another's by sending it to the wrong place first.
    let early = holder.proof(&token, json!({}), json!({"iat": START.as_secs() + 1200}));
    assert!(present(&guarded, &token, &[&early]).await.is_err());
    guarded.clock.advance(secs(400));
    assert!(present(&guarded, &token, &[&early]).await.is_ok());
}

// covers: DP12
#[tokio::test]
async fn a_nonce_can_be_demanded() {
    let key = SecretKey::random();
    let (authority, guarded, holder, token) = bound(Dpop::new().require_nonce(key)).await;
    let elsewhere = with_keys(&authority).dpop(Dpop::new().require_nonce(SecretKey::random()));
    let other = Guarded::start(elsewhere, &guarded.clock).await.unwrap();
    let nonce = async |guarded: &Guarded, claims: Value| {
        let proof = holder.proof(&token, json!({}), claims);
        match present(guarded, &token, &[&proof]).await {
            Ok(_) => None,
            Err(error) => match error.kind() {
                AuthErrorKind::ProofNonce(nonce) => {
                    assert_eq!(error.status(), 401);
                    Some(nonce.clone())
                }
                kind => panic!("{kind:?}"),
            },
        }
    };
    let given = nonce(&guarded, json!({})).await.unwrap();
    assert!(nonce(&guarded, json!({"nonce": given})).await.is_none());
    assert!(nonce(&guarded, json!({"nonce": "forged"})).await.is_some());
    assert!(nonce(&guarded, json!({"nonce": 7})).await.is_some());
    // The nonce another server gives.
    let foreign = nonce(&other, json!({})).await.unwrap();
    assert!(nonce(&guarded, json!({"nonce": foreign})).await.is_some());
    assert!(nonce(&other, json!({"nonce": foreign})).await.is_none());
    guarded.clock.advance(secs(301));
    assert!(nonce(&guarded, json!({"nonce": given, "iat": START.as_secs() + 301})).await.is_some());
}

#[tokio::test]
async fn a_nonce_can_be_offered() {
    let (_, guarded, holder, token) = bound(Dpop::new().offer_nonce(SecretKey::random())).await;
    let without = holder.proof(&token, json!({}), json!({}));
    assert!(present(&guarded, &token, &[&without]).await.is_ok());
    let forged = holder.proof(&token, json!({}), json!({"nonce": "forged"}));
    let error = present(&guarded, &token, &[&forged]).await.unwrap_err();
    let AuthErrorKind::ProofNonce(nonce) = error.kind() else { panic!("{error:?}") };
    let with = holder.proof(&token, json!({}), json!({"nonce": nonce}));
    assert!(present(&guarded, &token, &[&with]).await.is_ok());
}

#[tokio::test]
async fn proofs_without_a_token_prove_a_key() {
    let holder = Holder::new();
    let proofs = DpopProofs::new(&Dpop::new()).unwrap();
    let verify = |proof: &[String], url: &str| {
        let mut headers = http::HeaderMap::new();
        for proof in proof {
            headers.append("dpop", proof.parse().unwrap());
        }
        proofs.verify(&headers, &http::Method::POST, url, None, START)
    };
    let proof = holder.proof("", json!({}), json!({"ath": null, "jti": "one", "iat": START.as_secs() - 100}));
    let verified = verify(std::slice::from_ref(&proof), MCP).unwrap();
    assert_eq!((verified.thumbprint(), verified.id()), (holder.thumbprint().as_str(), "one"));
    assert_eq!(verified.usable_until(), START + secs(200));
    assert_eq!(verify(&[], MCP).unwrap_err(), DpopError::Missing);
    assert!(matches!(verify(&[proof.clone(), proof.clone()], MCP), Err(DpopError::Invalid(_))));
    assert!(matches!(verify(&[proof], "https://mcp.test/token"), Err(DpopError::Invalid(_))));
}

// covers: DP01, DP12, EXT-DP-05
#[tokio::test]
async fn what_is_wrong_is_said_in_a_challenge_of_the_scheme() {
    let (authority, clock) = authority().await;
    let holder = Holder::new();
    let token = holder.token(&authority);
    let client = crate::stand::site(with_keys(&authority).dpop(Dpop::new()), &clock).await;
    let post = |client: &Client, proof: &str| {
        let request = client.post("/mcp").header("authorization", &format!("DPoP {token}")).json(&json!({}));
        if proof.is_empty() { request } else { request.header("dpop", proof) }
    };
    let proof = |claims| holder.proof(&token, json!({}), claims);
    post(&client, &proof(json!({}))).send().await.expect_status(200);
    for (proof, code) in
        [(String::new(), "invalid_token"), (proof(json!({"htm": "PUT"})), "invalid_dpop_proof")]
    {
        let answer = post(&client, &proof).send().await.expect_status(401);
        let challenges = answer.challenges();
        challenges[0].scheme("Bearer");
        challenges[1].scheme("DPoP").error(code).has("algs", "ES256 ES384 EdDSA RS256 PS256");
    }
    let strict = with_keys(&authority).dpop(Dpop::new().require_nonce(SecretKey::random()));
    let client = crate::stand::site(strict, &clock).await;
    let answer = post(&client, &proof(json!({}))).send().await.expect_status(401);
    answer.challenges()[1].scheme("DPoP").error("use_dpop_nonce");
    let nonce = answer.header("dpop-nonce").unwrap();
    post(&client, &proof(json!({"nonce": nonce}))).send().await.expect_status(200);
}

// covers: EXT-DP-06, EXT-DP-08, DP02
#[tokio::test]
async fn bound_and_unbound_tokens_are_not_exchanged() {
    let (authority, guarded, holder, token) = bound(Dpop::new()).await;
    guarded.refuses("bound, as Bearer", &token).await;
    let unbound = good(&authority).mint();
    assert_eq!(guarded.status(&unbound).await, 200);
    let proof = holder.proof(&unbound, json!({}), json!({}));
    let error = present(&guarded, &unbound, &[&proof]).await.unwrap_err();
    assert_eq!(error.kind(), &AuthErrorKind::InvalidToken);
    let elsewhere = authority
        .token()
        .audience("https://mcp.test/sse")
        .claim("cnf", json!({"jkt": holder.thumbprint()}))
        .mint();
    let proof = holder.proof(&elsewhere, json!({}), json!({}));
    assert_eq!(
        present(&guarded, &elsewhere, &[&proof]).await.unwrap_err().kind(),
        &AuthErrorKind::InvalidToken
    );
    // Also after the token was let in with its proof, and so is remembered.
    assert!(present(&guarded, &token, &[&holder.proof(&token, json!({}), json!({}))]).await.is_ok());
    guarded.refuses("bound, remembered, as Bearer", &token).await;
    assert!(present(&guarded, &token, &[]).await.is_err());
}

#[tokio::test]
async fn it_can_be_required_and_is_announced() {
    let (authority, guarded, holder, token) = bound(Dpop::new().required()).await;
    guarded.refuses("unbound", &good(&authority).mint()).await;
    assert!(present(&guarded, &token, &[&holder.proof(&token, json!({}), json!({}))]).await.is_ok());
    let metadata = guarded.auth.metadata(&guarded.mcp);
    assert!(metadata.dpop_required);
    assert_eq!(metadata.dpop_algorithms, ["ES256", "ES384", "EdDSA", "RS256", "PS256"]);
    let (_, guarded, ..) = bound(Dpop::new()).await;
    assert!(!guarded.auth.metadata(&guarded.mcp).dpop_required);
}

#[tokio::test]
async fn the_memory_of_proofs_is_bounded_per_key() {
    let (authority, guarded, holder, token) = bound(Dpop::new().remembered_proofs(1000)).await;
    for _ in 0..250 {
        let proof = holder.proof(&token, json!({}), json!({}));
        assert!(present(&guarded, &token, &[&proof]).await.is_ok());
    }
    let proof = holder.proof(&token, json!({}), json!({}));
    assert_eq!(present(&guarded, &token, &[&proof]).await.unwrap_err().status(), 429);
    let other = Holder::new();
    let others = other.token(&authority);
    assert!(present(&guarded, &others, &[&other.proof(&others, json!({}), json!({}))]).await.is_ok());
    guarded.clock.advance(secs(300) + Duration::from_millis(1));
    let later = holder.proof(&token, json!({}), json!({"iat": START.as_secs() + 300}));
    assert!(present(&guarded, &token, &[&later]).await.is_ok());
}

#[tokio::test]
async fn set_ups_that_cannot_be_safe_do_not_start() {
    for (dpop, sentence) in [
        (Dpop::new().algorithms([]), "public keys"),
        (Dpop::new().algorithms([Algorithm::HS256]), "public keys"),
        (Dpop::new().max_age(secs(301)), "5 minutes"),
        (Dpop::new().max_age(secs(0)), "5 minutes"),
        (Dpop::new().remembered_proofs(10), "under 1000"),
    ] {
        let (authority, clock) = authority().await;
        let said = Guarded::start(with_keys(&authority).dpop(dpop), &clock).await.err().unwrap();
        assert!(said.to_string().contains(sentence), "{said}");
    }
}
