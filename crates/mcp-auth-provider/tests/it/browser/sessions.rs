//! Browsers that stay signed in.

use std::time::Duration;

use mcp_auth_provider::{Resumed, Step, User};
use mcp_core::Clock;

use super::agent::Agent;
use super::form::Form;
use super::scripted::Scripted;
use super::world::{Authz, CALLBACK, World, code, expect_back};

/// A browser in which ada is signed in, and a client that she has not consented to.
async fn signed_in() -> (World, Scripted, Agent, String) {
    let sign_in = Scripted::local();
    let world = World::with(sign_in.clone()).await;
    let client = world.register("Web", &[CALLBACK]).await;
    let browser = world.browser();
    sign_in_as(&browser, &client, "ada").await;
    (world, sign_in, browser, client)
}

async fn sign_in_as(browser: &Agent, client: &str, user: &str) -> String {
    let page = browser.open(&Authz::of(client).with("prompt", "login").path()).await.expect_status(200);
    let answer = browser.post(&Form::of(&page.text()).with("name", user).with("stay", "on")).await;
    browser.follow(answer).await.expect_status(200).text()
}

fn asks_for_consent(page: &str, user: &str) -> bool {
    page.contains("asks for access") && page.contains(user)
}

#[tokio::test]
async fn the_next_client_need_not_ask_again() {
    let (_world, sign_in, browser, client) = signed_in().await;
    let steps = sign_in.steps();
    let page = browser.open(&Authz::of(&client).path()).await.expect_status(200).text();
    assert!(asks_for_consent(&page, "ada"), "{page}");
    code(&browser.post(&Form::of(&page).with("action", "allow")).await);
    assert_eq!(sign_in.steps(), steps, "the sign-in was not asked");
}

// covers: AZ24, AZ25
#[tokio::test]
async fn prompt_none_shows_nothing() {
    let (world, _, browser, client) = signed_in().await;
    let quiet = Authz::of(&client).with("prompt", "none");
    let stranger = world.browser();
    let answer = stranger.open(&quiet.path()).await;
    expect_back(&answer, "login_required");
    assert_eq!(answer.header("set-cookie"), None);
    expect_back(&browser.open(&quiet.path()).await, "consent_required");

    let page = browser.open(&Authz::of(&client).path()).await.text();
    browser.post(&Form::of(&page).with("action", "allow")).await;
    let answer = browser.open(&quiet.path()).await;
    world.redeem(&client, &code(&answer)).await.expect_status(200);
    // More than was consented to, and by way of somebody's page.
    expect_back(&browser.open(&quiet.clone().with("scope", "mcp:write").path()).await, "consent_required");
    expect_back(&browser.navigate(&quiet.path(), "cross-site").await, "consent_required");
}

// covers: AZ28, LG10
#[tokio::test]
async fn who_has_to_sign_in_anew_does() {
    let (world, sign_in, browser, client) = signed_in().await;
    world.clock.advance(Duration::from_secs(2));
    let asks = |page: String| page.contains("Who are you?");
    for (name, text) in
        [("max_age", "1"), ("max_age", "0"), ("prompt", "login"), ("prompt", "select_account")]
    {
        let page = browser.open(&Authz::of(&client).with(name, text).path()).await.expect_status(200).text();
        assert!(asks(page), "{name}={text}");
        let fresh = sign_in.0.seen.lock().unwrap().as_ref().unwrap().fresh;
        assert_eq!(fresh, text != "1");
    }
    let page = browser.open(&Authz::of(&client).with("max_age", "2").path()).await.text();
    assert!(asks_for_consent(&page, "ada"));
    expect_back(
        &browser.open(&Authz::of(&client).with("max_age", "1").with("prompt", "none").path()).await,
        "login_required",
    );

    // A sign-in that lets somebody through by an older proof is no answer to that.
    let page = browser.open(&Authz::of(&client).with("max_age", "1").path()).await.text();
    let old = world.clock.now() - Duration::from_secs(2);
    sign_in.says(Step::Done(User::new("ada", "ada", old)));
    let answer = browser.post(&Form::of(&page).with("name", "ada")).await.expect_status(403);
    assert!(super::form::link(&answer.text()).unwrap().contains("error=login_required"));
}

// covers: LG16
#[tokio::test]
async fn each_sign_in_has_an_id_of_its_own() {
    let (_world, _, browser, client) = signed_in().await;
    let before = browser.cookies.lock().unwrap().clone();
    let old = browser.cookie("mcp-session").unwrap();
    sign_in_as(&browser, &client, "ada").await;
    assert_ne!(browser.cookie("mcp-session").unwrap(), old);
    // The old one is worth nothing any more.
    *browser.cookies.lock().unwrap() = before;
    let page = browser.open(&Authz::of(&client).path()).await.text();
    assert!(page.contains("Who are you?"), "{page}");
}

// covers: LG17
#[tokio::test]
async fn it_ends_unused_and_in_any_case() {
    let (world, _, browser, client) = signed_in().await;
    let path = Authz::of(&client).path();
    for _ in 0..14 {
        world.clock.advance(Duration::from_secs(12 * 3600 - 1));
        let page = browser.open(&path).await.text();
        assert!(asks_for_consent(&page, "ada"), "used within twelve hours");
    }
    world.clock.advance(Duration::from_secs(15));
    assert!(browser.open(&path).await.text().contains("Who are you?"), "a week is over");

    sign_in_as(&browser, &client, "ada").await;
    world.clock.advance(Duration::from_secs(12 * 3600));
    assert!(browser.open(&path).await.text().contains("Who are you?"), "twelve hours unused");
}

// covers: LG17, UI04
#[tokio::test]
async fn signing_out_ends_it_and_nobody_else_can_do_it() {
    let (world, _, browser, client) = signed_in().await;
    let cookies = browser.cookies.lock().unwrap().clone();
    let page = browser.open(&Authz::of(&client).path()).await.text();
    let question = browser.navigate("/sign-out", "cross-site").await.expect_status(200).text();
    let form = Form::of(&question);
    browser.post_from(&form, "cross-site").await.expect_status(403);
    assert!(asks_for_consent(&browser.open(&Authz::of(&client).path()).await.text(), "ada"));

    browser.post(&form).await.expect_status(200);
    assert_eq!(browser.cookie("mcp-session"), None);
    *browser.cookies.lock().unwrap() = cookies;
    assert!(browser.open(&Authz::of(&client).path()).await.text().contains("Who are you?"));
    // A page that was open already counts no more either.
    let answer = browser.post(&Form::of(&page).with("action", "allow")).await.expect_status(303);
    let page = browser.follow(answer).await.text();
    assert!(page.contains("Who are you?"), "{page}");
    assert_eq!(world.recorded("code_issued", "allowed"), 0);
}

// covers: LG14
#[tokio::test]
async fn the_sign_in_and_the_operator_can_end_it() {
    let (world, sign_in, browser, client) = signed_in().await;
    let path = Authz::of(&client).path();
    sign_in.0.resumed.lock().unwrap().push_back(Resumed::Unavailable);
    browser.open(&path).await.expect_status(503);
    assert!(asks_for_consent(&browser.open(&path).await.text(), "ada"));
    sign_in.0.resumed.lock().unwrap().push_back(Resumed::Ended);
    assert!(browser.open(&path).await.text().contains("Who are you?"));
    assert!(browser.open(&path).await.text().contains("Who are you?"), "for good");

    sign_in_as(&browser, &client, "ada").await;
    let other = world.browser();
    sign_in_as(&other, &client, "bob").await;
    let operator = world.provider.operator("root").unwrap();
    assert_eq!(operator.sign_out_user("ada").await.unwrap(), 1);
    assert!(browser.open(&path).await.text().contains("Who are you?"));
    assert!(asks_for_consent(&other.open(&path).await.text(), "bob"));
}

#[tokio::test]
async fn a_page_shown_to_one_user_is_not_answered_by_another() {
    let (world, _, browser, client) = signed_in().await;
    let page = browser.open(&Authz::of(&client).path()).await.text();
    sign_in_as(&browser, &client, "bob").await;
    let answer = browser.post(&Form::of(&page).with("action", "allow")).await.expect_status(303);
    let page = browser.follow(answer).await.expect_status(200).text();
    assert!(asks_for_consent(&page, "bob"), "{page}");
    assert_eq!(world.recorded("code_issued", "allowed"), 0);
}
