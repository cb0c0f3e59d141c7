//! The consent page and its buttons.

use super::agent::Agent;
use super::form::Form;
use super::scripted::Scripted;
use super::world::{Authz, CALLBACK, World, code, expect_back};

/// Signs in as this user and gives the consent page.
async fn consent_page(browser: &Agent, request: &Authz, user: &str) -> String {
    let page = browser.open(&request.path()).await.expect_status(200);
    let answer = browser.post(&Form::of(&page.text()).with("name", user)).await;
    browser.follow(answer).await.expect_status(200).text()
}

async fn world() -> (World, Agent, Authz, String) {
    let world = World::with(Scripted::local()).await;
    let client = world.register("Web", &[CALLBACK]).await;
    let browser = world.browser();
    let request = Authz::of(&client).with("scope", "mcp:read mcp:write");
    (world, browser, request, client)
}

// covers: CO04, AUTH-66
#[tokio::test]
async fn what_was_not_ticked_is_not_granted() {
    let (world, browser, request, client) = world().await;
    let form = Form::of(&consent_page(&browser, &request, "ada").await);
    let answer = browser.post(&form.without("scope:mcp:write").with("action", "allow")).await;
    world.redeem(&client, &code(&answer)).await.expect_status(200).expect_json("/scope", "mcp:read");
}

// covers: CO05
#[tokio::test]
async fn what_was_not_asked_for_cannot_be_ticked() {
    let (world, browser, _, client) = world().await;
    let request = Authz::of(&client).with("scope", "mcp:read");
    let form = Form::of(&consent_page(&browser, &request, "ada").await).with("action", "allow");
    for scope in ["scope:mcp:write", "scope:admin", "scope:", "scope:offline_access"] {
        let answer = browser.post(&form.clone().with(scope, "on")).await.expect_status(400);
        assert_eq!(answer.header("location"), None);
    }
    assert_eq!(world.recorded("consent", "denied"), 4);
    let none = browser.post(&form.clone().without("scope:mcp:read")).await.expect_status(400);
    assert!(none.text().contains("Tick at least one"), "{none}");
    code(&browser.post(&form).await);
}

#[tokio::test]
async fn access_while_away_can_be_declined() {
    let (world, browser, _, client) = world().await;
    let request = Authz::of(&client).with("scope", "mcp:read offline_access").with("prompt", "consent");
    let form = Form::of(&consent_page(&browser, &request, "ada").await).with("action", "allow");
    let answer = browser.post(&form).await;
    let tokens = world.redeem(&client, &code(&answer)).await.expect_status(200).json();
    assert!(tokens["refresh_token"].is_string());
    let form = Form::of(&consent_page(&browser, &request, "ada").await).with("action", "allow");
    let answer = browser.post(&form.without("scope:offline_access")).await;
    let tokens = world.redeem(&client, &code(&answer)).await.expect_status(200).json();
    assert!(tokens.get("refresh_token").is_none(), "{tokens}");
}

#[tokio::test]
async fn a_no_goes_back_to_the_client_and_stays_one() {
    let (world, browser, request, _) = world().await;
    let form = Form::of(&consent_page(&browser, &request, "ada").await);
    let answer = browser.post(&form.clone().with("action", "deny")).await.expect_status(303);
    expect_back(&answer, "access_denied");
    expect_back(&browser.post(&form.with("action", "allow")).await, "access_denied");
    assert_eq!(world.recorded("code_issued", "allowed"), 0);
}

#[tokio::test]
async fn a_reload_repeats_the_answer_and_not_the_act() {
    let (world, browser, request, client) = world().await;
    let form = Form::of(&consent_page(&browser, &request, "ada").await).with("action", "allow");
    let first = browser.post(&form).await;
    assert_eq!(browser.post(&form).await.header("location"), first.header("location"));
    assert_eq!(browser.post(&form.with("action", "deny")).await.header("location"), first.header("location"));
    assert_eq!(world.recorded("code_issued", "allowed"), 1);
    world.redeem(&client, &code(&first)).await.expect_status(200);
}

// covers: PX16, PX28, CO08, LG15
#[tokio::test]
async fn only_the_form_of_this_page_in_this_browser_counts() {
    let (world, browser, request, _) = world().await;
    let html = consent_page(&browser, &request, "ada").await;
    let form = Form::of(&html).with("action", "allow");

    // Without the token, with a wrong one, with that of another transaction.
    let other = Form::of(&consent_page(&browser, &request, "ada").await);
    browser.post(&form.clone().without("csrf")).await.expect_status(403);
    browser.post(&form.clone().with("csrf", &"A".repeat(43))).await.expect_status(403);
    browser.post(&form.clone().with("csrf", other.value("csrf"))).await.expect_status(403);
    // From a page of somebody else.
    browser.post_from(&form, "cross-site").await.expect_status(403);
    browser.post_from(&form, "same-site").await.expect_status(403);
    // By address, and by a token in place of the cookie.
    let path = format!("/consent?tx={}&csrf={}&action=allow", form.value("tx"), form.value("csrf"));
    let shown = browser.open(&path).await.expect_status(200);
    assert_eq!(shown.header("location"), None);
    // In another browser, which knows everything that is on the page.
    let stranger = world.browser();
    stranger.post(&form).await.expect_status(400);
    stranger.open(&request.path()).await.expect_status(200);
    stranger.post(&form).await.expect_status(400);
    stranger.open(&format!("/consent?tx={}", form.value("tx"))).await.expect_status(400);
    stranger
        .post(&Form { action: "/sign-in".into(), ..form.clone() }.with("name", "eve"))
        .await
        .expect_status(400);
    assert_eq!(world.recorded("code_issued", "allowed"), 0);

    code(&browser.post(&form).await);
}

// covers: LG16
#[tokio::test]
async fn who_planted_the_first_cookie_gains_nothing_by_it() {
    let (world, browser, request, _) = world().await;
    let page = browser.open(&request.path()).await;
    let attacker = world.browser();
    *attacker.cookies.lock().unwrap() = browser.cookies.lock().unwrap().clone();

    let answer = browser.post(&Form::of(&page.text()).with("name", "ada")).await;
    let form = Form::of(&browser.follow(answer).await.text()).with("action", "allow");
    // It is asked to sign in itself, and sees nothing of whom.
    let shown = attacker.open(&format!("/consent?tx={}", form.value("tx"))).await.expect_status(200).text();
    assert!(shown.contains("Who are you?") && !shown.contains("ada"), "{shown}");
    let answer = attacker.post(&form).await.expect_status(303);
    assert!(answer.header("location").unwrap().starts_with("/consent"), "{answer}");
    let done = browser.post(&form).await;
    code(&done);
    let late = attacker.post(&form).await;
    assert_eq!(late.header("location"), None, "{late}");
}

#[tokio::test]
async fn somebody_else_can_sign_in_instead() {
    let (world, browser, request, client) = world().await;
    let first = Form::of(&consent_page(&browser, &request, "ada").await);
    let answer = browser.post(&first.clone().with("action", "switch")).await;
    let page = browser.follow(answer).await.expect_status(200).text();
    let answer = browser.post(&Form::of(&page).with("name", "bob")).await;
    let page = browser.follow(answer).await.text();
    assert!(page.contains("bob") && !page.contains("ada"), "{page}");
    // The page that ada saw counts no more.
    browser.post(&first.with("action", "allow")).await.expect_status(403);
    let answer = browser.post(&Form::of(&page).with("action", "allow")).await;
    let tokens = world.redeem(&client, &code(&answer)).await.expect_status(200).json();
    let call = world.client.post("/mcp").bearer(tokens["access_token"].as_str().unwrap());
    call.json(&serde_json::json!({})).send().await.expect_json("/sub", "bob");
}

#[tokio::test]
async fn who_is_refused_reads_why_and_the_client_is_told() {
    let (_world, browser, request, _) = world().await;
    let page = browser.open(&request.path()).await;
    let form = Form::of(&page.text()).with("name", "nobody");
    for _ in 0..2 {
        let answer = browser.post(&form).await.expect_status(403);
        let html = answer.text();
        assert!(html.contains("Nobody may come in &lt;b&gt;here"), "{html}");
        let back = super::form::link(&html).unwrap();
        assert!(back.starts_with("https://c.test/cb?error=access_denied"), "{back}");
    }
}

// covers: CI16, CO03
#[tokio::test]
async fn the_page_warns_of_clients_on_the_device() {
    let (world, browser, request, _) = world().await;
    let web = consent_page(&browser, &request, "ada").await;
    assert!(!web.contains("runs on this device") && web.contains("nobody has checked it"), "{web}");
    let native = world.register("Native", &["http://127.0.0.1/cb"]).await;
    let request = Authz::of(&native).with("redirect_uri", "http://127.0.0.1:4711/cb");
    let page = consent_page(&browser, &request, "ada").await;
    assert!(page.contains("It runs on this device"), "{page}");
}

#[tokio::test]
async fn a_transaction_ends_when_its_time_is_over() {
    let (world, browser, request, _) = world().await;
    let form = Form::of(&consent_page(&browser, &request, "ada").await).with("action", "allow");
    world.clock.advance(std::time::Duration::from_millis(599_999));
    browser.open(&format!("/consent?tx={}", form.value("tx"))).await.expect_status(200);
    world.clock.advance(std::time::Duration::from_millis(1));
    browser.post(&form).await.expect_status(400);
}
