//! What pages look like on the wire: nothing runs, nothing frames them, nothing leaks.

use aws_lc_rs::digest::{SHA256, digest};
use base64ct::{Base64, Encoding};
use mcp_auth_provider::{OAuthProvider, Page, Pages, Step, User};
use mcp_auth_testkit::Answer;
use mcp_core::Clock;
use serde_json::json;

use super::form::Form;
use super::scripted::Scripted;
use super::world::{Authz, CALLBACK, World};

#[track_caller]
fn expect_safe(answer: &Answer) {
    for (name, value) in [
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
        ("content-type", "text/html; charset=utf-8"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name} of {answer}");
    }
    assert_eq!(answer.header("cross-origin-opener-policy"), None, "popups would hang");
    let policy = answer.header("content-security-policy").unwrap();
    for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
    for part in ["unsafe", "form-action", "script-src", "http:", "https:", "*"] {
        assert!(!policy.contains(part), "{policy}");
    }
    // The only style is the one that the policy names, and nothing comes from elsewhere.
    let html = answer.text();
    let style = html.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let hash = Base64::encode_string(digest(&SHA256, style.as_bytes()).as_ref());
    assert!(policy.contains(&format!("'sha256-{hash}'")), "{policy}");
    let body = html.replace(style, "");
    for bad in ["<script", "<iframe", "<link", "style=", "onload", "src=\"http", "@import"] {
        assert!(!body.contains(bad), "{bad} in {html}");
    }
}

// covers: CO01, CO02, CO09, AUTH-67
#[tokio::test]
async fn every_page_says_what_browsers_must_not_do() {
    let world = World::with(Scripted::local()).await;
    let client = world.register("Web", &[CALLBACK]).await;
    let browser = world.browser();
    let sign_in = browser.open(&Authz::of(&client).path()).await;
    expect_safe(&sign_in);
    let answer = browser.post(&Form::of(&sign_in.text()).with("name", "ada")).await;
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let consent = browser.follow(answer).await;
    expect_safe(&consent);
    expect_safe(&browser.open("/consent?tx=nothing").await);
    expect_safe(&browser.open("/authorize").await);
    expect_safe(&browser.open("/sign-out").await);
    let done = browser.post(&Form::of(&consent.text()).with("action", "allow")).await.expect_status(303);
    assert_eq!(done.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(done.header("cache-control"), Some("no-store"));
    assert!(done.body().is_empty());
}

// covers: CO03, DR06
#[tokio::test]
async fn hostile_text_is_text() {
    const EVIL: &str = "</style></title><script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
    let sign_in = Scripted::local();
    let world = World::with(sign_in.clone()).await;
    let client = world
        .register_as(json!({
            "client_name": format!("A{EVIL}"), "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none",
            "client_uri": "https://c.test/%22%3E%3Cscript%3E",
        }))
        .await;
    let client = client["client_id"].as_str().unwrap();
    let browser = world.browser();
    let page = browser.open(&Authz::of(client).with("login_hint", EVIL).path()).await.expect_status(200);
    let html = page.text();
    assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
    assert!(html.contains("&lt;script&gt;"), "{html}");
    sign_in.says(Step::Done(User::new(EVIL, EVIL, world.clock.now())));
    let answer = browser.post(&Form::of(&html)).await;
    let html = browser.follow(answer).await.expect_status(200).text();
    assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
    assert_eq!(html.matches("<form").count(), 1);

    for step in [
        Step::Page(Page::message(EVIL, EVIL).error(EVIL)),
        Step::Page(Page::template("own", &json!({ "title": EVIL, "x": EVIL, "error": EVIL }))),
        Step::Refused(EVIL.to_owned()),
    ] {
        let page = browser.open(&Authz::of(client).with("prompt", "login").path()).await;
        sign_in.says(step);
        let answer = browser.post(&Form::of(&page.text()).with("name", EVIL)).await;
        let html = answer.text();
        assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
    }
}

#[tokio::test]
async fn brand_and_templates_can_be_replaced() {
    let sign_in = Scripted::local();
    let pages = Pages::new()
        .brand("Notes & Co")
        .accent("#ffcc00")
        .logo("/logo.svg")
        .css("h1 { letter-spacing: 1px }")
        .template("own.txt", "{% extends \"base.html\" %}{% block content %}<p>{{ x }}</p>{% endblock %}");
    let own = sign_in.clone();
    let world = World::of(move || OAuthProvider::new(own.clone()).pages(pages.clone())).await;
    let client = world.register("Web", &[CALLBACK]).await;
    sign_in.says(Step::Page(Page::template("own.txt", &json!({ "title": "Own", "x": "<b>" }))));
    let page = world.browser().open(&Authz::of(&client).path()).await.expect_status(200);
    expect_safe(&page);
    assert!(page.text().contains("<p>&lt;b&gt;</p>"), "whatever a template is called: {page}");
    let html = super::form::unescape(&page.text());
    for part in
        ["Notes & Co", "#ffcc00", "letter-spacing", "src=\"/logo.svg\"", "<p><b></p>", "--accent-ink:#000"]
    {
        assert!(html.contains(part), "{part} in {html}");
    }
}

#[tokio::test]
async fn a_template_that_fails_shows_nothing_of_what_it_was_given() {
    let sign_in = Scripted::local();
    let own = sign_in.clone();
    let pages = Pages::new().template("broken.html", "{% if x %}{{ secret }}{{ x() }}{% endif %}");
    let world = World::of(move || OAuthProvider::new(own.clone()).pages(pages.clone())).await;
    let client = world.register("Web", &[CALLBACK]).await;
    sign_in.says(Step::Page(Page::template("broken.html", &json!({ "x": 1, "secret": "hunter2" }))));
    let page = world.browser().open(&Authz::of(&client).path()).await.expect_status(500);
    assert!(!page.text().contains("hunter2"), "{page}");
}
