//! Refresh tokens: who gets one, how it turns, and when it ends.

use std::time::Duration;

use mcp_auth_provider::Refreshed;
use mcp_core::Scopes;
use serde_json::json;

use super::{SECRET, call, code_for, introspect, redeem, refresh, text, through, tokens, world, world_with};
use crate::browser::scripted::Scripted;
use crate::browser::world::{Authz, CALLBACK, RS, World, code};
use crate::clients::stand::{basic, expect_error};

const BOTH: &str = "mcp:read mcp:write";

/// A client with a grant of both scopes, and its first refresh token.
async fn granted(world: &World) -> (String, String) {
    let client = world.register("Web", &[CALLBACK]).await;
    let code = code(&through(world, &Authz::of(&client).with("scope", BOTH)).await);
    let given = redeem(world, &client, &code, &[]).await.expect_status(200).json();
    assert_eq!(given["scope"], BOTH);
    (client, text(&given, "refresh_token").to_owned())
}

// covers: AUTH-70, AUTH-71
#[tokio::test]
async fn it_turns_with_every_use_and_its_return_ends_the_family() {
    let world = world().await;
    let (client, first) = granted(&world).await;
    let other = world.register("Other", &[CALLBACK]).await;
    let mut seen = vec![first.clone()];
    let mut last = json!({});
    for _ in 0..5 {
        last = refresh(&world, &client, seen.last().unwrap(), &[]).await.expect_status(200).json();
        let next = text(&last, "refresh_token").to_owned();
        assert!(!seen.contains(&next));
        assert_eq!(last["scope"], BOTH, "a successor is worth what its predecessor was");
        seen.push(next);
    }
    let (access, newest) = (text(&last, "access_token"), text(&last, "refresh_token"));

    // What is wrong with a request turns nothing and ends nothing.
    for (more, error) in [
        (("scope", "mcp:read admin"), "invalid_scope"),
        (("scope", "offline_access"), "invalid_scope"),
        (("resource", "https://mcp.test/other"), "invalid_target"),
    ] {
        expect_error(&refresh(&world, &client, newest, &[more]).await, 400, error);
    }
    expect_error(&refresh(&world, &other, newest, &[]).await, 400, "invalid_grant");
    // Nobody else can end it either.
    expect_error(&refresh(&world, &other, &first, &[]).await, 400, "invalid_grant");
    call(&world, "/mcp", access).await.expect_status(200);

    expect_error(&refresh(&world, &client, &first, &[]).await, 400, "invalid_grant");
    call(&world, "/mcp", access).await.expect_status(401);
    assert_eq!(introspect(&world, access).await, json!({ "active": false }));
    expect_error(&refresh(&world, &client, newest, &[]).await, 400, "invalid_grant");
}

// covers: AUTH-71
#[tokio::test]
async fn less_is_for_one_access_token() {
    let world = world().await;
    let (client, first) = granted(&world).await;
    let less = refresh(&world, &client, &first, &[("scope", "mcp:read")]).await;
    let less = less.expect_status(200).expect_json("/scope", "mcp:read").json();
    let said = call(&world, "/mcp", text(&less, "access_token")).await.expect_status(200);
    said.expect_json("/scope", "mcp:read");
    let again = refresh(&world, &client, text(&less, "refresh_token"), &[("resource", RS)]).await;
    again.expect_status(200).expect_json("/scope", BOTH);
}

// covers: AUTH-72
#[tokio::test]
async fn unused_it_ends_after_thirty_days() {
    let world = world().await;
    let client = world.register("Web", &[CALLBACK]).await;
    let day = Duration::from_secs(24 * 3600);
    let (kept, idle) = (tokens(&world, &client).await, tokens(&world, &client).await);
    world.clock.advance(29 * day);
    let kept = refresh(&world, &client, text(&kept, "refresh_token"), &[]).await.expect_status(200).json();
    world.clock.advance(day);
    expect_error(&refresh(&world, &client, text(&idle, "refresh_token"), &[]).await, 400, "invalid_grant");
    world.clock.advance(28 * day);
    refresh(&world, &client, text(&kept, "refresh_token"), &[]).await.expect_status(200);
}

// covers: AUTH-72, AUTH-73
#[tokio::test]
async fn only_who_registered_for_one_gets_one() {
    let world = world().await;
    let once = world
        .register_as(json!({
            "client_name": "Once", "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code"],
        }))
        .await;
    let client = text(&once, "client_id");
    for scope in ["mcp:read", "mcp:read offline_access"] {
        let code = code(&through(&world, &Authz::of(client).with("scope", scope)).await);
        let given = redeem(&world, client, &code, &[]).await.expect_status(200).json();
        assert_eq!((&given["refresh_token"], &given["scope"]), (&json!(null), &json!("mcp:read")));
    }
    // Another's is no help to it: it may not refresh at all.
    let (_, token) = granted(&world).await;
    let answer = refresh(&world, client, &token, &[]).await.expect_status(400);
    assert!(["invalid_grant", "unauthorized_client"].contains(&text(&answer.json(), "error")), "{answer}");

    let metadata = world.client.get("/.well-known/oauth-authorization-server").send().await.json();
    assert!(!metadata["scopes_supported"].to_string().contains("offline_access"), "it changes nothing here");
}

// covers: AUTH-73, RT22
#[tokio::test]
async fn an_operator_can_want_offline_access_for_it() {
    let world = world_with(Scripted::local(), |provider| provider.refresh_needs_offline_access()).await;
    let metadata = world.client.get("/.well-known/oauth-authorization-server").send().await.json();
    assert!(metadata["scopes_supported"].as_array().unwrap().contains(&json!("offline_access")));
    let client = world.register("Web", &[CALLBACK]).await;
    let without = tokens(&world, &client).await;
    assert_eq!(without.get("refresh_token"), None, "{without}");
    let asked = Authz::of(&client).with("scope", "mcp:read offline_access");
    let code_of = code(&through(&world, &asked).await);
    let with = redeem(&world, &client, &code_of, &[]).await.expect_status(200).json();
    let with = refresh(&world, &client, text(&with, "refresh_token"), &[]).await.expect_status(200).json();
    assert!(with["refresh_token"].is_string());
    call(&world, "/mcp", text(&with, "access_token")).await.expect_status(200);

    // The user can say no to that alone.
    let browser = world.browser();
    let page = browser.open(&asked.with("prompt", "login consent").path()).await.expect_status(200).text();
    let form = crate::browser::form::Form::of(&page).with("name", "ada");
    let page = browser.follow(browser.post(&form).await).await.expect_status(200).text();
    let form = crate::browser::form::Form::of(&page).without("scope:offline_access").with("action", "allow");
    let code = code(&browser.post(&form).await);
    let given = redeem(&world, &client, &code, &[]).await.expect_status(200).json();
    assert_eq!(given.get("refresh_token"), None, "{given}");
}

// covers: RT16
#[tokio::test]
async fn what_a_user_may_no_more_is_gone_with_the_next_one() {
    let sign_in = Scripted::local();
    let world = world_with(sign_in.clone(), |provider| provider).await;
    let (client, first) = granted(&world).await;
    let less = Refreshed::Changed { props: None, memory: None, scopes: Some(Scopes::from("mcp:read admin")) };
    sign_in.0.refreshed.lock().unwrap().push_back(less);
    let given = refresh(&world, &client, &first, &[]).await.expect_status(200).json();
    assert_eq!(given["scope"], "mcp:read", "no more, and nothing besides");
    let access = text(&given, "access_token");
    call(&world, "/mcp", access).await.expect_status(200).expect_json("/scope", "mcp:read");
    assert_eq!(introspect(&world, access).await["scope"], "mcp:read");
    // For good: it is no part of the grant any more.
    let renewal = text(&given, "refresh_token");
    expect_error(&refresh(&world, &client, renewal, &[("scope", BOTH)]).await, 400, "invalid_scope");
    let given = refresh(&world, &client, renewal, &[]).await.expect_status(200).json();
    assert_eq!(given["scope"], "mcp:read");

    // Who asks for it by name is not let through by the grant as it was.
    let (client, first) = granted(&world).await;
    let less = || Refreshed::Changed { props: None, memory: None, scopes: Some(Scopes::from("mcp:read")) };
    sign_in.0.refreshed.lock().unwrap().push_back(less());
    let answer = refresh(&world, &client, &first, &[("scope", "mcp:write")]).await;
    expect_error(&answer, 400, "invalid_scope");

    sign_in.0.refreshed.lock().unwrap().push_back(Refreshed::Ended);
    expect_error(&refresh(&world, &client, &first, &[]).await, 400, "invalid_grant");
}

// covers: RT18
#[tokio::test]
async fn it_is_nothing_but_a_refresh_token() {
    let world = world().await;
    let client = world.register("Web", &[CALLBACK]).await;
    let given = tokens(&world, &client).await;
    let (access, renewal) = (text(&given, "access_token"), text(&given, "refresh_token"));
    let answer = call(&world, "/mcp", renewal).await.expect_status(401);
    answer.challenges()[0].scheme("Bearer").error("invalid_token");
    expect_error(&redeem(&world, &client, renewal, &[]).await, 400, "invalid_grant");
    assert_eq!(introspect(&world, renewal).await, json!({ "active": false }));
    // And nothing else is one.
    let code = code_for(&world, &client).await;
    for other in
        [access, &code, &renewal.replace("mcp_rt_", "mcp_at_"), &access.replace("mcp_at_", "mcp_rt_")]
    {
        expect_error(&refresh(&world, &client, other, &[]).await, 400, "invalid_grant");
    }
    let exchanged = [("grant_type", "refresh_token"), ("refresh_token", renewal)];
    let request = world.client.post("/token").header("authorization", &basic("notes-server", SECRET));
    request.form(exchanged).send().await.expect_status(400);
    refresh(&world, &client, renewal, &[]).await.expect_status(200);
}
