//! Browsers that stay signed in.

use std::time::Duration;

use mcp_auth_provider::{Resumed, Step, User};
use mcp_core::Clock;
use mcp_store::testkit::{Call, Fault};

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

/// Signs in for one transaction alone, and gives the form of the consent page.
async fn consent_form(browser: &Agent, client: &str, user: &str) -> Form {
    let page = browser.open(&Authz::of(client).path()).await.expect_status(200);
    let answer = browser.post(&Form::of(&page.text()).with("name", user)).await;
    let page = browser.follow(answer).await.expect_status(200).text();
    assert!(asks_for_consent(&page, user), "{page}");
    Form::of(&page).with("action", "allow")
}

/// Posts a form that leads to a sign-in, and gives its page.
async fn has_to_sign_in(browser: &Agent, form: &Form) -> String {
    let answer = browser.post(form).await.expect_status(303);
    let page = browser.follow(answer).await.expect_status(200).text();
    assert!(page.contains("Who are you?") && !page.contains("ada"), "{page}");
    page
}

// covers: LG17
#[tokio::test]
async fn who_signed_out_leaves_no_page_behind_that_can_be_answered() {
    let world = World::with(Scripted::local()).await;
    let client = world.register("Web", &[CALLBACK]).await;
    let (browser, other) = (world.browser(), world.browser());
    let forms = [consent_form(&browser, &client, "ada").await, consent_form(&browser, &client, "ada").await];
    let elsewhere = consent_form(&other, &client, "ada").await;
    let before = browser.cookies.lock().unwrap().clone();
    assert_eq!(before.keys().filter(|name| name.contains("mcp-tx-")).count(), 2);

    let question = browser.open("/sign-out").await.expect_status(200).text();
    browser.post(&Form::of(&question)).await.expect_status(200);
    assert_eq!(browser.cookie("mcp-tx"), None);
    has_to_sign_in(&browser, &forms[0]).await;
    // Nor by a copy of the cookies.
    *browser.cookies.lock().unwrap() = before.clone();
    let page = has_to_sign_in(&browser, &forms[1]).await;
    assert_eq!(world.recorded("code_issued", "allowed"), 0);

    // Who comes next goes on in its own name, and then the old cookies are worth nothing.
    let answer = browser.post(&Form::of(&page).with("name", "ada")).await;
    let now = Form::of(&browser.follow(answer).await.expect_status(200).text()).with("action", "allow");
    let after = browser.cookies.lock().unwrap().clone();
    *browser.cookies.lock().unwrap() = before;
    has_to_sign_in(&browser, &now).await;
    *browser.cookies.lock().unwrap() = after;
    code(&browser.post(&now).await);
    // Other browsers are not concerned.
    code(&other.post(&elsewhere).await);
}

#[tokio::test]
async fn a_sign_out_takes_cookies_away_though_the_store_fails() {
    let world = World::with(Scripted::local()).await;
    let client = world.register("Web", &[CALLBACK]).await;
    let browser = world.browser();
    consent_form(&browser, &client, "ada").await;
    let question = Form::of(&browser.open("/sign-out").await.expect_status(200).text());
    world.store.fail_always(Call::Commit, Fault::Unavailable);
    browser.post(&question).await.expect_status(503);
    assert_eq!(browser.cookie("mcp-tx"), None);
    world.store.heal();
    browser.post(&question).await.expect_status(200);
}

// covers: LG14
#[tokio::test]
async fn whom_the_operator_signs_out_has_to_sign_in_for_open_pages_too() {
    let world = World::with(Scripted::local()).await;
    let client = world.register("Web", &[CALLBACK]).await;
    let (browser, other) = (world.browser(), world.browser());
    let form = consent_form(&browser, &client, "ada").await;
    let of_bob = consent_form(&other, &client, "bob").await;
    let operator = world.provider.operator("root").unwrap();
    operator.sign_out_user("ada").await.unwrap();
    let page = has_to_sign_in(&browser, &form).await;
    assert_eq!(world.recorded("code_issued", "allowed"), 0);
    let answer = browser.post(&Form::of(&page).with("name", "ada")).await;
    let page = browser.follow(answer).await.expect_status(200).text();
    code(&browser.post(&Form::of(&page).with("action", "allow")).await);
    code(&other.post(&of_bob).await);
}

#[tokio::test]
async fn a_session_that_begins_while_its_user_is_signed_out_does_not_stay() {
    let world = World::with(Scripted::local()).await;
    let client = world.register("Web", &[CALLBACK]).await;
    let browser = world.browser();
    let page = browser.open(&Authz::of(&client).path()).await.expect_status(200);
    let form = Form::of(&page.text()).with("name", "ada").with("stay", "on");
    // Its entry in the list of the user is there, and it is not yet.
    world.store.fail_after(1, Call::Commit, Fault::Hang);
    let before = world.store.calls(Call::Commit);
    let operator = world.provider.operator("root").unwrap();
    let signed_out = async {
        while world.store.calls(Call::Commit) < before + 2 {
            tokio::task::yield_now().await;
        }
        operator.sign_out_user("ada").await.unwrap();
        world.store.heal();
    };
    let (answer, ()) = tokio::join!(browser.post(&form), signed_out);
    assert!(browser.follow(answer).await.text().contains("Who are you?"));
    assert_eq!(browser.cookie("mcp-session"), None);
    assert!(browser.open(&Authz::of(&client).path()).await.text().contains("Who are you?"));
}
