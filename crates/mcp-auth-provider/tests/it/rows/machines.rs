//! Clients that come for themselves (the extension for client credentials).

use std::time::Duration;

use mcp_auth_provider::{GrantType, PreRegistered, Registration};
use mcp_auth_testkit::{FakeClock, TokenAuthority, TokenBuilder};
use serde_json::json;

use crate::machines::{Machines, SECRET, client, refused, text};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const GRANT: &str = "client_credentials";

/// A server that knows a client by its keys.
async fn robots() -> (Machines, TokenAuthority) {
    let clock = FakeClock::new();
    let signer = TokenAuthority::builder().clock(clock.clone()).start().await.unwrap();
    let robot = PreRegistered::with_keys("robot", signer.jwks()).grants([GrantType::ClientCredentials]);
    let server = Machines::on(clock, |provider| {
        provider.client(robot).client(client("form", [GrantType::ClientCredentials]).secret_in_form())
    });
    (server.await, signer)
}

fn assertion(server: &Machines, signer: &TokenAuthority) -> TokenBuilder {
    let token = signer.token().issuer("robot").subject("robot").audience(&server.url);
    token.typ("JWT").expires_in(Duration::from_secs(60))
}

// covers: EXT-CC-01
#[tokio::test]
async fn it_is_known_beforehand_and_meets_the_same_rules_as_everybody() {
    let server = Machines::start(|provider| provider.registration(Registration::open())).await;
    // The way to the token is the usual one: challenge, metadata of the resource, metadata of the server.
    let answer = server.http.post("/mcp").json(&json!({})).send().await.expect_status(401);
    let place = format!("{}/.well-known/oauth-protected-resource/mcp", server.url);
    assert!(answer.header("www-authenticate").unwrap().contains(&place), "{answer}");
    let metadata = server.http.get("/.well-known/oauth-protected-resource/mcp").send().await.json();
    assert_eq!(metadata["resource"], server.resource("/mcp"));
    assert_eq!(metadata["authorization_servers"], json!([server.url]));
    let metadata = server.http.get("/.well-known/oauth-authorization-server").send().await.json();
    assert!(metadata["grant_types_supported"].as_array().unwrap().contains(&json!(GRANT)));

    let (mcp, other) = (server.resource("/mcp"), server.resource("/other"));
    for (resource, path, elsewhere) in [(&mcp, "/mcp", "/other"), (&other, "/other", "/mcp")] {
        let form = [("grant_type", GRANT), ("resource", resource), ("scope", "mcp:read")];
        let token = text(&server.ask("ci", &form).send().await.expect_status(200), "access_token");
        assert_eq!(server.whoami(path, &token).await["scope"], "mcp:read");
        server.http.post(elsewhere).bearer(&token).json(&json!({})).send().await.expect_status(401);
    }
    // Nobody registers for this: the operator has to know whom it gives tokens without a user.
    for grants in [json!([GRANT]), json!([GRANT, "authorization_code"])] {
        let asked = json!({
            "redirect_uris": ["https://c.test/cb"], "grant_types": grants,
            "token_endpoint_auth_method": "client_secret_basic",
        });
        let answer = server.http.post("/register").json(&asked).send().await;
        if answer.status() == 201 {
            let known = answer.json();
            assert!(!known["grant_types"].as_array().unwrap().contains(&json!(GRANT)), "{known}");
            let proof = crate::clients::stand::basic(
                known["client_id"].as_str().unwrap(),
                known["client_secret"].as_str().unwrap(),
            );
            let request = server.http.post("/token").header("authorization", &proof);
            refused(&request.form([("grant_type", GRANT)]).send().await, 400, "unauthorized_client");
        } else {
            answer.expect_status(400).expect_json("/error", "invalid_client_metadata");
        }
    }
}

// covers: EXT-CC-04, EXT-CC-08, U-10
#[tokio::test]
async fn an_assertion_names_its_client_and_the_grant_is_client_credentials() {
    let (server, signer) = robots().await;
    let resource = server.resource("/mcp");
    let token = assertion(&server, &signer).mint();
    let proof = |assertion: &str| {
        [("client_assertion_type", TYPE.to_owned()), ("client_assertion", assertion.to_owned())]
    };
    let ask = async |grant: &str, assertion: &str, more: &[(&str, &str)]| {
        let proof = proof(assertion);
        let mut form = vec![("grant_type", grant), ("resource", &*resource), ("scope", "mcp:read")];
        form.extend(proof.iter().map(|(name, value)| (*name, value.as_str())));
        form.extend(more);
        server.http.post("/token").form(form).send().await
    };
    let answer = ask(GRANT, &token, &[]).await.expect_status(200).expect_json("/token_type", "Bearer");
    let said = server.whoami("/mcp", &text(&answer, "access_token")).await;
    assert_eq!((said["sub"].as_str(), said["client"].as_str()), (Some("client:robot"), Some("robot")));
    // Named besides, it has to be the same; and an assertion is used once.
    refused(&ask(GRANT, &token, &[]).await, 401, "invalid_client");
    let fresh = || assertion(&server, &signer).mint();
    refused(&ask(GRANT, &fresh(), &[("client_id", "ci")]).await, 401, "invalid_client");
    ask(GRANT, &fresh(), &[("client_id", "robot")]).await.expect_status(200);
    // The guide draws another grant. The text of the extension knows none but this.
    let drawn = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    let proof = fresh();
    refused(&ask(drawn, &proof, &[("assertion", &proof)]).await, 400, "unsupported_grant_type");
    // It draws another audience too: ours is the issuer, and a text.
    for audience in [json!(format!("{}/token", server.url)), json!([server.url]), json!(resource)] {
        let odd = assertion(&server, &signer).claim("aud", audience).mint();
        refused(&ask(GRANT, &odd, &[]).await, 401, "invalid_client");
    }
}

// covers: U-10
#[tokio::test]
async fn a_secret_comes_the_way_that_was_agreed() {
    let (server, _) = robots().await;
    server.ask("ci", &[("grant_type", GRANT)]).send().await.expect_status(200);
    let posted = |id: &'static str| [("grant_type", GRANT), ("client_id", id), ("client_secret", SECRET)];
    server.http.post("/token").form(posted("form")).send().await.expect_status(200);
    let wrong = server.ask("form", &[("grant_type", GRANT)]).send().await;
    refused(&wrong, 401, "invalid_client");
}
