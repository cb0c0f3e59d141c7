//! A sign-in that is somewhere else, so consent comes first.

use mcp_auth_testkit::Answer;
use url::Url;

use super::agent::Agent;
use super::form::Form;
use super::scripted::Scripted;
use super::world::{Authz, CALLBACK, World, code, expect_back};

async fn world() -> (World, Scripted, Agent, Authz) {
    let sign_in = Scripted::upstream();
    let world = World::with(sign_in.clone()).await;
    let client = world.register("Web", &[CALLBACK]).await;
    let browser = world.browser();
    let request = Authz::of(&client);
    (world, sign_in, browser, request)
}

/// The state that the other server gets to see.
#[track_caller]
fn state(answer: &Answer) -> String {
    let url = Url::parse(answer.header("location").unwrap()).unwrap();
    assert_eq!(url.host_str(), Some("idp.test"), "{answer}");
    url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned()
}

async fn come_back(browser: &Agent, state: &str, with: &str) -> Answer {
    browser.navigate(&format!("/callback?state={state}&{with}"), "cross-site").await
}

// covers: PX01, PX05, PX06
#[tokio::test]
async fn nobody_is_contacted_before_there_is_consent() {
    let (world, sign_in, browser, request) = world().await;
    let page = browser.navigate(&request.path(), "cross-site").await.expect_status(200).text();
    assert!(page.contains("Web") && page.contains("c.test") && page.contains("Read your notes"), "{page}");
    assert_eq!(sign_in.steps(), 0);
    assert_eq!(browser.cookie("mcp-tx"), None);

    // What would come back from there does not count yet.
    let form = Form::of(&page);
    let answer = come_back(&browser, form.value("tx"), "code=ada").await.expect_status(303);
    assert!(answer.header("location").unwrap().starts_with("/consent"), "{answer}");
    assert_eq!(sign_in.steps(), 0);

    let answer = browser.post(&form.with("action", "allow")).await.expect_status(303);
    let state = state(&answer);
    let answer = come_back(&browser, &state, "code=ada").await;
    let tokens = world.redeem(client_of(&request), &code(&answer)).await.expect_status(200);
    let token = tokens.json()["access_token"].as_str().unwrap().to_owned();
    let call = world.client.post("/mcp").bearer(&token).json(&serde_json::json!({}));
    call.send().await.expect_json("/sub", "ada");
}

fn client_of(request: &Authz) -> &str {
    request.get("client_id")
}

// covers: PX04, PX28
#[tokio::test]
async fn what_comes_back_counts_in_the_browser_that_said_yes_alone() {
    let (world, sign_in, browser, request) = world().await;
    let form = Form::of(&browser.open(&request.path()).await.text());
    let before = browser.cookies.lock().unwrap().clone();
    let state = state(&browser.post(&form.with("action", "allow")).await);
    let steps = sign_in.steps();

    let stranger = world.browser();
    come_back(&stranger, &state, "code=eve").await.expect_status(400);
    stranger.open(&request.path()).await.expect_status(200);
    come_back(&stranger, &state, "code=eve").await.expect_status(400);
    for bad in ["", "mcp_tx_x", &state[..state.len() - 1], &format!("{state}x")] {
        come_back(&browser, bad, "code=eve").await.expect_status(400);
    }
    come_back(&browser, &state, &format!("code=eve&state={state}")).await.expect_status(400);
    // Somebody who planted the browser's first cookie.
    let planted = world.browser();
    *planted.cookies.lock().unwrap() = before;
    let answer = come_back(&planted, &state, "code=eve").await.expect_status(303);
    assert!(planted.follow(answer).await.text().contains("asks for access"));
    assert_eq!(sign_in.steps(), steps);

    let first = code(&come_back(&browser, &state, "code=ada").await);
    // Once more: the answer is repeated, whatever it says now.
    assert_eq!(code(&come_back(&browser, &state, "code=eve").await), first);
    world.clock.advance(std::time::Duration::from_secs(600));
    come_back(&browser, &state, "code=ada").await.expect_status(400);
}

// covers: PX07
#[tokio::test]
async fn a_no_over_there_is_a_no_for_the_client() {
    let (_world, _, browser, request) = world().await;
    let form = Form::of(&browser.open(&request.path()).await.text());
    let state = state(&browser.post(&form.with("action", "allow")).await);
    expect_back(&come_back(&browser, &state, "error=access_denied").await, "access_denied");
}

// covers: PX18
#[tokio::test]
async fn a_browser_that_remembers_consent_remembers_whose_it_is() {
    let (world, sign_in, browser, request) = world().await;
    let form = Form::of(&browser.open(&request.path()).await.text());
    let first = state(&browser.post(&form.with("action", "allow")).await);
    code(&come_back(&browser, &first, "code=ada").await);

    // The same user, without a question.
    let second = state(&browser.open(&request.path()).await);
    code(&come_back(&browser, &second, "code=ada").await);
    // From a page of somebody else, with one.
    let steps = sign_in.steps();
    let page = browser.navigate(&request.path(), "cross-site").await.expect_status(200).text();
    assert!(page.contains("asks for access"));
    assert_eq!(sign_in.steps(), steps);
    // Another user: asked before there is a code.
    let third = state(&browser.open(&request.path()).await);
    let answer = come_back(&browser, &third, "code=bob").await.expect_status(303);
    let page = browser.follow(answer).await.expect_status(200).text();
    assert!(page.contains("asks for access") && page.contains("bob"), "{page}");
    code(&browser.post(&Form::of(&page).with("action", "allow")).await);
    // What its user took back is gone for the browser as well.
    let operator = world.provider.operator("root").unwrap();
    assert_eq!(operator.forget_consent("bob", None).await.unwrap(), 1);
    browser.open(&request.path()).await.expect_status(200);
    // Cookies of somebody's making lead nowhere.
    let other = world.browser();
    other.cookies.lock().unwrap().insert("__Host-mcp-browser".to_owned(), "A".repeat(43));
    other.open(&request.path()).await.expect_status(200);
}

// covers: PX17
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pressing_twice_leads_on_by_either_answer() {
    let (world, _, browser, request) = world().await;
    let form = Form::of(&browser.open(&request.path()).await.text()).with("action", "allow");
    // Each has the browser's first cookie, and of what the others get nothing.
    let windows: Vec<_> = (0..16)
        .map(|_| {
            let window = world.browser();
            *window.cookies.lock().unwrap() = browser.cookies.lock().unwrap().clone();
            let form = form.clone();
            tokio::spawn(async move {
                let state = state(&window.post(&form).await);
                (window, state)
            })
        })
        .collect();
    let mut answers = Vec::new();
    for window in windows {
        answers.push(window.await.unwrap());
    }
    let (window, state) = &answers[9];
    code(&come_back(window, state, "code=ada").await);
    // To the others it is over.
    let (other, state) = &answers[3];
    let late = come_back(other, state, "code=ada").await;
    assert!(late.header("location").is_none() && late.text().contains("is over"), "{late}");
    assert_eq!(world.recorded("code_issued", "allowed"), 1);
}

#[tokio::test]
async fn prompt_none_cannot_be_answered() {
    let (_world, sign_in, browser, request) = world().await;
    let answer = browser.open(&request.with("prompt", "none").path()).await;
    expect_back(&answer, "login_required");
    assert_eq!(sign_in.steps(), 0);
}
