//! Requests that cannot be answered, and those that can.

use serde_json::json;

use super::form::Form;
use super::scripted::Scripted;
use super::world::{Authz, CALLBACK, World, code, expect_back, expect_local, said, value};

async fn world() -> (World, String) {
    let world = World::with(Scripted::local()).await;
    let client = world.register("Web", &[CALLBACK]).await;
    (world, client)
}

// covers: AZ01, AZ02, AZ03, AZ04, AZ05, AZ08, AZ10, AZ14, AUTH-68
#[tokio::test]
async fn who_cannot_be_trusted_with_an_answer_gets_none() {
    let (world, web) = world().await;
    let other = world.register("Other", &["https://other.test/cb"]).await;
    let browser = world.browser();
    let good = Authz::of(&web);
    let mut requests = vec![
        good.clone().with("client_id", "nope"),
        good.clone().without("client_id"),
        good.clone().with("client_id", ""),
        good.clone().and("client_id", &other),
        good.clone().and("client_id", &web),
        good.clone().and("redirect_uri", "https://evil.test/cb"),
        good.clone().with("redirect_uri", "https://evil.test/cb").and("redirect_uri", CALLBACK),
        good.clone().and("redirect_uri", CALLBACK),
        good.clone().with("client_id", &other),
    ];
    for redirect_uri in [
        "https://evil.test/cb",
        "https://c.test/cb/",
        "https://c.test/cb?x=1",
        "https://c.test/cb#f",
        "https://c.test/cb#",
        "https://C.TEST/cb",
        "https://c.test:443/cb",
        "https://c.test/./cb",
        "https://c.test/%63b",
        "http://c.test/cb",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        " javascript:alert(1)",
        "java\tscript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "blob:x",
        "file:///etc/passwd",
        "about:blank",
        "chrome://x",
    ] {
        requests.push(good.clone().with("redirect_uri", redirect_uri));
    }
    for request in requests {
        let answer = browser.open(&request.path()).await;
        expect_local(&answer);
        assert!(!answer.text().contains("<script>alert"), "{answer}");
    }
    for query in ["client_id=%ff", "client_id=%zz", &"a&".repeat(100)] {
        expect_local(&browser.open(&format!("/authorize?{query}")).await);
    }
    assert!(browser.cookie_header().is_none());
    assert_eq!(world.recorded("code_issued", "allowed"), 0);
}

// covers: AZ09
#[tokio::test]
async fn one_of_several_redirect_uris_has_to_be_named() {
    let (world, web) = world().await;
    let two = world.register("Two", &[CALLBACK, "https://c.test/two"]).await;
    let browser = world.browser();
    expect_local(&browser.open(&Authz::of(&two).without("redirect_uri").path()).await);
    browser.open(&Authz::of(&web).without("redirect_uri").path()).await.expect_status(200);
}

// covers: AZ16, AZ18, AZ19, AZ20, AZ26, AZ27, AZ29, PK01, PK03, PK04, PK05, PK06, PK07, PA16, AUTH-57, AUTH-58, AUTH-62
#[tokio::test]
async fn what_is_wrong_otherwise_the_client_is_told() {
    let (world, web) = world().await;
    let browser = world.browser();
    let good = Authz::of(&web);
    let long = "A".repeat(129);
    let cases = [
        ("response_type", "token", "unsupported_response_type"),
        ("response_type", "id_token", "unsupported_response_type"),
        ("response_type", "code token", "unsupported_response_type"),
        ("response_type", "code id_token", "unsupported_response_type"),
        ("response_type", "none", "unsupported_response_type"),
        ("response_type", "CODE", "unsupported_response_type"),
        ("response_type", "code code", "unsupported_response_type"),
        ("response_type", "", "invalid_request"),
        ("response_mode", "fragment", "invalid_request"),
        ("response_mode", "web_message", "invalid_request"),
        ("response_mode", "form_post", "invalid_request"),
        ("scope", "unknown:scope", "invalid_scope"),
        ("scope", "\"\\", "invalid_scope"),
        ("scope", "mcp:read a\0b", "invalid_scope"),
        ("scope", "mcp:read\r\nx: y", "invalid_scope"),
        ("scope", "mcp:read\tmcp:write", "invalid_scope"),
        ("scope", "mcp:réad", "invalid_scope"),
        ("prompt", "none login", "invalid_request"),
        ("prompt", "none consent", "invalid_request"),
        ("prompt", "create", "invalid_request"),
        ("max_age", "-1", "invalid_request"),
        ("max_age", "+1", "invalid_request"),
        ("max_age", "abc", "invalid_request"),
        ("max_age", "99999999999999999999", "invalid_request"),
        ("claims", "{bad json", "invalid_request"),
        ("claims", "[]", "invalid_request"),
        ("request", "xxx", "request_not_supported"),
        ("request_uri", "https://evil.test/request", "request_uri_not_supported"),
        ("authorization_details", "[{\"type\":\"x\"}]", "invalid_authorization_details"),
        ("code_challenge", "", "invalid_request"),
        ("code_challenge", &long[..42], "invalid_request"),
        ("code_challenge", &long[..44], "invalid_request"),
        ("code_challenge", &long, "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("code_challenge_method", "", "invalid_request"),
        ("code_challenge_method", "s256", "invalid_request"),
        ("code_challenge_method", "S512", "invalid_request"),
        ("dpop_jkt", "short", "invalid_request"),
        ("state", &"s".repeat(4097), "invalid_request"),
    ];
    for (name, text, error) in cases {
        let answer = browser.open(&good.clone().with(name, text).path()).await;
        expect_back(&answer, error);
        let state = value(&said(&answer), "state").map(str::to_owned);
        assert_eq!(state.as_deref(), if name == "state" { None } else { Some("s1") }, "{answer}");
    }
    for twice in ["scope", "state", "nonce", "code_challenge", "unknown"] {
        let answer = browser.open(&good.clone().and(twice, "x").and(twice, "x").path()).await;
        expect_back(&answer, "invalid_request");
    }
    assert_eq!(world.recorded("code_issued", "allowed"), 0);
}

// covers: PK02
#[tokio::test]
async fn a_client_with_a_secret_needs_a_challenge_too() {
    let (world, _) = world().await;
    let client = world.register_as(json!({ "client_name": "Conf", "redirect_uris": [CALLBACK] })).await;
    let id = client["client_id"].as_str().unwrap();
    assert!(client["client_secret"].is_string());
    let request = Authz::of(id).without("code_challenge").without("code_challenge_method");
    expect_back(&world.browser().open(&request.path()).await, "invalid_request");
}

// covers: RS01, RS02
#[tokio::test]
async fn a_resource_of_others_is_no_target() {
    let (world, web) = world().await;
    let browser = world.browser();
    for resource in [
        "not-a-uri",
        "/mcp",
        "https://mcp.test/mcp#f",
        "javascript:alert(1)",
        "urn:a b",
        "https://other.test/mcp",
        "https://mcp.test.evil.test/mcp",
        "https://mcp.test/mcp/",
        "https://mcp.test/MCP",
        "http://mcp.test/mcp",
    ] {
        let answer = browser.open(&Authz::of(&web).with("resource", resource).path()).await;
        expect_back(&answer, "invalid_target");
    }
    let both = Authz::of(&web).and("resource", "https://other.test/mcp");
    expect_back(&browser.open(&both.path()).await, "invalid_target");
}

/// Signs in as ada, allows everything that is ticked, and gives the redirect to the client.
async fn through(world: &World, request: &Authz) -> mcp_auth_testkit::Answer {
    let browser = world.browser();
    let request = request.clone().with("prompt", "consent");
    let page = browser.open(&request.path()).await.expect_status(200);
    let answer = browser.post(&Form::of(&page.text()).with("name", "ada")).await;
    let page = browser.follow(answer).await.expect_status(200);
    browser.post(&Form::of(&page.text()).with("action", "allow")).await
}

// covers: AZ11, AZ19, AZ21, AZ22, AZ23, AZ35, RS04, RS09, AUTH-63, AUTH-66
#[tokio::test]
async fn what_is_unusual_and_right_gets_a_code() {
    let (world, web) = world().await;
    let good = Authz::of(&web);
    let state = "\u{1f511}\"'<>&+%20 ".repeat(120);
    let answer = through(&world, &good.clone().with("state", &state)).await;
    assert_eq!(value(&said(&answer), "state"), Some(&*state));

    let answer = through(&world, &good.clone().without("state").and("nonce", &"n".repeat(384))).await;
    assert_eq!(value(&said(&answer), "state"), None);
    code(&answer);

    let unknown =
        good.clone().with("scope", "mcp:read unknown:scope").and("extra", "foobar").and("claims", "{}");
    let answer = through(&world, &unknown).await;
    world.redeem(&web, &code(&answer)).await.expect_status(200).expect_json("/scope", "mcp:read");

    // Without a scope, what the resource is good for at first.
    let answer = through(&world, &good.clone().without("scope")).await;
    world.redeem(&web, &code(&answer)).await.expect_status(200).expect_json("/scope", "mcp:read");

    let upper = good.clone().with("resource", "HTTPS://MCP.TEST/mcp");
    let tokens = world.redeem(&web, &code(&through(&world, &upper).await)).await.expect_status(200).json();
    let token = tokens["access_token"].as_str().unwrap();
    world.client.post("/mcp").bearer(token).json(&json!({})).send().await.expect_status(200);
    world.client.post("/other").bearer(token).json(&json!({})).send().await.expect_status(401);

    let native = world.register("Native", &["http://127.0.0.1/cb"]).await;
    let request = Authz::of(&native).with("redirect_uri", "http://127.0.0.1:49152/cb");
    let answer = through(&world, &request).await;
    assert!(answer.header("location").unwrap().starts_with("http://127.0.0.1:49152/cb?code="), "{answer}");
}

// covers: AZ31, AUTH-56
#[tokio::test]
async fn only_what_a_browser_does_by_itself_begins_anything() {
    let (world, web) = world().await;
    let path = Authz::of(&web).path();
    let head = world.client.request(http::Method::HEAD, &path).send().await.expect_status(200);
    assert_eq!(head.header("set-cookie"), None);
    for method in [http::Method::PUT, http::Method::DELETE, http::Method::PATCH] {
        world.client.request(method, &path).send().await.expect_status(405);
    }
    let preflight = world.client.preflight("/authorize", "https://c.test", "GET").send().await;
    assert_eq!(preflight.header("access-control-allow-origin"), None);
    let answer = world.client.get(&path).header("origin", "https://c.test").send().await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

// covers: AZ30
#[tokio::test]
async fn a_form_does_as_well_if_it_is_ours_and_small() {
    let (world, web) = world().await;
    let browser = world.browser();
    let post = |body: String, site: &'static str| {
        let request = browser.client.post("/authorize").header("sec-fetch-site", site);
        request.header("content-type", "application/x-www-form-urlencoded").body(body).send()
    };
    post(Authz::of(&web).query(), "same-origin").await.expect_status(200);
    post(Authz::of(&web).query(), "cross-site").await.expect_status(403);
    let large = format!("{}&x={}", Authz::of(&web).query(), "x".repeat(10 << 20));
    post(large, "same-origin").await.expect_status(413);
}

#[tokio::test]
async fn an_address_cannot_begin_without_end() {
    let (world, web) = world().await;
    let browser = world.browser();
    let path = Authz::of(&web).with("prompt", "none").path();
    for _ in 0..300 {
        browser.open(&path).await;
    }
    let answer = browser.open(&path).await.expect_status(429);
    assert!(answer.header("retry-after").is_some());
    world.clock.advance(std::time::Duration::from_secs(10));
    expect_back(&browser.open(&path).await, "login_required");
}
