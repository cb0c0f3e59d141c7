//! Many at once, several windows, and servers that come and go.

use std::sync::Arc;

use mcp_auth_provider::OAuthProvider;
use mcp_store::{SqliteStore, Store};

use super::form::Form;
use super::scripted::Scripted;
use super::world::{Authz, CALLBACK, World, code};

/// On a store that really waits, so that all of them are between reading and writing at the same time.
async fn on_a_disk() -> (World, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("auth.db");
    let open = move || -> Arc<dyn Store> { Arc::new(SqliteStore::open(&file).unwrap()) };
    (World::on(open, || OAuthProvider::new(Scripted::local())).await, folder)
}

// covers: AC01
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_answers_to_one_page_one_gives_a_code() {
    let (world, _folder) = on_a_disk().await;
    let client = world.register("Web", &[CALLBACK]).await;
    let browser = world.browser();
    let page = browser.open(&Authz::of(&client).path()).await;
    let answer = browser.post(&Form::of(&page.text()).with("name", "ada")).await;
    let form = Form::of(&browser.follow(answer).await.text()).with("action", "allow");
    let posts: Vec<_> = (0..64)
        .map(|_| {
            let (browser, form) = (browser.clone(), form.clone());
            tokio::spawn(async move { code(&browser.post(&form).await) })
        })
        .collect();
    let mut codes = Vec::new();
    for post in posts {
        codes.push(post.await.unwrap());
    }
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), 1, "all of them get the same");
    assert_eq!(world.recorded("code_issued", "allowed"), 1);
    world.redeem(&client, &codes[0]).await.expect_status(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn allow_and_deny_at_once_are_one_of_both() {
    let (world, _folder) = on_a_disk().await;
    let client = world.register("Web", &[CALLBACK]).await;
    let browser = world.browser();
    let page = browser.open(&Authz::of(&client).path()).await;
    let answer = browser.post(&Form::of(&page.text()).with("name", "ada")).await;
    let form = Form::of(&browser.follow(answer).await.text());
    let posts: Vec<_> = (0..32)
        .map(|n| {
            let browser = browser.clone();
            let form = form.clone().with("action", if n % 2 == 0 { "allow" } else { "deny" });
            tokio::spawn(async move { browser.post(&form).await.header("location").unwrap().to_owned() })
        })
        .collect();
    let mut places = Vec::new();
    for post in posts {
        places.push(post.await.unwrap());
    }
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len(), 1, "{places:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whichever_answer_to_a_sign_in_arrives_it_goes_on() {
    let (world, _folder) = on_a_disk().await;
    let client = world.register("Web", &[CALLBACK]).await;
    let browser = world.browser();
    let page = browser.open(&Authz::of(&client).path()).await;
    let form = Form::of(&page.text()).with("name", "ada");
    // Each has the browser's first cookie, and of what the others get nothing.
    let windows: Vec<_> = (0..16)
        .map(|_| {
            let window = world.browser();
            *window.cookies.lock().unwrap() = browser.cookies.lock().unwrap().clone();
            let form = form.clone();
            tokio::spawn(async move {
                let answer = window.post(&form).await;
                let page = window.follow(answer).await.expect_status(200).text();
                assert!(page.contains("asks for access"), "{page}");
            })
        })
        .collect();
    for window in windows {
        window.await.unwrap();
    }
}

// covers: PX17
#[tokio::test]
async fn two_windows_do_not_disturb_each_other() {
    let world = World::with(Scripted::local()).await;
    let (one, two) = (world.register("One", &[CALLBACK]).await, world.register("Two", &[CALLBACK]).await);
    let browser = world.browser();
    let first = browser.open(&Authz::of(&one).path()).await;
    let second = browser.open(&Authz::of(&two).path()).await;
    let answer = browser.post(&Form::of(&second.text()).with("name", "bob")).await;
    let second = browser.follow(answer).await.text();
    let answer = browser.post(&Form::of(&first.text()).with("name", "ada")).await;
    let first = browser.follow(answer).await.text();
    // The consent page of the first is loaded twice, and answered from before.
    browser.open(&format!("/consent?tx={}", Form::of(&first).value("tx"))).await.expect_status(200);
    let answer = browser.post(&Form::of(&first).with("action", "allow")).await;
    world.redeem(&one, &code(&answer)).await.expect_status(200);
    let answer = browser.post(&Form::of(&second).with("action", "allow")).await;
    world.redeem(&two, &code(&answer)).await.expect_status(200);
}

#[tokio::test]
async fn a_restart_between_any_two_steps_is_not_noticed() {
    let (mut world, _folder) = on_a_disk().await;
    let client = world.register("Web", &[CALLBACK]).await;
    let mut browser = world.browser();
    let page = browser.open(&Authz::of(&client).path()).await;
    world.restart().await;
    browser.client = world.client.clone();
    let answer = browser.post(&Form::of(&page.text()).with("name", "ada").with("stay", "on")).await;
    world.restart().await;
    browser.client = world.client.clone();
    let page = browser.follow(answer).await.expect_status(200);
    world.restart().await;
    browser.client = world.client.clone();
    let answer = browser.post(&Form::of(&page.text()).with("action", "allow")).await;
    world.restart().await;
    browser.client = world.client.clone();
    world.redeem(&client, &code(&answer)).await.expect_status(200);
    let page = browser.navigate(&Authz::of(&client).path(), "cross-site").await.expect_status(200).text();
    assert!(page.contains("asks for access") && page.contains("ada"), "still signed in: {page}");
}
