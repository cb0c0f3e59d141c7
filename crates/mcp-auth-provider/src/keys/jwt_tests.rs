//! JWT access tokens over real sockets: here, and at a resource server that has nothing but the published keys.

#![cfg(feature = "fetch")]

use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};
use mcp_auth_jwt::JwtAuthenticator;
use mcp_auth_testkit::{FakeClock, Server};
use mcp_core::{AuthErrorKind, ProtectedResource};
use mcp_outbound::OutboundClient;
use mcp_store::testkit::{Call, Fault};
use serde_json::{Value, json};

use crate::grant;
use crate::testing::{Running, claims, client, elsewhere, elsewhere_on, params, part, store};
use crate::{JwtTokens, Lifetimes};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn loopback() -> OutboundClient {
    OutboundClient::builder().dangerous().allow_loopback().build().unwrap()
}

async fn jwks(running: &Running) -> Value {
    let answer = running.http.get("/jwks").send().await.expect_status(200);
    assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
    serde_json::from_slice(answer.body()).unwrap()
}

// covers: AUTH-65
#[tokio::test]
async fn a_token_says_what_rfc_9068_wants_and_nothing_that_tools_may_know() {
    let running = Running::start(|provider| provider.jwt_access_tokens(JwtTokens::es256())).await;
    let web = client("web");
    let tokens = running.tokens(&web, "ada").await;
    let token = &tokens.access_token;

    let header = part(token, 0);
    assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("ES256")));
    assert_eq!(header["kid"], jwks(&running).await["keys"][0]["kid"]);
    let said = claims(token);
    let mut names: Vec<&str> = said.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["aud", "auth_time", "client_id", "exp", "iat", "iss", "jti", "scope", "sub"]);
    assert_eq!(said["iss"], json!(running.url));
    assert_eq!(said["aud"], json!(running.resource("/mcp")));
    assert_eq!((&said["sub"], &said["client_id"]), (&json!("ada"), &json!("web")));
    assert_eq!(said["scope"], "mcp:read mcp:write");
    assert_eq!(said["exp"].as_u64().unwrap() - said["iat"].as_u64().unwrap(), 3600);

    // The server itself looks it up, and tools get what the sign-in remembered.
    let caller = running.http.post("/mcp").bearer(token).send().await.expect_status(200);
    let caller: Value = serde_json::from_slice(caller.body()).unwrap();
    assert_eq!(caller["props"]["email"], "secret@example.com");
    assert_eq!(caller["jti"], said["jti"]);

    let bound = running.bound_tokens(&web, "ada", Some("thumbprint")).await;
    assert_eq!(claims(&bound.access_token)["cnf"], json!({ "jkt": "thumbprint" }));
    assert_eq!(running.status("/mcp", &bound.access_token).await, 401, "no proof");
}

// covers: RS13, RS06
#[tokio::test]
async fn whatever_is_changed_in_a_token_it_is_none_any_more() {
    let running = Running::start(|provider| provider.jwt_access_tokens(JwtTokens::es256())).await;
    let token = running.tokens(&client("web"), "ada").await.access_token;
    assert_eq!(running.status("/mcp", &token).await, 200);
    assert_eq!(running.status("/other", &token).await, 401);

    let parts: Vec<&str> = token.split('.').collect();
    let encode = |value: &Value| Base64UrlUnpadded::encode_string(value.to_string().as_bytes());
    let with = |index: usize, name: &str, value: Value| {
        let mut changed = part(&token, index);
        changed[name] = value;
        let mut parts: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
        parts[index] = encode(&changed);
        parts.join(".")
    };
    let forged = [
        with(0, "alg", json!("none")),
        with(0, "typ", json!("JWT")),
        with(0, "kid", json!("other")),
        with(1, "sub", json!("eve")),
        with(1, "iss", json!("https://evil.test")),
        with(1, "exp", json!(9_999_999_999_u64)),
        with(1, "jti", json!("no partition")),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{token}A"),
        format!("{}.{}.{}", parts[0], parts[1], "A".repeat(86)),
    ];
    for token in forged {
        assert_eq!(running.status("/mcp", &token).await, 401, "{token}");
    }
    // A foreign issuer's is left to whoever stands behind in a composition.
    let foreign = with(1, "iss", json!("https://other.test"));
    let error = grant::place_of(running.engine(), &foreign).unwrap_err();
    assert_eq!(*error.kind(), AuthErrorKind::NotMine);
    assert!(grant::place_of(running.engine(), &with(1, "sub", json!("eve"))).is_ok());
    // Another signature of the key itself over the very same claims is another token: nobody issued it.
    let keys = running.engine().keys.as_ref().unwrap();
    let again = keys.sign("at+jwt", claims(&token).as_object().unwrap().clone()).unwrap();
    assert_ne!(again, token);
    assert_eq!(running.status("/mcp", &again).await, 401);

    running.clock.advance(HOUR);
    assert_eq!(running.status("/mcp", &token).await, 401, "it has ended");
}

// covers: RV07
#[tokio::test]
async fn a_revoked_token_is_dead_here_at_once_and_elsewhere_when_it_ends() {
    let running = Running::start(|provider| {
        provider
            .jwt_access_tokens(JwtTokens::eddsa())
            .lifetimes(Lifetimes::new().access_token(Duration::from_secs(300)))
    })
    .await;
    let (web, other) = (client("web"), client("other"));
    let tokens = running.tokens(&web, "ada").await;
    let outside =
        JwtAuthenticator::issuer(&*running.url).http_client(loopback()).audience(running.resource("/mcp"));
    let (_server, there) = elsewhere(&running.clock, outside).await;
    let said = there.post("/elsewhere").bearer(&tokens.access_token).send().await.expect_status(200);
    assert!(said.text().contains("\"sub\":\"ada\"") && !said.text().contains("secret@example.com"));
    assert_eq!(running.status("/mcp", &tokens.access_token).await, 200);

    let revoked = grant::revoke(running.engine(), &other, &tokens.access_token).await.unwrap();
    assert_eq!(revoked, grant::Revoked::AnotherClients("ada".to_owned()));
    assert_eq!(running.status("/mcp", &tokens.access_token).await, 200);
    let revoked = grant::revoke(running.engine(), &web, &tokens.access_token).await.unwrap();
    assert_eq!(revoked, grant::Revoked::AccessToken);
    assert_eq!(running.status("/mcp", &tokens.access_token).await, 401);
    assert!(grant::facts(running.engine(), &tokens.access_token).await.unwrap().is_none());
    // Elsewhere there are only the keys: the token's end is the bound.
    assert_eq!(there.post("/elsewhere").bearer(&tokens.access_token).send().await.status(), 200);
    running.clock.advance(Duration::from_secs(331));
    assert_eq!(there.post("/elsewhere").bearer(&tokens.access_token).send().await.status(), 401);

    // The refresh token lives.
    let pairs = [("refresh_token", tokens.refresh_token.as_deref().unwrap())];
    running.engine().keys.as_ref().unwrap().keep_up().await.unwrap();
    let fresh = grant::refresh(running.engine(), &web, &params(&pairs), None).await.unwrap();
    assert_eq!(running.status("/mcp", &fresh.access_token).await, 200);
    assert_eq!(there.post("/elsewhere").bearer(&fresh.access_token).send().await.status(), 200);
}

// covers: KR01, MD07
#[tokio::test]
async fn tokens_verify_elsewhere_across_a_rotation() {
    let running = Running::start(|provider| {
        provider.jwt_access_tokens(JwtTokens::es256()).lifetimes(Lifetimes::new().access_token(2 * HOUR))
    })
    .await;
    let web = client("web");
    let outside =
        JwtAuthenticator::issuer(&*running.url).http_client(loopback()).audience(running.resource("/mcp"));
    let (_server, there) = elsewhere(&running.clock, outside).await;
    let status = async |token: &str| there.post("/elsewhere").bearer(token).send().await.status();

    running.clock.advance(30 * DAY - Duration::from_secs(60));
    let old = running.tokens(&web, "ada").await.access_token;
    assert_eq!(status(&old).await, 200);
    assert_eq!(jwks(&running).await["keys"].as_array().unwrap().len(), 2);
    // The next one is published for a full hour even though the server woke up late.
    running.clock.advance(HOUR);
    let new = running.tokens(&web, "ada").await.access_token;
    assert_ne!(part(&old, 0)["kid"], part(&new, 0)["kid"]);
    assert_eq!((status(&old).await, status(&new).await), (200, 200));
    assert_eq!(running.status("/mcp", &old).await, 200);

    running.clock.advance(HOUR + Duration::from_secs(60));
    assert_eq!(status(&old).await, 401, "it has ended");
    running.clock.advance(3 * HOUR);
    assert_eq!(jwks(&running).await["keys"].as_array().unwrap().len(), 1);
}

// covers: KR02
#[tokio::test]
async fn tokens_of_a_key_taken_back_are_refused_here_and_elsewhere() {
    let one = Running::start(|p| p.jwt_access_tokens(JwtTokens::es256())).await;
    let web = client("web");
    let tokens = one.tokens(&web, "ada").await;
    let outside = JwtAuthenticator::issuer(&*one.url).http_client(loopback()).audience(one.resource("/mcp"));
    let (_server, there) = elsewhere(&one.clock, outside).await;
    assert_eq!(one.status("/mcp", &tokens.access_token).await, 200);
    assert_eq!(there.post("/elsewhere").bearer(&tokens.access_token).send().await.status(), 200);

    let operator = one.provider.operator("admin").unwrap();
    let leaked = operator.signing_keys().await.unwrap()[0].id.clone();
    assert!(operator.retire_signing_key(&leaked).await.unwrap());
    assert_eq!(one.status("/mcp", &tokens.access_token).await, 401);
    let event = &one.events.of("key").into_iter().rfind(|event| event.subject.is_some()).unwrap();
    assert_eq!(event.subject.as_deref(), Some("admin"));

    // The client goes on by its refresh token, and its user notices nothing.
    let pairs = [("refresh_token", tokens.refresh_token.as_deref().unwrap())];
    let fresh = grant::refresh(one.engine(), &web, &params(&pairs), None).await.unwrap();
    assert_eq!(one.status("/mcp", &fresh.access_token).await, 200);
    // Elsewhere, when the key set is fetched again.
    one.clock.advance(300 * SECOND);
    assert_eq!(there.post("/elsewhere").bearer(&fresh.access_token).send().await.status(), 200);
    assert_eq!(there.post("/elsewhere").bearer(&tokens.access_token).send().await.status(), 401);
}

#[tokio::test]
async fn without_jwt_tokens_the_key_set_is_empty_and_not_advertised_to_oauth_clients() {
    let running = Running::start(|provider| provider).await;
    assert_eq!(jwks(&running).await, json!({ "keys": [] }));
    let answer = running.http.get("/.well-known/oauth-authorization-server").send().await;
    assert!(!answer.text().contains("jwks_uri"));
    let operator = running.provider.operator("admin").unwrap();
    assert!(operator.signing_keys().await.unwrap().is_empty());
    assert!(operator.rotate_signing_key().await.is_err());
}

#[tokio::test]
async fn tokens_of_either_form_live_on_when_the_form_changes() {
    let clock = FakeClock::new();
    let store = store(&clock);
    let opaque = Running::on(store.clone(), clock.clone(), |provider| provider).await;
    let token = opaque.tokens(&client("web"), "ada").await.access_token;
    assert!(token.starts_with("mcp_at_"));
    let place = grant::place_of(opaque.engine(), &token).unwrap();
    let jwt = Running::on(store, clock, |p| p.jwt_access_tokens(JwtTokens::es256())).await;
    assert!(grant::still_good(jwt.engine(), &place).await.is_ok());
    let token = jwt.tokens(&client("web"), "ada").await.access_token;
    let place = grant::place_of(jwt.engine(), &token).unwrap();
    assert!(grant::still_good(opaque.engine(), &place).await.is_ok());
}

// covers: KR04
#[tokio::test]
async fn while_the_store_is_down_there_is_no_old_key_set_and_no_verdict() {
    let running = Running::start(|provider| provider.jwt_access_tokens(JwtTokens::es256())).await;
    let token = running.tokens(&client("web"), "ada").await.access_token;
    let outside =
        JwtAuthenticator::issuer(&*running.url).http_client(loopback()).audience(running.resource("/mcp"));
    let (_server, there) = elsewhere(&running.clock, outside).await;

    running.store.fail_always(Call::Get, Fault::Unavailable);
    running.clock.advance(15 * SECOND);
    let answer = running.http.get("/jwks").send().await.expect_status(503);
    assert!(answer.header("retry-after").is_some() && !answer.text().contains("keys"));
    assert_eq!(running.status("/mcp", &token).await, 503);
    assert_eq!(there.post("/elsewhere").bearer(&token).send().await.status(), 200, "it has the keys");

    running.store.heal();
    running.clock.advance(SECOND);
    assert_eq!(jwks(&running).await["keys"].as_array().unwrap().len(), 1);
    assert_eq!(running.status("/mcp", &token).await, 200);
}

// covers: RS06, AUTH-65
#[tokio::test]
async fn a_resource_of_another_site_takes_the_tokens_for_it_and_no_others() {
    let listener = Server::listener().await.unwrap();
    let site = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let resource = ProtectedResource::new(&site, "/elsewhere");
    let running = Running::start(|provider| {
        provider.jwt_access_tokens(JwtTokens::es256()).resource_elsewhere(resource.clone())
    })
    .await;
    let outside = JwtAuthenticator::issuer(&*running.url).http_client(loopback());
    let (_server, there) = elsewhere_on(listener, &running.clock, outside).await;

    let web = client("web");
    let here = running.tokens(&web, "ada").await.access_token;
    let for_it = running.tokens_for(&web, "ada", resource.identifier()).await.access_token;
    assert_eq!(claims(&for_it)["aud"], json!(resource.identifier()));
    let status = async |token: &str| there.post("/elsewhere").bearer(token).send().await.status();
    assert_eq!((status(&for_it).await, status(&here).await), (200, 401));
    assert_eq!((running.status("/mcp", &for_it).await, running.status("/mcp", &here).await), (401, 200));
}
