//! The token authority, judged by an independent verifier.

use std::time::Duration;

use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use mcp_auth_testkit::{Algorithm, Behaviour, Client, Endpoint, FakeClock, TokenAuthority};
use serde_json::{Value, json};

fn verify(authority: &TokenAuthority, token: &str, algorithm: jsonwebtoken::Algorithm) -> Option<Value> {
    let header = decode_header(token).ok()?;
    let set: jsonwebtoken::jwk::JwkSet = serde_json::from_value(authority.jwks()).unwrap();
    let key = DecodingKey::from_jwk(set.find(&header.kid?)?).ok()?;
    let mut rules = Validation::new(algorithm);
    rules.validate_aud = false;
    decode::<Value>(token, &key, &rules).ok().map(|data| data.claims)
}

#[tokio::test]
async fn tokens_of_every_algorithm_verify_with_the_published_keys() {
    let authority = TokenAuthority::start().await.unwrap();
    for (ours, theirs) in [
        (Algorithm::Rs256, jsonwebtoken::Algorithm::RS256),
        (Algorithm::Ps256, jsonwebtoken::Algorithm::PS256),
        (Algorithm::Es256, jsonwebtoken::Algorithm::ES256),
        (Algorithm::Es384, jsonwebtoken::Algorithm::ES384),
        (Algorithm::EdDsa, jsonwebtoken::Algorithm::EdDSA),
    ] {
        let token = authority.token().algorithm(ours).audience("a").audience("b").mint();
        let claims = verify(&authority, &token, theirs).unwrap_or_else(|| panic!("{ours:?}"));
        assert_eq!(claims["aud"], json!(["a", "b"]), "{ours:?}");
        assert_eq!(claims["iss"], authority.issuer());
        let pem = authority.public_key_pem(ours);
        let key = match ours {
            Algorithm::Rs256 | Algorithm::Ps256 => DecodingKey::from_rsa_pem(pem.as_bytes()),
            Algorithm::EdDsa => DecodingKey::from_ed_pem(pem.as_bytes()),
            _ => DecodingKey::from_ec_pem(pem.as_bytes()),
        };
        let mut rules = Validation::new(theirs);
        rules.validate_aud = false;
        assert!(decode::<Value>(&token, &key.unwrap(), &rules).is_ok(), "{ours:?}");

        let wrong = authority.token().algorithm(ours);
        assert!(verify(&authority, &wrong.clone().tampered().mint(), theirs).is_none(), "{ours:?}");
        assert!(verify(&authority, &wrong.clone().by_stranger().mint(), theirs).is_none(), "{ours:?}");
        let expired = wrong.expired(Duration::from_secs(120)).mint();
        assert!(verify(&authority, &expired, theirs).is_none(), "{ours:?}");
    }
    let secret = DecodingKey::from_secret(authority.secret().as_bytes());
    let mut rules = Validation::new(jsonwebtoken::Algorithm::HS256);
    rules.validate_aud = false;
    let token = authority.token().algorithm(Algorithm::Hs256).mint();
    assert!(decode::<Value>(&token, &secret, &rules).is_ok());
    assert!(!authority.jwks().to_string().contains("hs256"), "a secret was published");
}

#[tokio::test]
async fn malformed_variants_are_malformed_as_they_say() {
    let authority = TokenAuthority::start().await.unwrap();
    let part = |token: &str, n: usize| {
        use base64ct::{Base64UrlUnpadded, Encoding};
        let bytes = Base64UrlUnpadded::decode_vec(token.split('.').nth(n).unwrap()).unwrap();
        String::from_utf8(bytes).unwrap()
    };
    let unsigned = authority.token().unsigned().mint();
    assert!(unsigned.ends_with('.') && part(&unsigned, 0).contains(r#""alg":"none""#));
    let confused = authority.token().algorithm(Algorithm::Rs256).public_key_as_secret().mint();
    let secret = DecodingKey::from_secret(authority.public_key_pem(Algorithm::Rs256).as_bytes());
    let mut rules = Validation::new(jsonwebtoken::Algorithm::HS256);
    rules.validate_aud = false;
    assert!(decode::<Value>(&confused, &secret, &rules).is_ok());
    let odd = authority.token().header("crit", json!(["x"])).header("kid", Value::Null).payload("{{{").mint();
    assert_eq!(part(&odd, 1), "{{{");
    assert!(part(&odd, 0).contains("crit") && !part(&odd, 0).contains("kid"));
}

#[tokio::test]
async fn rotation_keeps_old_keys_until_they_are_retired() {
    let authority = TokenAuthority::builder().algorithms([Algorithm::Es256]).start().await.unwrap();
    let es256 = jsonwebtoken::Algorithm::ES256;
    let old = authority.token().mint();
    authority.rotate();
    let new = authority.token().mint();
    assert_ne!(decode_header(&old).unwrap().kid, decode_header(&new).unwrap().kid);
    assert!(verify(&authority, &old, es256).is_some() && verify(&authority, &new, es256).is_some());
    authority.retire_old_keys();
    assert!(verify(&authority, &old, es256).is_none() && verify(&authority, &new, es256).is_some());
}

#[tokio::test]
async fn endpoints_misbehave_on_demand() {
    let authority = TokenAuthority::builder().path("/tenant").algorithms([]).start().await.unwrap();
    let client = Client::new(authority.issuer().trim_end_matches("/tenant"));
    let rfc8414 = "/.well-known/oauth-authorization-server/tenant";
    client.get(rfc8414).send().await.expect_status(200).expect_json("/issuer", authority.issuer());
    client
        .get("/tenant/.well-known/openid-configuration")
        .send()
        .await
        .expect_json("/jwks_uri", authority.jwks_url());
    authority.metadata("issuer", "https://elsewhere.test");
    client.get(rfc8414).send().await.expect_json("/issuer", "https://elsewhere.test");
    client.get("/tenant/nothing").send().await.expect_status(404);

    let jwks = || client.get("/tenant/jwks").send();
    authority.header(Endpoint::Jwks, "cache-control", "max-age=60");
    jwks().await.expect_status(200).expect_header("cache-control", "max-age=60");
    authority.behave(Endpoint::Jwks, Behaviour::garbage());
    assert!(serde_json::from_slice::<Value>(jwks().await.expect_status(200).body()).is_err());
    authority.behave(Endpoint::Jwks, Behaviour::Redirect("https://evil.test/".into()));
    jwks().await.expect_status(302).expect_header("location", "https://evil.test/");
    authority.behave(Endpoint::Jwks, Behaviour::Endless(70_000));
    assert_eq!(jwks().await.body().len(), 70_000);
    authority.behave(Endpoint::Jwks, Behaviour::HangUp);
    assert!(client.get("/tenant/jwks").try_send().await.is_err());
    assert_eq!(authority.requests(Endpoint::Jwks), 5);
    assert_eq!(authority.requests(Endpoint::AuthorizationServer), 2);
}

#[tokio::test]
async fn a_held_endpoint_answers_when_released() {
    let authority = TokenAuthority::builder().algorithms([]).start().await.unwrap();
    let hold = authority.hold(Endpoint::Jwks);
    let waiting = tokio::spawn(Client::new(authority.issuer()).get("/jwks").send());
    authority.until_requests(Endpoint::Jwks, 1).await;
    assert!(!waiting.is_finished());
    hold.release();
    waiting.await.unwrap().expect_status(200);
    Client::new(authority.issuer()).get("/jwks").send().await.expect_status(200);
}

#[tokio::test]
async fn opaque_tokens_are_active_until_they_expire_or_are_revoked() {
    let clock = FakeClock::new();
    let builder = TokenAuthority::builder().clock(clock.clone()).algorithms([]);
    let authority = builder.start().await.unwrap();
    let client = Client::new(authority.issuer());
    let active = async |token: &str| {
        let answer = client.post("/introspect").form([("token", token)]).send().await;
        answer.expect_header("cache-control", "no-store").json()["active"] == json!(true)
    };
    let short = authority.token().expires_in(Duration::from_secs(60)).mint_opaque();
    let long = authority.token().subject("bob").mint_opaque();
    assert!(active(&short).await && active(&long).await && !active("guess").await);
    clock.advance(Duration::from_secs(60));
    assert!(!active(&short).await && active(&long).await);
    authority.revoke(&long);
    assert!(!active(&long).await);
    authority.answer_for("odd", json!({ "active": "true" }));
    let odd = client.post("/introspect").form([("token", "odd")]).send().await;
    odd.expect_json("/active", "true");
    assert_eq!(authority.recorded(Endpoint::Introspection)[0].form()[0].1, short);
}
