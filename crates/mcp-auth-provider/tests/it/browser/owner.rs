//! One owner, one password.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mcp_auth_provider::{OAuthProvider, OwnerSignIn};

use super::agent::Agent;
use super::form::Form;
use super::world::{Authz, CALLBACK, World, code};

const PASSWORD: &str = "correct horse battery staple";

async fn world() -> (World, String) {
    let world = World::of(|| OAuthProvider::new(OwnerSignIn::with_password(PASSWORD))).await;
    let client = world.register("Web", &[CALLBACK]).await;
    (world, client)
}

async fn login(browser: &Agent, client: &str) -> Form {
    Form::of(&browser.open(&Authz::of(client).with("prompt", "login").path()).await.expect_status(200).text())
}

// covers: LG01, LG05
#[tokio::test]
async fn what_cannot_be_a_password_is_refused_before_it_costs_anything() {
    let (world, client) = world().await;
    let browser = world.browser();
    let form = login(&browser, &client).await;
    for bad in ["", "\0", &format!("{PASSWORD}\0"), &"x".repeat(4097)] {
        browser.post(&form.clone().with("password", bad)).await.expect_status(400);
    }
    browser.post(&form.clone().with("password", &"x".repeat(1 << 20))).await.expect_status(413);
    let wrong = browser.post(&form.clone().with("password", &PASSWORD[..27])).await.expect_status(403);
    let longer =
        browser.post(&form.clone().with("password", &format!("{PASSWORD} "))).await.expect_status(403);
    assert_eq!(wrong.text(), longer.text());
    browser.post(&form.with("password", PASSWORD)).await.expect_status(303);
}

// covers: LG02
#[tokio::test]
async fn guessing_is_slow_and_does_not_lock_the_owner_out() {
    let (world, client) = world().await;
    let owner = world.browser();
    let form = login(&owner, &client).await;
    owner.post(&form.with("password", PASSWORD)).await.expect_status(303);

    let stranger = world.browser();
    let form = login(&stranger, &client).await;
    for n in 0..5 {
        stranger.post(&form.clone().with("password", &format!("guess number {n}"))).await.expect_status(403);
    }
    let answer = stranger.post(&form.clone().with("password", PASSWORD)).await.expect_status(429);
    assert_eq!(answer.header("retry-after"), Some("2"));
    assert!(!answer.text().contains("asks for access"));
    // From the same address, but it was the owner's browser before.
    let form = login(&owner, &client).await;
    owner.post(&form.with("password", PASSWORD)).await.expect_status(303);

    world.clock.advance(Duration::from_secs(2));
    let form = login(&stranger, &client).await;
    stranger.post(&form.with("password", PASSWORD)).await.expect_status(303);
}

// covers: LG17, RT15
#[tokio::test]
async fn another_password_ends_what_the_old_one_began() {
    let password = Arc::new(Mutex::new(PASSWORD.to_owned()));
    let given = password.clone();
    let mut world =
        World::of(move || OAuthProvider::new(OwnerSignIn::with_password(given.lock().unwrap().clone())))
            .await;
    let client = world.register("Web", &[CALLBACK]).await;
    let mut browser = world.browser();
    let form = login(&browser, &client).await;
    let answer = browser.post(&form.with("password", PASSWORD)).await;
    let page = browser.follow(answer).await.text();
    let answer = browser.post(&Form::of(&page).with("action", "allow")).await;
    let tokens = world.redeem(&client, &code(&answer)).await.expect_status(200).json();
    let mut refresh = tokens["refresh_token"].as_str().unwrap().to_owned();
    let asks = |page: &str| page.contains("type=\"password\"");

    // The same password at the next start changes nothing.
    world.restart().await;
    browser.client = world.client.clone();
    assert!(!asks(&browser.navigate(&Authz::of(&client).path(), "cross-site").await.text()));
    let form = |token: &str| {
        [("grant_type", "refresh_token"), ("client_id", &client), ("refresh_token", token)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let send = async |world: &World, token: &str| {
        let form = form(token);
        let pairs = form.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        world.client.post("/token").form(pairs).send().await
    };
    let answer = send(&world, &refresh).await.expect_status(200).json();
    refresh = answer["refresh_token"].as_str().unwrap().to_owned();

    *password.lock().unwrap() = "another horse battery staple".to_owned();
    world.restart().await;
    browser.client = world.client.clone();
    let page = browser.navigate(&Authz::of(&client).path(), "cross-site").await.text();
    assert!(asks(&page), "{page}");
    let old = browser.post(&Form::of(&page).with("password", PASSWORD)).await;
    old.expect_status(403);
    let answer = send(&world, &refresh).await.expect_status(400);
    answer.expect_json("/error", "invalid_grant");
}

#[tokio::test]
async fn a_generated_password_is_told_once() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let own = told.clone();
    let mut world = World::of(move || {
        let told = own.clone();
        OAuthProvider::new(OwnerSignIn::generated(move |password| {
            told.lock().unwrap().push(password.to_owned());
        }))
    })
    .await;
    world.restart().await;
    let passwords = told.lock().unwrap().clone();
    assert_eq!(passwords.len(), 1);
    let client = world.register("Web", &[CALLBACK]).await;
    let browser = world.browser();
    let form = login(&browser, &client).await;
    browser.post(&form.with("password", &passwords[0])).await.expect_status(303);
}

#[tokio::test]
async fn a_short_password_is_refused_at_the_start() {
    let site = |sign_in: OwnerSignIn| {
        let service =
            mcp_core::BoxService::from_fn(|_| async { http::Response::new(mcp_core::Body::empty()) });
        mcp_core::Site::new("https://mcp.test")
            .resource("/mcp", service)
            .auth(OAuthProvider::new(sign_in).store(mcp_store::MemoryStore::new()))
            .build()
    };
    let error = site(OwnerSignIn::with_password("elevenchars")).await.unwrap_err().to_string();
    assert!(error.contains("12 characters") && !error.contains("elevenchars"), "{error}");
    assert!(site(OwnerSignIn::with_password("twelve chars")).await.is_ok());
    assert!(!format!("{:?}", OwnerSignIn::with_password(PASSWORD)).contains("horse"));
}
