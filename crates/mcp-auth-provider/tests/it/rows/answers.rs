//! Where browsers are sent back to, and what the client reads there.

use url::Url;

use super::{code_for, redeem, through, world, world_with};
use crate::browser::form::{Form, link};
use crate::browser::scripted::Scripted;
use crate::browser::world::{Authz, CALLBACK, URL, code, expect_back, expect_local, said, value};

// covers: AUTH-53, SEC-09, MD05
#[tokio::test]
async fn every_redirect_says_once_who_answers() {
    let world = world().await;
    let client = world.register("Web", &[CALLBACK]).await;
    for path in ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"] {
        let metadata = world.client.get(path).send().await.expect_status(200);
        let metadata = metadata.expect_json("/authorization_response_iss_parameter_supported", true);
        metadata.expect_json("/issuer", URL);
    }
    // A `state` that looks like more parameters stays one.
    let state = "s1&iss=https://evil.test&code=x";
    let good = Authz::of(&client).with("state", state);
    let wrong = world.browser().open(&good.clone().with("scope", "nothing").path()).await;
    let allowed = through(&world, &good).await;
    let browser = world.browser();
    let page = browser.open(&good.path()).await.text();
    let answer = browser.post(&Form::of(&page).with("name", "bob")).await;
    let page = browser.follow(answer).await.text();
    let denied = browser.post(&Form::of(&page).with("action", "deny")).await;
    let quiet = world.browser().open(&good.clone().with("prompt", "none").path()).await;
    for answer in [&wrong, &allowed, &denied, &quiet] {
        // Asserts that each parameter is there once, and `iss` is the issuer.
        let pairs = said(answer);
        assert_eq!(value(&pairs, "state"), Some(state), "{answer}");
        assert_eq!(value(&pairs, "code").is_some(), value(&pairs, "error").is_none(), "{answer}");
        assert_eq!(answer.header("location").unwrap().matches("iss=").count(), 1, "{answer}");
    }
    // Nor can a client say who answers, in its redirect URI or its request.
    let odd = serde_json::json!({ "redirect_uris": ["https://c.test/cb?iss=https%3A%2F%2Fevil.test"] });
    world.client.post("/register").json(&odd).send().await.expect_status(400);
    said(&through(&world, &good.clone().and("iss", "https://evil.test")).await);
}

// covers: AUTH-99
#[tokio::test]
async fn nobody_is_sent_where_no_client_registered() {
    let world = world().await;
    let web = world.register("Web", &[CALLBACK]).await;
    let browser = world.browser();
    let good = Authz::of(&web);
    for wrong in [
        good.clone().with("redirect_uri", "https://evil.test/cb"),
        good.clone().with("client_id", "unknown").with("redirect_uri", "https://evil.test/cb"),
        good.clone().with("redirect_uri", "https://evil.test/cb").with("response_type", "token"),
        good.clone().with("redirect_uri", "https://evil.test/cb").with("prompt", "none"),
        good.clone().with("redirect_uri", "https://c.test.evil.test/cb"),
        good.clone().with("redirect_uri", "//evil.test"),
    ] {
        let answer = browser.open(&wrong.path()).await;
        expect_local(&answer);
        assert_eq!(answer.header("refresh"), None, "{answer}");
        assert!(!answer.text().contains("evil.test"), "not as a link either: {answer}");
    }
    // Other parameters that servers elsewhere are led away by do nothing.
    for name in ["next", "return_to", "post_logout_redirect_uri", "redirect_uri"] {
        for path in ["/sign-in", "/sign-out", "/consent"] {
            let answer = browser.open(&format!("{path}?{name}=https://evil.test/")).await;
            assert_eq!(answer.header("location"), None, "{answer}");
            assert!(!answer.text().contains("evil.test"), "{answer}");
        }
    }
    // Without a word of the user, no code goes out: somebody else's page cannot make the browser fetch one.
    code_for(&world, &web).await;
    let page = browser.open(&good.path()).await.text();
    let answer = browser.post(&Form::of(&page).with("name", "ada").with("stay", "on")).await;
    browser.follow(answer).await;
    let answer = browser.navigate(&good.path(), "cross-site").await.expect_status(200);
    assert!(answer.text().contains("asks for access"), "{answer}");
    expect_back(
        &browser.navigate(&good.clone().with("prompt", "none").path(), "cross-site").await,
        "consent_required",
    );
    // Who is refused is told here, and goes back by a link.
    let page = world.browser();
    let form = Form::of(&page.open(&good.path()).await.text()).with("name", "nobody");
    let answer = page.post(&form).await.expect_status(403);
    assert_eq!(answer.header("location"), None);
    assert!(link(&answer.text()).unwrap().starts_with(CALLBACK), "{answer}");
}

// covers: U-04
#[tokio::test]
async fn ports_are_free_on_loopback_and_nothing_else_is_anywhere() {
    let world = world().await;
    let native = world.register("Native", &["http://127.0.0.1/cb", "http://[::1]:3000/cb?a=b"]).await;
    let web = world.register("Web", &["https://c.test/cb", "https://c.test:8443/other"]).await;
    let browser = world.browser();
    for uri in
        ["http://127.0.0.1/cb", "http://127.0.0.1:1/cb", "http://[::1]:65535/cb?a=b", "http://[::1]/cb?a=b"]
    {
        browser.open(&Authz::of(&native).with("redirect_uri", uri).path()).await.expect_status(200);
    }
    for uri in [
        "http://127.0.0.1:1/cb/",
        "http://127.0.0.1:1/CB",
        "http://127.0.0.1:1/cb?a=b",
        "http://127.0.0.1:0/cb",
        "http://127.0.0.1:065/cb",
        "http://127.0.0.1:65536/cb",
        "http://127.0.0.1:/cb",
        "http://127.0.0.1:1@evil.test/cb",
        "http://127.0.0.2:1/cb",
        "http://localhost:1/cb",
        "https://127.0.0.1:1/cb",
        "http://[::1]:1/cb",
        "http://127.0.0.1.evil.test:1/cb",
    ] {
        expect_local(&browser.open(&Authz::of(&native).with("redirect_uri", uri).path()).await);
    }
    for uri in [
        "https://c.test:443/cb",
        "https://c.test:8444/other",
        "https://c.test/other",
        "https://c.test:8443/cb",
    ] {
        expect_local(&browser.open(&Authz::of(&web).with("redirect_uri", uri).path()).await);
    }
    let used = "http://127.0.0.1:49152/cb";
    let answer = through(&world, &Authz::of(&native).with("redirect_uri", used)).await;
    assert!(answer.header("location").unwrap().starts_with(&format!("{used}?code=")), "{answer}");
}

// covers: U-05
#[tokio::test]
async fn schemes_of_apps_are_the_operators_choice() {
    const APP: &str = "com.example.app:/cb";
    let app = |uri: &str| {
        serde_json::json!({
            "client_name": "App", "redirect_uris": [uri], "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"],
        })
    };
    let world = world().await;
    let answer = world.client.post("/register").json(&app(APP)).send().await.expect_status(400);
    assert_eq!(answer.json()["error"], "invalid_redirect_uri");

    let world = world_with(Scripted::local(), |provider| provider.private_use_redirects()).await;
    for bad in
        ["app:/cb", "javascript:alert(1)", "data:text/html,x", "com.example.app:/cb#f", "COM.example:/cb"]
    {
        world.client.post("/register").json(&app(bad)).send().await.expect_status(400);
    }
    let client = world.register("App", &[APP]).await;
    let request = Authz::of(&client).with("redirect_uri", APP);
    for wrong in
        ["com.example.app:/cb/", "com.example.app:/other", "com.example.app.evil:/cb", "com.example.app://cb"]
    {
        expect_local(&world.browser().open(&request.clone().with("redirect_uri", wrong).path()).await);
    }
    let browser = world.browser();
    let page = browser.open(&request.path()).await.text();
    let answer = browser.post(&Form::of(&page).with("name", "ada")).await;
    let page = browser.follow(answer).await.expect_status(200).text();
    assert!(page.contains("It is an app on this device") && page.contains("com.example.app:"), "{page}");
    let answer = browser.post(&Form::of(&page).with("action", "allow")).await;
    assert_eq!(Url::parse(answer.header("location").unwrap()).unwrap().path(), "/cb");
    assert!(answer.header("location").unwrap().starts_with("com.example.app:/cb?code="), "{answer}");
    redeem(&world, &client, &code(&answer), &[("redirect_uri", APP)]).await.expect_status(200);
    // Somebody else on the device may have the scheme too: it is asked every time.
    let page = browser.open(&request.path()).await.text();
    assert!(page.contains("Who are you?") || page.contains("asks for access"), "{page}");
}
