//! How the token endpoint is spoken to, and how it answers.

use mcp_auth_testkit::Answer;
use mcp_store::testkit::{Call, Fault};
use serde_json::json;

use super::{ask, call, code_for, redeem, refresh, text, tokens, world};
use crate::browser::world::{CALLBACK, VERIFIER};
use crate::clients::stand::{basic, expect_error};

/// An error as it must be, whatever it is about.
#[track_caller]
fn expect_refusal(answer: &Answer, status: u16, error: &str) {
    expect_error(answer, status, error);
    assert_eq!(answer.header("pragma"), Some("no-cache"), "{answer}");
    // Scripts of web clients have to read it.
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{answer}");
    let members = answer.json();
    let names: Vec<_> = members.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["error", "error_description"], "{answer}");
}

// covers: AUTH-69, AUTH-04
#[tokio::test]
async fn it_speaks_the_format_of_oauth() {
    let world = world().await;
    let public = world.register("Public", &[CALLBACK]).await;
    let confidential = world
        .register_as(json!({
            "client_name": "Confidential", "redirect_uris": [CALLBACK],
            "grant_types": ["authorization_code", "refresh_token"],
        }))
        .await;
    let proof = basic(text(&confidential, "client_id"), text(&confidential, "client_secret"));
    let (by_public, by_other) =
        (code_for(&world, &public).await, code_for(&world, text(&confidential, "client_id")).await);
    let form = [("grant_type", "authorization_code"), ("code", &*by_other), ("code_verifier", VERIFIER)];
    // Its own code is no good to who does not prove itself.
    let unproven = [&form[..], &[("client_id", text(&confidential, "client_id"))]].concat();
    expect_refusal(&ask(&world, &unproven).await, 401, "invalid_client");
    let answers = [
        redeem(&world, &public, &by_public, &[]).await,
        world.client.post("/token").header("authorization", &proof).form(form).send().await,
    ];
    for answer in answers {
        let answer = answer
            .expect_status(200)
            .expect_header("content-type", "application/json")
            .expect_header("cache-control", "no-store")
            .expect_header("pragma", "no-cache")
            .expect_header("access-control-allow-origin", "*")
            .expect_json("/token_type", "Bearer")
            .expect_json("/expires_in", 3600)
            .expect_json("/scope", "mcp:read");
        let given = answer.json();
        let names: Vec<_> = given.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, ["access_token", "expires_in", "refresh_token", "scope", "token_type"]);
        call(&world, "/mcp", text(&given, "access_token")).await.expect_status(200);
    }
}

// covers: AUTH-69, TK05
#[tokio::test]
async fn each_error_has_its_code_and_nothing_of_the_request() {
    const EVIL: &str = "\r\nset-cookie: x=\"\\<script>\u{e9}\u{1f511}";
    let world = world().await;
    let client = world.register("Web", &[CALLBACK]).await;
    let once = world
        .register_as(json!({
            "client_name": "Once", "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code"],
        }))
        .await;
    let given = tokens(&world, &client).await;
    let renewal = text(&given, "refresh_token");
    let cases = [
        (400, "invalid_request", vec![]),
        (400, "invalid_request", vec![("grant_type", "authorization_code"), ("client_id", &*client)]),
        (400, "invalid_request", vec![("grant_type", "refresh_token"), ("client_id", &*client)]),
        (400, "unsupported_grant_type", vec![("grant_type", EVIL), ("client_id", &*client)]),
        (
            401,
            "invalid_client",
            vec![("grant_type", "authorization_code"), ("client_id", EVIL), ("code", "x")],
        ),
        (401, "invalid_client", vec![("grant_type", "authorization_code"), ("code", "x")]),
        (
            400,
            "unauthorized_client",
            vec![("grant_type", "client_credentials"), ("client_id", text(&once, "client_id"))],
        ),
        (
            400,
            "invalid_grant",
            vec![("grant_type", "authorization_code"), ("client_id", &*client), ("code", EVIL)],
        ),
        (
            400,
            "invalid_grant",
            vec![("grant_type", "refresh_token"), ("client_id", &*client), ("refresh_token", EVIL)],
        ),
    ];
    for (status, error, form) in cases {
        let answer = ask(&world, &form).await;
        expect_refusal(&answer, status, error);
        assert_eq!(answer.header("www-authenticate"), None, "{answer}");
        assert!(answer.header("set-cookie").is_none() && !answer.text().contains("<script"), "{answer}");
    }
    for scope in [EVIL, "mcp:read mcp:write", "admin"] {
        let answer = refresh(&world, &client, renewal, &[("scope", scope)]).await;
        expect_refusal(&answer, 400, "invalid_scope");
    }
    for resource in [EVIL, "https://mcp.test/other"] {
        let answer = refresh(&world, &client, renewal, &[("resource", resource)]).await;
        expect_refusal(&answer, 400, "invalid_target");
    }
    // Who tried HTTP Basic is told how to do that (RFC 6749 section 5.2).
    let form = [("grant_type", "refresh_token"), ("refresh_token", renewal)];
    let tried = world.client.post("/token").header("authorization", &basic("notes-server", "wrong"));
    let answer = tried.form(form).send().await;
    expect_refusal(&answer, 401, "invalid_client");
    assert!(answer.header("www-authenticate").unwrap().starts_with("Basic realm="), "{answer}");

    let large = format!("grant_type=refresh_token&refresh_token={}", "x".repeat(100_000));
    let request = world.client.post("/token").header("content-type", "application/x-www-form-urlencoded");
    expect_refusal(&request.body(large).send().await, 413, "invalid_request");
    world.store.fail_always(Call::Get, Fault::Unavailable);
    let answer = refresh(&world, &client, renewal, &[]).await;
    expect_refusal(&answer, 503, "temporarily_unavailable");
    assert!(answer.header("retry-after").is_some(), "{answer}");
    world.store.heal();
    refresh(&world, &client, renewal, &[]).await.expect_status(200);
}

// covers: TK01
#[tokio::test]
async fn it_takes_forms_and_nothing_else() {
    const FORM: &str = "application/x-www-form-urlencoded";
    let world = world().await;
    let client = world.register("Web", &[CALLBACK]).await;
    let code = code_for(&world, &client).await;
    let pairs = [
        ("grant_type", "authorization_code"),
        ("client_id", &*client),
        ("code", &*code),
        ("code_verifier", VERIFIER),
    ];
    let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let object: serde_json::Map<_, _> = pairs.iter().map(|(n, v)| ((*n).to_owned(), json!(v))).collect();
    let json = serde_json::Value::from(object).to_string();
    let parts: String = pairs
        .iter()
        .map(|(name, value)| {
            format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        })
        .collect();
    let post = |body: &str| world.client.post("/token").body(body.to_owned());
    for body in [&form, &json, &format!("{parts}--b--\r\n")] {
        for kind in [
            "application/json",
            "text/plain",
            "multipart/form-data; boundary=b",
            "application/x-www-form-urlencoded-x",
            "x; application/x-www-form-urlencoded",
            "application/json, application/x-www-form-urlencoded",
            "*/*",
            "",
        ] {
            let answer = post(body).header("content-type", kind).send().await;
            expect_refusal(&answer, 400, "invalid_request");
        }
        expect_refusal(&post(body).send().await, 400, "invalid_request");
        let twice = post(body).header("content-type", FORM).header("content-type", FORM);
        expect_refusal(&twice.send().await, 400, "invalid_request");
        let packed = post(body).header("content-type", FORM).header("content-encoding", "gzip");
        expect_refusal(&packed.send().await, 400, "invalid_request");
    }
    // Nothing of that has used the code up; letters and parameters of the type do not matter.
    let kind = "Application/X-WWW-Form-Urlencoded; charset=UTF-8";
    post(&form).header("content-type", kind).send().await.expect_status(200);
}

// covers: TK33, TK34, AUTH-69
#[tokio::test]
async fn scripts_of_any_page_may_use_it_without_credentials_of_the_browser() {
    let world = world().await;
    let client = world.register("Web", &[CALLBACK]).await;
    for origin in ["https://evil.test", "null", "http://localhost:6274"] {
        for path in ["/token", "/register", "/revoke", "/introspect", "/par"] {
            let answer = world.client.preflight(path, origin, "POST").send().await;
            assert!([200, 204].contains(&answer.status()), "{path}: {answer}");
            assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}: {answer}");
            assert_eq!(answer.header("access-control-allow-credentials"), None, "{path}: {answer}");
            let answer = world.client.post(path).header("origin", origin).form([("a", "b")]).send().await;
            assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}: {answer}");
            assert_eq!(answer.header("access-control-allow-credentials"), None, "{path}: {answer}");
            assert_eq!(answer.header("set-cookie"), None, "{path}: {answer}");
        }
        let metadata = world.client.get("/.well-known/oauth-authorization-server").header("origin", origin);
        metadata.send().await.expect_header("access-control-allow-origin", "*");
        // What is for people is for no script.
        for path in ["/authorize", "/consent", "/sign-in", "/sign-out"] {
            for method in ["GET", "POST"] {
                let answer = world.client.preflight(path, origin, method).send().await;
                assert_eq!(answer.header("access-control-allow-origin"), None, "{path}: {answer}");
                assert_eq!(answer.header("access-control-allow-credentials"), None, "{path}: {answer}");
            }
            let answer = world.client.get(path).header("origin", origin).send().await;
            assert_eq!(answer.header("access-control-allow-origin"), None, "{path}: {answer}");
        }
    }
    let code = code_for(&world, &client).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", &*client),
        ("code", &*code),
        ("code_verifier", VERIFIER),
    ];
    let answer = world.client.post("/token").header("origin", "null").form(form).send().await;
    answer.expect_status(200).expect_header("access-control-allow-origin", "*");
}
