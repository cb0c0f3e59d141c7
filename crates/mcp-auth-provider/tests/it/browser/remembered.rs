//! Consent that was given before, and where it does not count.

use serde_json::json;

use super::agent::Agent;
use super::form::Form;
use super::scripted::Scripted;
use super::world::{Authz, CALLBACK, World, code};

/// Signs in and allows what is ticked.
async fn allow(browser: &Agent, request: &Authz) -> String {
    let mut html = browser.open(&request.path()).await.expect_status(200).text();
    if html.contains("Who are you?") {
        let answer = browser.post(&Form::of(&html).with("name", "ada").with("stay", "on")).await;
        html = browser.follow(answer).await.expect_status(200).text();
    }
    code(&browser.post(&Form::of(&html).with("action", "allow")).await)
}

async fn asks(browser: &Agent, request: &Authz, site: &str) -> bool {
    let answer = browser.navigate(&request.path(), site).await;
    match answer.status() {
        200 => answer.text().contains("asks for access"),
        _ => {
            code(&answer);
            false
        }
    }
}

// covers: CO06
#[tokio::test]
async fn the_same_again_is_not_asked_and_more_is() {
    let world = World::with(Scripted::local()).await;
    let client = world.register("Web", &[CALLBACK]).await;
    let browser = world.browser();
    let read = Authz::of(&client);
    let both = read.clone().with("scope", "mcp:read mcp:write");
    allow(&browser, &read).await;
    assert!(!asks(&browser, &read, "none").await);
    assert!(!asks(&browser, &read, "same-origin").await);
    // Any page could have sent the browser here.
    assert!(asks(&browser, &read, "cross-site").await);
    assert!(asks(&browser, &read, "same-site").await);
    assert!(asks(&browser, &read.clone().with("prompt", "consent"), "none").await);
    assert!(asks(&browser, &both, "none").await);
    assert!(asks(&browser, &read.clone().with("resource", "https://mcp.test/other"), "none").await);
    allow(&browser, &both).await;
    assert!(!asks(&browser, &both, "none").await);
    assert!(!asks(&browser, &Authz::of(&client).with("scope", "mcp:write"), "none").await);

    let other = world.register("Web", &["https://c.test/cb", "https://c.test/other"]).await;
    assert!(asks(&browser, &Authz::of(&other), "none").await);
    // A browser that looks ahead, and an old one that does not say where it comes from.
    let header = browser.cookie_header().unwrap();
    let ahead = world.client.get(&read.path()).header("cookie", &header).header("sec-fetch-site", "none");
    let answer = ahead.header("sec-purpose", "prefetch;prerender").send().await;
    assert!(answer.text().contains("asks for access"));
    let answer = world.client.get(&read.path()).header("cookie", &header).send().await;
    assert!(answer.text().contains("asks for access"));
}

#[tokio::test]
async fn it_is_the_users_and_not_the_browsers() {
    let world = World::with(Scripted::local()).await;
    let client = world.register("Web", &[CALLBACK]).await;
    let browser = world.browser();
    allow(&browser, &Authz::of(&client)).await;
    let page = browser.open(&Authz::of(&client).with("prompt", "login").path()).await.text();
    let answer = browser.post(&Form::of(&page).with("name", "bob")).await;
    assert!(browser.follow(answer).await.text().contains("asks for access"));
    let elsewhere = world.browser();
    let page = elsewhere.open(&Authz::of(&client).path()).await.text();
    let answer = elsewhere.post(&Form::of(&page).with("name", "ada")).await;
    code(&elsewhere.follow(answer).await);
}

#[tokio::test]
async fn a_public_client_on_the_device_is_always_asked_for() {
    for (registered, used) in [
        ("http://127.0.0.1/cb", "http://127.0.0.1:4711/cb"),
        // With TLS: whoever listens there made the certificate.
        ("https://localhost:4711/cb", "https://localhost:4711/cb"),
        ("https://127.0.0.1/cb", "https://127.0.0.1/cb"),
    ] {
        is_always_asked_for(registered, used).await;
    }
}

async fn is_always_asked_for(registered: &str, used: &str) {
    let world = World::with(Scripted::local()).await;
    let native = world.register("Native", &[registered]).await;
    let browser = world.browser();
    let request = Authz::of(&native).with("redirect_uri", used);
    let client = |html: &str| html.contains("asks for access");
    for _ in 0..2 {
        let mut html = browser.open(&request.path()).await.expect_status(200).text();
        if html.contains("Who are you?") {
            let answer = browser.post(&Form::of(&html).with("name", "ada").with("stay", "on")).await;
            html = browser.follow(answer).await.expect_status(200).text();
        }
        assert!(client(&html), "{used}: {html}");
        browser.post(&Form::of(&html).with("action", "allow")).await.expect_status(303);
    }
    // One that proves itself for its code can be played by nobody else.
    let confidential =
        world.register_as(json!({ "client_name": "Conf", "redirect_uris": ["http://127.0.0.1/cb"] })).await;
    let request = Authz::of(confidential["client_id"].as_str().unwrap())
        .with("redirect_uri", "http://127.0.0.1:4711/cb");
    let html = browser.open(&request.path()).await.text();
    browser.post(&Form::of(&html).with("action", "allow")).await.expect_status(303);
    browser.open(&request.path()).await.expect_status(303);
}

// covers: CO07
#[tokio::test]
async fn what_is_forgotten_is_asked_again() {
    let world = World::with(Scripted::local()).await;
    let (one, two) = (world.register("One", &[CALLBACK]).await, world.register("Two", &[CALLBACK]).await);
    let browser = world.browser();
    allow(&browser, &Authz::of(&one)).await;
    allow(&browser, &Authz::of(&two)).await;
    let operator = world.provider.operator("root").unwrap();
    assert_eq!(operator.forget_consent("ada", Some(&one)).await.unwrap(), 1);
    assert_eq!(operator.forget_consent("bob", None).await.unwrap(), 0);
    assert!(asks(&browser, &Authz::of(&one), "none").await);
    assert!(!asks(&browser, &Authz::of(&two), "none").await);
    assert_eq!(operator.forget_consent("ada", None).await.unwrap(), 1);
    assert!(asks(&browser, &Authz::of(&two), "none").await);
}

#[tokio::test]
async fn nobody_is_asked_where_the_operator_does_not_want_it() {
    let world =
        World::of(|| mcp_auth_provider::OAuthProvider::new(Scripted::local()).dangerous().skip_consent())
            .await;
    let client = world.register("Web", &[CALLBACK]).await;
    let browser = world.browser();
    let page = browser.open(&Authz::of(&client).path()).await.text();
    let answer = browser.post(&Form::of(&page).with("name", "ada")).await;
    world.redeem(&client, &code(&answer)).await.expect_status(200);
    let page = browser.open(&Authz::of(&client).with("prompt", "consent").path()).await.text();
    let answer = browser.post(&Form::of(&page).with("name", "ada")).await;
    assert!(browser.follow(answer).await.text().contains("asks for access"));
}
