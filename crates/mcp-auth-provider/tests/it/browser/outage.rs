//! A store that fails at any moment, and a user who loads the page again.

use mcp_auth_testkit::Answer;
use mcp_store::testkit::{Call, Fault};

use super::agent::Agent;
use super::form::Form;
use super::scripted::Scripted;
use super::world::{Authz, CALLBACK, World, code};

/// Posts a form, again and again while the server says that it cannot tell.
async fn insist(browser: &Agent, form: &Form) -> Answer {
    for _ in 0..3 {
        let answer = browser.post(form).await;
        if answer.status() != 503 {
            return answer;
        }
        assert!(answer.header("retry-after").is_some() && answer.text().contains("try again"), "{answer}");
    }
    panic!("it never goes on");
}

async fn open(browser: &Agent, path: &str) -> Answer {
    for _ in 0..3 {
        let answer = browser.open(path).await;
        if answer.status() != 503 {
            return answer;
        }
    }
    panic!("it never goes on");
}

/// From `/authorize` to a code, through every page.
async fn through(browser: &Agent, client: &str) -> Answer {
    let page = open(browser, &Authz::of(client).path()).await.expect_status(200);
    let form = Form::of(&page.text()).with("name", "ada").with("stay", "on");
    let answer = insist(browser, &form).await.expect_status(303);
    let page = open(browser, answer.header("location").unwrap()).await.expect_status(200);
    insist(browser, &Form::of(&page.text()).with("action", "allow")).await
}

#[tokio::test]
async fn whenever_the_store_fails_the_user_gets_through_in_the_end() {
    for (call, fault) in [
        (Call::Get, Fault::Unavailable),
        (Call::Commit, Fault::Unavailable),
        (Call::Commit, Fault::LostRequest),
        (Call::Commit, Fault::LostAnswer),
    ] {
        let world = World::with(Scripted::local()).await;
        let client = world.register("Web", &[CALLBACK]).await;
        let calls = {
            let before = world.store.calls(call);
            code(&through(&world.browser(), &client).await);
            world.store.calls(call) - before
        };
        assert!(calls > 3, "{call:?}: {calls}");
        for passes in 0..calls {
            let world = World::with(Scripted::local()).await;
            let client = world.register("Web", &[CALLBACK]).await;
            world.store.fail_after(passes, call, fault);
            let code = code(&through(&world.browser(), &client).await);
            world.store.heal();
            assert_eq!(world.recorded("code_issued", "allowed"), 1, "{call:?} {fault:?} {passes}");
            world.redeem(&client, &code).await.expect_status(200);
        }
    }
}

#[tokio::test]
async fn while_the_store_is_away_nobody_is_sent_anywhere() {
    let world = World::with(Scripted::local()).await;
    let client = world.register("Web", &[CALLBACK]).await;
    let browser = world.browser();
    let page = browser.open(&Authz::of(&client).path()).await;
    world.store.fail_always(Call::Get, Fault::Unavailable);
    world.store.fail_always(Call::Commit, Fault::Unavailable);
    let form = Form::of(&page.text()).with("name", "ada");
    for answer in [
        browser.open(&Authz::of(&client).path()).await,
        browser.post(&form).await,
        browser.open(&format!("/consent?tx={}", form.value("tx"))).await,
    ] {
        assert_eq!(answer.status(), 503, "{answer}");
        assert_eq!(answer.header("location"), None);
    }
    world.store.heal();
    let answer = browser.post(&form).await.expect_status(303);
    browser.follow(answer).await.expect_status(200);
}

#[tokio::test]
async fn who_signed_in_before_the_store_failed_need_not_do_it_again() {
    let world = World::with(Scripted::local()).await;
    let client = world.register("Web", &[CALLBACK]).await;
    let browser = world.browser();
    let page = browser.open(&Authz::of(&client).path()).await.expect_status(200);
    let form = Form::of(&page.text()).with("name", "ada");
    // The sign-in is stored; what would come next is not.
    world.store.fail_after(1, Call::Commit, Fault::Unavailable);
    browser.post(&form).await.expect_status(503);
    world.store.heal();
    assert_eq!(world.recorded("sign_in", "allowed"), 1);
    assert!(browser.cookie("mcp-tx").is_some(), "the proof of it is in the browser");
    let page = browser.open(&format!("/consent?tx={}", form.value("tx"))).await.expect_status(200).text();
    assert!(page.contains("asks for access") && page.contains("ada"), "{page}");
    code(&browser.post(&Form::of(&page).with("action", "allow")).await);
}

#[tokio::test]
async fn who_stays_signed_in_does_so_though_the_store_failed_then() {
    let world = World::with(Scripted::local()).await;
    let client = world.register("Web", &[CALLBACK]).await;
    let browser = world.browser();
    let page = browser.open(&Authz::of(&client).path()).await.expect_status(200);
    let form = Form::of(&page.text()).with("name", "ada").with("stay", "on");
    // The session and its entry are stored; the step of the transaction is not.
    world.store.fail_after(2, Call::Commit, Fault::Unavailable);
    browser.post(&form).await.expect_status(503);
    world.store.heal();
    let page = browser.open(&Authz::of(&client).path()).await.expect_status(200).text();
    assert!(page.contains("asks for access") && page.contains("ada"), "{page}");
}
