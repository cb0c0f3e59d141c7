//! What people read before they say yes, and whom their yes concerns.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use mcp_auth_provider::ClientMetadataDocuments;
use mcp_outbound::{HttpClient, OutboundError};
use serde_json::{Value, json};

use super::{call, redeem, refresh, text, tokens, world, world_with};
use crate::browser::form::Form;
use crate::browser::scripted::Scripted;
use crate::browser::world::{Authz, CALLBACK, World, code, expect_local};

/// The consent page for a request.
async fn page(world: &World, request: &Authz) -> String {
    let browser = world.browser();
    let page = browser.open(&request.path()).await.expect_status(200);
    let answer = browser.post(&Form::of(&page.text()).with("name", "ada")).await;
    browser.follow(answer).await.expect_status(200).text()
}

/// Serves a metadata document at every address, and counts how often it is asked.
fn documents(document: Value, asked: Arc<AtomicUsize>) -> impl HttpClient + Clone {
    move |request: http::Request<Bytes>| {
        asked.fetch_add(1, Ordering::SeqCst);
        let mut document = document.clone();
        document["client_id"] = json!(request.uri().to_string());
        let answer = http::Response::builder().header("content-type", "application/json");
        let answer = answer.body(Bytes::from(document.to_string())).unwrap();
        async move { Ok::<_, OutboundError>(answer) }
    }
}

// covers: AUTH-86, SEC-10
#[tokio::test]
async fn it_says_where_they_go_on_and_warns_of_their_own_device() {
    const WARNING: &str = "Any program on this device can call itself by this name";
    let world = world().await;
    let web = world.register("Notes", &["https://app.c.test:8443/deep/cb?x=y"]).await;
    let request = Authz::of(&web).with("redirect_uri", "https://app.c.test:8443/deep/cb?x=y");
    let html = page(&world, &request).await;
    assert!(html.contains("<strong>app.c.test:8443</strong>") && !html.contains(WARNING), "{html}");
    // A name that hides as another is shown as what it is.
    let hidden = "https://xn--pple-43d.test/cb";
    let odd = world.register("Apple", &[hidden]).await;
    let html = page(&world, &Authz::of(&odd).with("redirect_uri", hidden)).await;
    assert!(html.contains("<strong>xn--pple-43d.test</strong>"), "{html}");

    for (uri, used, host) in [
        ("http://localhost/cb", "http://localhost:4711/cb", "localhost"),
        ("http://127.0.0.1/cb", "http://127.0.0.1:4711/cb", "127.0.0.1"),
        ("http://[::1]/cb", "http://[::1]:4711/cb", "[::1]"),
    ] {
        let native = world.register("Claude Code", &[uri]).await;
        let html = page(&world, &Authz::of(&native).with("redirect_uri", used)).await;
        assert!(html.contains(WARNING), "{html}");
        assert!(html.contains(&format!("<strong>this device ({host})</strong>")), "{html}");
    }
    // The same for one that is described on the web: anybody can use its address on the device.
    let document = json!({
        "client_name": "Claude Code", "redirect_uris": ["http://localhost/cb"], "token_endpoint_auth_method": "none",
    });
    let world = world_with(Scripted::local(), move |provider| {
        let client = documents(document.clone(), Arc::default());
        provider.client_metadata_documents(ClientMetadataDocuments::open().http_client(client))
    })
    .await;
    let request = Authz::of("https://claude.ai/code.json").with("redirect_uri", "http://localhost:4711/cb");
    let html = page(&world, &request).await;
    assert!(html.contains("<strong>claude.ai</strong>") && html.contains(WARNING), "{html}");
    assert!(html.contains("<strong>this device (localhost)</strong>"), "{html}");
}

// covers: SEC-11
#[tokio::test]
async fn who_describes_itself_is_shown_by_its_host_and_trusted_as_the_operator_says() {
    let document = json!({
        "client_name": "Claude (verified) by claude.ai", "redirect_uris": [CALLBACK],
        "client_uri": "https://claude.ai", "token_endpoint_auth_method": "none",
    });
    for only_from in [None, Some("phish.test")] {
        let document = document.clone();
        let world = world_with(Scripted::local(), move |provider| {
            let client = documents(document.clone(), Arc::default());
            let policy = match only_from {
                None => ClientMetadataDocuments::open(),
                Some(host) => ClientMetadataDocuments::from_hosts([host]),
            };
            provider.client_metadata_documents(policy.http_client(client))
        })
        .await;
        let html = page(&world, &Authz::of("https://phish.test/claude.ai/client.json")).await;
        assert!(html.contains("It is described at <strong>phish.test</strong>"), "{html}");
        assert!(html.contains("<strong>c.test</strong>"), "and where they go on: {html}");
        let other = world.browser().open(&Authz::of("https://other.test/client.json").path()).await;
        match only_from {
            None => assert_eq!(other.status(), 200),
            Some(_) => expect_local(&other),
        }
    }
}

// covers: AUTH-88
#[tokio::test]
async fn pictures_of_clients_are_not_loaded_and_our_names_are_no_addresses() {
    let document = json!({
        "client_name": "Notes", "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none",
        "logo_uri": "https://pictures.test/logo.png",
    });
    let asked = Arc::new(AtomicUsize::new(0));
    let (own, counter) = (document.clone(), asked.clone());
    let world = world_with(Scripted::local(), move |provider| {
        let client = documents(own.clone(), counter.clone());
        provider.client_metadata_documents(ClientMetadataDocuments::open().http_client(client))
    })
    .await;
    let registered = world.register_as(document).await;
    assert_eq!(registered["logo_uri"], "https://pictures.test/logo.png");
    let id = text(&registered, "client_id");
    assert!(!id.contains(':') && !id.contains('/'), "{id}");
    for client in [id, "https://c.test/client.json"] {
        let html = page(&world, &Authz::of(client)).await;
        assert!(
            html.contains("Notes") && !html.contains("pictures.test") && !html.contains("<img"),
            "{html}"
        );
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1, "the document, and no picture");
}

// covers: CI18
#[tokio::test]
async fn one_installation_does_not_end_what_another_has() {
    let world = world().await;
    let client = world.register("Web", &[CALLBACK]).await;
    let (laptop, phone) = (tokens(&world, &client).await, tokens(&world, &client).await);
    // The laptop signs in anew, again and again, says no once, and gives one back.
    for action in ["allow", "deny", "allow"] {
        let browser = world.browser();
        let page = browser.open(&Authz::of(&client).with("prompt", "login consent").path()).await.text();
        let answer = browser.post(&Form::of(&page).with("name", "ada")).await;
        let page = browser.follow(answer).await.expect_status(200).text();
        let answer = browser.post(&Form::of(&page).with("action", action)).await;
        if action == "allow" {
            let given = redeem(&world, &client, &code(&answer), &[]).await.expect_status(200).json();
            let form = [("token", text(&given, "refresh_token")), ("client_id", &*client)];
            world.client.post("/revoke").form(form).send().await.expect_status(200);
            call(&world, "/mcp", text(&given, "access_token")).await.expect_status(401);
        }
    }
    // A stolen token of one family ends that family alone.
    let used = text(&laptop, "refresh_token");
    let next = refresh(&world, &client, used, &[]).await.expect_status(200).json();
    refresh(&world, &client, text(&next, "refresh_token"), &[]).await.expect_status(200);
    refresh(&world, &client, used, &[]).await.expect_status(400);
    call(&world, "/mcp", text(&laptop, "access_token")).await.expect_status(401);
    call(&world, "/mcp", text(&phone, "access_token")).await.expect_status(200);
    refresh(&world, &client, text(&phone, "refresh_token"), &[]).await.expect_status(200);
}
