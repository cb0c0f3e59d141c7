//! Two authorization servers, and clients that know both.

use std::time::Duration;

use mcp_auth_jwt::{SigningAlgorithm, SigningKey};
use mcp_auth_provider::{GrantType, PreRegistered, Registration};
use mcp_auth_testkit::{Answer, Client};
use mcp_core::{Clock, SystemClock, random_id};
use serde_json::{Value, json};

use crate::clients::stand::{basic, expect_error};
use crate::metadata::{provider, site};

const ONE: &str = "https://one.test";
const TWO: &str = "https://two.test";

async fn come(server: &Client, proof: Option<&str>, form: &[(&str, &str)]) -> Answer {
    let form = [&[("grant_type", "refresh_token"), ("refresh_token", "mcp_rt_x")][..], form].concat();
    let request = server.post("/token").form(form);
    match proof {
        Some(proof) => request.header("authorization", proof).send().await,
        None => request.send().await,
    }
}

// covers: AUTH-93
#[tokio::test]
async fn what_one_gave_is_nothing_at_the_other() {
    let (_one, one, _) = site(ONE, provider().registration(Registration::open())).await;
    let (_two, two, _) = site(TWO, provider().registration(Registration::open())).await;
    for (own, other, issuer) in [(&one, &two, ONE), (&two, &one, TWO)] {
        let metadata = own.get("/.well-known/oauth-authorization-server").send().await.json();
        assert_eq!(metadata["issuer"], issuer);
        let asked = json!({
            "redirect_uris": ["https://c.test/cb"], "grant_types": ["authorization_code", "refresh_token"],
        });
        let client = own.post("/register").json(&asked).send().await.expect_status(201).json();
        let proof = basic(client["client_id"].as_str().unwrap(), client["client_secret"].as_str().unwrap());
        expect_error(&come(own, Some(&proof), &[]).await, 400, "invalid_grant");
        expect_error(&come(other, Some(&proof), &[]).await, 401, "invalid_client");
    }
}

// covers: AUTH-93
#[tokio::test]
async fn a_proof_for_one_is_none_for_the_other_though_both_know_the_key() {
    let key = SigningKey::generate(SigningAlgorithm::Es256);
    let client = || {
        let keys = json!({ "keys": [key.public_jwk()] });
        PreRegistered::with_keys("job", keys)
            .redirect_uri("https://c.test/cb")
            .grants([GrantType::AuthorizationCode, GrantType::RefreshToken])
    };
    let (_one, one, _) = site(ONE, provider().client(client())).await;
    let (_two, two, _) = site(TWO, provider().client(client())).await;
    for (own, other, issuer) in [(&one, &two, ONE), (&two, &one, TWO)] {
        for (server, right) in [(other, false), (own, true)] {
            let assertion = assertion(&key, issuer);
            let form = [
                ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
                ("client_assertion", &*assertion),
            ];
            let answer = come(server, None, &form).await;
            let (status, error) = if right { (400, "invalid_grant") } else { (401, "invalid_client") };
            expect_error(&answer, status, error);
        }
    }
}

fn assertion(key: &SigningKey, audience: &str) -> String {
    let now = SystemClock.now();
    let claims = json!({
        "iss": "job", "sub": "job", "aud": audience, "jti": random_id(), "iat": now.as_secs(),
        "exp": (now + Duration::from_secs(60)).as_secs(),
    });
    let Value::Object(claims) = claims else { unreachable!() };
    key.jwt("client-authentication+jwt", claims).unwrap()
}
