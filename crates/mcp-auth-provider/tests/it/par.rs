//! Authorization requests that clients push (RFC 9126).

use std::time::Duration;

use http::Method;
use mcp_auth_provider::{Lifetimes, OAuthProvider, PreRegistered};
use mcp_auth_testkit::{Answer, DpopKey, RequestBuilder};
use mcp_core::Clock;
use serde_json::json;

use crate::browser::agent::Agent;
use crate::browser::form::Form;
use crate::browser::scripted::Scripted;
use crate::browser::world::{
    Authz, CALLBACK, CHALLENGE, RS, VERIFIER, World, code, expect_back, expect_local, said, value,
};
use crate::machines::SECRET;

const URN: &str = "urn:ietf:params:oauth:request_uri:mcp_pr_";

impl Authz {
    fn push(&self, world: &World) -> RequestBuilder {
        world
            .client
            .post("/par")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(self.query().into_bytes())
    }

    /// Pushes it, and gives the address that a browser is to be sent to.
    async fn pushed(&self, world: &World) -> String {
        let answer = self.push(world).send().await.expect_status(201);
        reference(self.get("client_id"), answer.json()["request_uri"].as_str().unwrap())
    }
}

fn reference(client_id: &str, request_uri: &str) -> String {
    let pairs = [("client_id", client_id), ("request_uri", request_uri)];
    format!(
        "/authorize?{}",
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
    )
}

/// Signs in at the page that an address leads to, and comes to the consent page.
async fn signed_in(browser: &Agent, address: &str) -> Form {
    let page = browser.navigate(address, "cross-site").await.expect_status(200);
    let answer = browser.post(&Form::of(&page.text()).with("name", "ada")).await;
    Form::of(&browser.follow(answer).await.expect_status(200).text())
}

fn refused(answer: &Answer, status: u16, error: &str) {
    assert_eq!(answer.status(), status, "{answer}");
    assert_eq!(answer.json()["error"], error, "{answer}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("location"), None);
}

async fn world() -> (World, String) {
    let world = World::with(Scripted::local()).await;
    let client = world.register("Web", &[CALLBACK]).await;
    (world, client)
}

// covers: PA09
#[tokio::test]
async fn what_was_pushed_counts_and_nothing_beside_it() {
    let (world, client) = world().await;
    let answer = Authz::of(&client).push(&world).send().await.expect_status(201);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.json()["expires_in"], 90);
    let request_uri = answer.json()["request_uri"].as_str().unwrap().to_owned();
    assert!(request_uri.starts_with(URN), "{request_uri}");

    let beside = "&scope=mcp:write&redirect_uri=https://evil.test/cb&state=other&state=twice&response_type=token\
                  &code_challenge=x&resource=https://mcp.test/other&prompt=none";
    let address = reference(&client, &request_uri) + beside;
    let browser = world.browser();
    let form = signed_in(&browser, &address).await;
    assert!(form.fields.iter().any(|(name, _)| name == "scope:mcp:read"), "{form:?}");
    assert!(!form.fields.iter().any(|(name, _)| name == "scope:mcp:write"), "{form:?}");
    let answer = browser.post(&form.with("action", "allow")).await;
    assert!(answer.header("location").unwrap().starts_with(CALLBACK), "{answer}");
    assert_eq!(value(&said(&answer), "state"), Some("s1"));
    let tokens = world.redeem(&client, &code(&answer)).await.expect_status(200).json();
    assert_eq!(tokens["scope"], "mcp:read");

    let metadata = world.client.get("/.well-known/oauth-authorization-server").send().await.json();
    assert_eq!(metadata["pushed_authorization_request_endpoint"], "https://mcp.test/par");
    assert_eq!(metadata.get("require_pushed_authorization_requests"), None);
}

// covers: PA01
#[tokio::test]
async fn who_pushes_proves_itself_and_its_proof_is_not_kept() {
    let world = World::of(|| {
        let client = PreRegistered::with_secret("back", SECRET).unwrap().redirect_uri(CALLBACK);
        OAuthProvider::new(Scripted::local()).client(client.secret_in_form())
    })
    .await;
    let request = Authz::of("back");
    for bad in [request.clone(), request.clone().with("client_secret", "wrong"), Authz::of("nobody")] {
        refused(&bad.push(&world).send().await, 401, "invalid_client");
    }
    refused(&request.clone().without("client_id").push(&world).send().await, 401, "invalid_client");
    let address = request.with("client_secret", SECRET).pushed(&world).await;
    let browser = world.browser();
    let form = signed_in(&browser, &address).await;
    code(&browser.post(&form.with("action", "allow")).await);
}

// covers: PA02, PA03, PA04
#[tokio::test]
async fn what_is_wrong_is_said_to_the_client_that_pushes() {
    let (world, client) = world().await;
    let request = Authz::of(&client);
    let known = request.push(&world).send().await.json()["request_uri"].as_str().unwrap().to_owned();
    for (changed, error) in [
        (request.clone().with("request_uri", &known), "invalid_request"),
        (request.clone().with("request_uri", "https://c.test/request"), "invalid_request"),
        (request.clone().with("request", "e30.e30."), "request_not_supported"),
        (request.clone().without("code_challenge"), "invalid_request"),
        (request.clone().with("code_challenge_method", "plain"), "invalid_request"),
        (request.clone().without("code_challenge_method"), "invalid_request"),
        (request.clone().with("redirect_uri", "https://c.test/other"), "invalid_request"),
        (request.clone().with("response_type", "token"), "unsupported_response_type"),
        (request.clone().with("scope", "unheard"), "invalid_scope"),
        (request.clone().with("resource", "https://other.test/"), "invalid_target"),
        (request.clone().and("state", "s2"), "invalid_request"),
        (request.clone().with("dpop_jkt", "short"), "invalid_request"),
    ] {
        refused(&changed.push(&world).send().await, 400, error);
    }
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        world.client.request(method, "/par").send().await.expect_status(405);
    }
    let json = world.client.post("/par").json(&json!({ "client_id": client })).send().await;
    refused(&json, 400, "invalid_request");
    // What stands in the query does not count.
    let query = world.client.post(&format!("/par?{}", request.query())).form([("client_id", &*client)]);
    refused(&query.send().await, 400, "invalid_request");
    assert_eq!(world.recorded("authorization_request", "denied"), 12);
}

// covers: PA05, PA06
#[tokio::test]
async fn it_may_be_loaded_again_until_it_is_answered_and_then_not() {
    let (world, client) = world().await;
    for answer in ["allow", "deny"] {
        let address = Authz::of(&client).pushed(&world).await;
        let browser = world.browser();
        let abandoned = signed_in(&browser, &address).await;
        browser.open(&address).await.expect_status(200);
        let form = signed_in(&browser, &address).await;
        let first = browser.post(&form.clone().with("action", answer)).await;
        if answer == "deny" {
            expect_back(&first, "access_denied");
        } else {
            world.redeem(&client, &code(&first)).await.expect_status(200);
        }
        expect_local(&browser.open(&address).await);
        expect_local(&world.browser().open(&address).await);
        for action in ["allow", "deny"] {
            let late = browser.post(&abandoned.clone().with("action", action)).await;
            assert_eq!((late.status(), late.header("location")), (400, None), "{late}");
        }
        // What was answered is told again, as ever.
        let again = browser.post(&form.with("action", "allow")).await;
        assert_eq!(again.header("location"), first.header("location"));
    }
    assert_eq!(world.recorded("code_issued", "allowed"), 1);
}

// covers: PA05
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_windows_one_gets_a_code() {
    let (world, client) = world().await;
    let address = Authz::of(&client).pushed(&world).await;
    let mut windows = Vec::new();
    for _ in 0..64 {
        let browser = world.browser();
        let form = signed_in(&browser, &address).await.with("action", "allow");
        windows.push((browser, form));
    }
    let answers: Vec<_> = windows
        .into_iter()
        .map(|(browser, form)| tokio::spawn(async move { browser.post(&form).await }))
        .collect();
    let mut codes = Vec::new();
    for answer in answers {
        let answer = answer.await.unwrap();
        match answer.status() {
            303 => codes.push(code(&answer)),
            status => assert_eq!(status, 400, "{answer}"),
        }
    }
    assert_eq!(codes.len(), 1);
    assert_eq!(world.recorded("code_issued", "allowed"), 1);
    world.redeem(&client, &codes[0]).await.expect_status(200);
}

// covers: PA07
#[tokio::test]
async fn it_waits_for_a_browser_no_longer_than_it_said() {
    let short = || Lifetimes::new().pushed_request(Duration::from_secs(60));
    let world = World::of(move || OAuthProvider::new(Scripted::local()).lifetimes(short())).await;
    let client = world.register("Web", &[CALLBACK]).await;
    let answer = Authz::of(&client).push(&world).send().await.json();
    assert_eq!(answer["expires_in"], 60);
    let address = reference(&client, answer["request_uri"].as_str().unwrap());
    world.clock.advance(Duration::from_secs(59));
    let browser = world.browser();
    let form = signed_in(&browser, &address).await;
    world.clock.advance(Duration::from_secs(1));
    expect_local(&world.browser().open(&address).await);
    // Who came in time has all the time that a sign-in has.
    world.clock.advance(Duration::from_secs(500));
    code(&browser.post(&form.with("action", "allow")).await);
}

// covers: PA08, PA10
#[tokio::test]
async fn nobody_else_can_use_it_and_nobody_can_guess_one() {
    let (world, client) = world().await;
    let other = world.register("Other", &[CALLBACK, "https://c.test/other"]).await;
    let answer = Authz::of(&client).push(&world).send().await.json();
    let request_uri = answer["request_uri"].as_str().unwrap();
    let browser = world.browser();
    expect_local(&browser.open(&reference(&other, request_uri)).await);
    expect_local(&browser.open(&reference("nobody", request_uri)).await);
    let bare = reference("", request_uri);
    expect_local(&browser.open(&bare).await);
    expect_local(&browser.open(&format!("{}&client_id={client}", reference(&client, request_uri))).await);

    let secret = request_uri.strip_prefix(URN).unwrap();
    assert_eq!(secret.len(), 22 + 43, "a place, and 256 bits");
    let (place, bits) = secret.split_at(22);
    let turned: String = bits.chars().rev().collect();
    for guess in [
        String::new(),
        place.to_owned(),
        format!("{place}{}", "A".repeat(43)),
        format!("{place}{turned}"),
        format!("{}{bits}", "A".repeat(22)),
        format!("{secret}A"),
        format!("../{secret}"),
    ] {
        expect_local(&browser.open(&reference(&client, &format!("{URN}{guess}"))).await);
    }
    browser.open(&reference(&client, request_uri)).await.expect_status(200);
    // One address can try some hundred times in ten minutes.
    let mut tries = 0;
    let guess = reference(&client, &format!("{URN}{}", "A".repeat(65)));
    while browser.open(&guess).await.status() != 429 {
        tries += 1;
        assert!(tries < 400);
    }
}

#[tokio::test]
async fn one_address_cannot_fill_the_store_without_proof_and_who_proves_itself_is_not_held_up() {
    let world = World::of(|| {
        let client = PreRegistered::with_secret("back", SECRET).unwrap().redirect_uri(CALLBACK);
        OAuthProvider::new(Scripted::local()).client(client.secret_in_form())
    })
    .await;
    let client = world.register("Web", &[CALLBACK]).await;
    let mut pushed = 0;
    let refusal = loop {
        let answer = Authz::of(&client).push(&world).send().await;
        if answer.status() != 201 {
            break answer;
        }
        pushed += 1;
        assert!(pushed <= 300);
    };
    refused(&refusal, 429, "temporarily_unavailable");
    assert!(refusal.header("retry-after").is_some());
    Authz::of("back").with("client_secret", SECRET).pushed(&world).await;
    world.browser().open(&Authz::of(&client).path()).await.expect_status(200);
}

// A secret that it gave itself makes nobody trusted.
#[tokio::test]
async fn who_registered_a_secret_itself_pushes_no_more_than_who_has_none() {
    let world = World::with(Scripted::local()).await;
    let metadata = json!({
        "client_name": "Web", "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "client_secret_post",
        "grant_types": ["authorization_code"], "response_types": ["code"],
    });
    let client = world.client.post("/register").json(&metadata).send().await.expect_status(201).json();
    let request = Authz::of(client["client_id"].as_str().unwrap())
        .with("client_secret", client["client_secret"].as_str().unwrap());
    for _ in 0..300 {
        request.push(&world).send().await.expect_status(201);
    }
    refused(&request.push(&world).send().await, 429, "temporarily_unavailable");
}

// covers: PA11
#[tokio::test]
async fn where_it_is_required_nothing_else_is_taken() {
    let (world, _) = world().await;
    let metadata = json!({
        "client_name": "Careful", "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none",
        "require_pushed_authorization_requests": true,
    });
    let careful = world.register_as(metadata).await["client_id"].as_str().unwrap().to_owned();
    let browser = world.browser();
    expect_back(&browser.open(&Authz::of(&careful).path()).await, "invalid_request");
    signed_in(&browser, &Authz::of(&careful).pushed(&world).await).await;

    let world = World::of(|| OAuthProvider::new(Scripted::local()).require_pushed_requests()).await;
    let client = world.register("Web", &[CALLBACK]).await;
    expect_back(&world.browser().open(&Authz::of(&client).path()).await, "invalid_request");
    signed_in(&world.browser(), &Authz::of(&client).pushed(&world).await).await;
    let metadata = world.client.get("/.well-known/oauth-authorization-server").send().await.json();
    assert_eq!(metadata["require_pushed_authorization_requests"], true);
}

/// A client that may ask for a code, which it redeems with a proof of this key.
async fn redeem(world: &World, client: &str, code: &str, key: &DpopKey) -> Answer {
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", client),
        ("code", code),
        ("code_verifier", VERIFIER),
        ("resource", RS),
    ];
    let proof = key.proof("POST", "https://mcp.test/token", world.clock.now()).mint();
    world.client.post("/token").form(form).header("dpop", &proof).send().await
}

// covers: DP14
#[tokio::test]
async fn the_key_that_was_proved_with_it_is_the_key_of_the_code() {
    let (world, client) = world().await;
    let (own, other) = (DpopKey::generate(), DpopKey::generate());
    let proof = |key: &DpopKey| key.proof("POST", "https://mcp.test/par", world.clock.now()).mint();
    let request = Authz::of(&client);
    let browser = world.browser();

    let once = proof(&own);
    let answer = request.push(&world).header("dpop", &once).send().await.expect_status(201).json();
    refused(&request.push(&world).header("dpop", &once).send().await, 400, "invalid_dpop_proof");
    let address = reference(&client, answer["request_uri"].as_str().unwrap());
    let form = signed_in(&browser, &address).await;
    let given = code(&browser.post(&form.with("action", "allow")).await);
    refused(&redeem(&world, &client, &given, &other).await, 400, "invalid_grant");
    refused(&world.redeem(&client, &given).await, 400, "invalid_grant");
    redeem(&world, &client, &given, &own).await.expect_status(200).expect_json("/token_type", "DPoP");

    // Named as well, it has to be the same.
    let named = request.clone().with("dpop_jkt", CHALLENGE);
    refused(&named.push(&world).header("dpop", &proof(&own)).send().await, 400, "invalid_dpop_proof");
    refused(&request.push(&world).header("dpop", "x").send().await, 400, "invalid_dpop_proof");
    let elsewhere = own.proof("POST", "https://mcp.test/token", world.clock.now()).mint();
    refused(&request.push(&world).header("dpop", &elsewhere).send().await, 400, "invalid_dpop_proof");

    // Named without a proof, it binds the code too.
    for address in [named.path(), named.pushed(&world).await] {
        let browser = world.browser();
        let form = signed_in(&browser, &address).await;
        let given = code(&browser.post(&form.with("action", "allow")).await);
        refused(&redeem(&world, &client, &given, &own).await, 400, "invalid_grant");
    }
}

#[tokio::test]
async fn a_restart_between_push_and_browser_is_not_noticed() {
    let mut world = World::of(|| OAuthProvider::new(Scripted::local())).await;
    let client = world.register("Web", &[CALLBACK]).await;
    let address = Authz::of(&client).pushed(&world).await;
    world.restart().await;
    let browser = world.browser();
    let form = signed_in(&browser, &address).await;
    code(&browser.post(&form.with("action", "allow")).await);
}
