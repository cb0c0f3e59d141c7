//! What a stolen database tells: nothing that opens a door, and nobody's name.

use std::sync::Arc;

use mcp_auth_provider::{OAuthProvider, Step, User};
use mcp_core::Clock;
use mcp_store::testkit::leaks;
use mcp_store::{MemoryStore, SqliteStore, Store};
use serde_json::json;

use crate::browser::form::Form;
use crate::browser::scripted::Scripted;
use crate::browser::world::{Authz, CALLBACK, World, code};

const SUBJECT: &str = "subject-4711-of-ada";
const MAIL: &str = "ada.lovelace@example.com";
const UPSTREAM: &str = "upstream-token-of-somebody-else";

/// Signs in, consents, redeems, refreshes, registers a client with a secret; gives everything that must not be found.
async fn full_run(world: &World, sign_in: &Scripted) -> Vec<String> {
    let client = world.register("A client of Ada", &[CALLBACK]).await;
    let confidential = world
        .register_as(json!({ "client_name": "B", "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "client_secret_basic" }))
        .await;
    let user = User::new(SUBJECT, "Ada Lovelace", world.clock.now())
        .props(json!({ "email": MAIL }))
        .memory(json!({ "upstream": UPSTREAM }))
        .stay_signed_in();
    sign_in.says(Step::Done(user));
    let browser = world.browser();
    let request = Authz::of(&client).with("scope", "mcp:read mcp:write");
    let page = browser.follow(browser.open(&request.path()).await).await.expect_status(200);
    let form = Form::of(&page.text());
    let (handle, csrf) = (form.value("tx").to_owned(), form.value("csrf").to_owned());
    let answer = browser.post(&form.with("action", "allow")).await;
    let code = code(&answer);
    let first = world.redeem(&client, &code).await.expect_status(200).json();
    let text = |value: &serde_json::Value, name: &str| value[name].as_str().unwrap().to_owned();
    let again = [
        ("grant_type", "refresh_token"),
        ("client_id", &*client),
        ("refresh_token", first["refresh_token"].as_str().unwrap()),
    ];
    let second = world.client.post("/token").form(again).send().await.expect_status(200).json();
    let mut secrets = vec![code, handle, csrf, text(&confidential, "client_secret"), client];
    for answer in [&first, &second] {
        secrets.extend([text(answer, "access_token"), text(answer, "refresh_token")]);
    }
    secrets.extend(browser.cookies.lock().unwrap().values().cloned());
    secrets.extend([SUBJECT, "Ada Lovelace", MAIL, UPSTREAM, "mcp:write", CALLBACK].map(str::to_owned));
    secrets
}

fn expect_nothing(dump: &[u8], secrets: &[String]) {
    let bytes: Vec<&[u8]> = secrets.iter().map(String::as_bytes).collect();
    let found: Vec<_> =
        leaks(dump, &bytes).into_iter().map(|leak| (&secrets[leak.secret], leak.form)).collect();
    assert_eq!(found, []);
    // The second half of a token is what opens doors, wherever its first half may stand.
    let halves: Vec<&[u8]> =
        bytes.iter().filter(|secret| secret.len() > 60).map(|secret| &secret[35..]).collect();
    assert!(halves.len() >= 6, "{}", halves.len());
    assert_eq!(leaks(dump, &halves), []);
}

// covers: AC17
#[tokio::test]
async fn a_stolen_database_opens_nothing_and_names_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("auth.db");
    let sign_in = Scripted::local();
    let (open, make) = (file.clone(), sign_in.clone());
    let world = World::on(
        move || -> Arc<dyn Store> { Arc::new(SqliteStore::open(&open).unwrap()) },
        move || OAuthProvider::new(make.clone()),
    )
    .await;
    let secrets = full_run(&world, &sign_in).await;
    // Copied by another process: reading an open database here would take away SQLite's locks.
    let copy = tempfile::tempdir().unwrap();
    let copied =
        std::process::Command::new("cp").arg("-r").arg(folder.path()).arg(copy.path()).status().unwrap();
    assert!(copied.success());
    let mut dump = Vec::new();
    for entry in std::fs::read_dir(copy.path().join(folder.path().file_name().unwrap())).unwrap() {
        dump.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    assert!(dump.len() > 20_000, "{}", dump.len());
    expect_nothing(&dump, &secrets);
}

// covers: AC17
#[tokio::test]
async fn what_any_store_is_given_opens_nothing_and_names_nobody() {
    let store = Arc::new(MemoryStore::new());
    let sign_in = Scripted::local();
    let (open, make) = (store.clone(), sign_in.clone());
    let world = World::on(move || open.clone(), move || OAuthProvider::new(make.clone())).await;
    let secrets = full_run(&world, &sign_in).await;
    let mut dump = Vec::new();
    let mut after = None;
    loop {
        let page = store.partitions(after.as_ref(), 100).await.unwrap();
        for partition in &page.partitions {
            dump.extend(partition.as_str().as_bytes());
            for entry in store.scan(partition, "", None, 1000, world.clock.now()).await.unwrap() {
                dump.extend(entry.name.as_str().as_bytes());
                dump.extend(entry.record.value());
            }
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert!(dump.len() > 3_000, "{}", dump.len());
    expect_nothing(&dump, &secrets);
}
