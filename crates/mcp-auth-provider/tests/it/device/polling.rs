//! The device's end.

use std::time::Duration;

use mcp_auth_provider::{Lifetimes, OAuthProvider};
use mcp_auth_testkit::DpopKey;
use mcp_core::Clock;
use serde_json::json;

use super::*;
use crate::browser::world::CALLBACK;
use crate::machines::SECRET;

#[tokio::test]
async fn a_device_gets_tokens_once_its_user_says_yes() {
    let mut world = world().await;
    let answer = world.begin_with("tv", &[("scope", "mcp:read")]).await.expect_status(200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let body = answer.json();
    let user_code = body["user_code"].as_str().unwrap().to_owned();
    assert_eq!((user_code.len(), &user_code[4..5]), (9, "-"));
    assert_eq!(body["verification_uri"], "https://mcp.test/device");
    assert_eq!(body["verification_uri_complete"], format!("https://mcp.test/device?user_code={user_code}"));
    assert_eq!((&body["expires_in"], &body["interval"]), (&json!(600), &json!(5)));
    let code = body["device_code"].as_str().unwrap().to_owned();
    let device = Device { client: "tv".into(), code, user_code };

    refused(&world.poll(&device).await, 400, "authorization_pending");
    world.restart().await;
    let done = answer_with(&world.browser(), &device.user_code, "allow").await.expect_status(200);
    assert!(done.text().contains("The device is connected"), "{done}");
    world.restart().await;
    world.later(5);
    let tokens = world.poll(&device).await.expect_status(200).json();
    assert_eq!((&tokens["token_type"], &tokens["scope"]), (&json!("Bearer"), &json!("mcp:read")));
    let token = tokens["access_token"].as_str().unwrap();
    let call = world.client.post("/mcp").bearer(token).json(&json!({})).send().await;
    call.expect_status(200).expect_json("/sub", "ada");
    let refresh = [
        ("grant_type", "refresh_token"),
        ("client_id", "tv"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    world.client.post("/token").form(refresh).send().await.expect_status(200);
    assert_eq!(world.recorded("device_approved", "allowed"), 1);
    assert_eq!(world.recorded("device_code_redeemed", "allowed"), 1);
}

#[tokio::test]
async fn only_who_registered_for_it_gets_a_refresh_token() {
    let world = world().await;
    let device = world.device("box").await;
    answer_with(&world.browser(), &device.user_code, "allow").await.expect_status(200);
    let tokens = world.poll(&device).await.expect_status(200).json();
    assert_eq!(tokens.get("refresh_token"), None);
}

// covers: DV01
#[tokio::test]
async fn unfit_clients_get_no_code() {
    let world = world().await;
    let nobody = world.client.post("/device_authorization").form([("scope", "mcp:read")]).send().await;
    refused(&nobody, 401, "invalid_client");
    refused(&world.begin_with("nobody", &[]).await, 401, "invalid_client");
    refused(&world.begin_with("hub", &[]).await, 401, "invalid_client");
    refused(&world.begin_with("hub", &[("client_secret", "wrong")]).await, 401, "invalid_client");
    world.begin_with("hub", &[("client_secret", SECRET)]).await.expect_status(200);
    refused(&world.begin_with("web", &[]).await, 400, "unauthorized_client");
    refused(&world.begin_with("tv", &[("scope", "unheard")]).await, 400, "invalid_scope");
    refused(&world.begin_with("tv", &[("resource", "https://other.test/")]).await, 400, "invalid_target");
    let twice = [("scope", "mcp:read"), ("scope", "mcp:write")];
    refused(&world.begin_with("tv", &twice).await, 400, "invalid_request");
    let web = Device { client: "web".into(), ..world.device("tv").await };
    refused(&world.poll(&web).await, 400, "unauthorized_client");
}

#[tokio::test]
async fn it_is_there_where_the_operator_wants_it_and_nowhere_else() {
    let metadata = json!({
        "client_name": "Box", "grant_types": [GRANT, "refresh_token"], "token_endpoint_auth_method": "none",
    });
    let on = world().await;
    let document = on.client.get("/.well-known/oauth-authorization-server").send().await.json();
    assert_eq!(document["device_authorization_endpoint"], "https://mcp.test/device_authorization");
    assert!(document["grant_types_supported"].as_array().unwrap().contains(&json!(GRANT)));
    let registered = on.register_as(metadata.clone()).await;
    assert_eq!(registered["grant_types"], json!([GRANT, "refresh_token"]));
    on.device(registered["client_id"].as_str().unwrap()).await;

    let off = World::of(|| OAuthProvider::new(Scripted::local())).await;
    let document = off.client.get("/.well-known/oauth-authorization-server").send().await.json();
    assert_eq!(document.get("device_authorization_endpoint"), None);
    assert!(!document["grant_types_supported"].as_array().unwrap().contains(&json!(GRANT)));
    off.begin_with("tv", &[]).await.expect_status(404);
    off.client.get("/device").send().await.expect_status(404);
    let device = Device { client: "tv".into(), code: "mcp_dc_x".into(), user_code: String::new() };
    refused(&off.poll(&device).await, 400, "unsupported_grant_type");
    refused(&off.client.post("/register").json(&metadata).send().await, 400, "invalid_client_metadata");
    let both = json!({ "redirect_uris": [CALLBACK], "grant_types": ["authorization_code", GRANT] });
    assert_eq!(off.register_as(both).await["grant_types"], json!(["authorization_code"]));
}

// covers: DV02
#[tokio::test]
async fn who_polls_too_fast_has_to_wait_longer_from_then_on() {
    let mut world = world().await;
    let device = world.device("tv").await;
    refused(&world.poll(&device).await, 400, "authorization_pending");
    world.later(4);
    refused(&world.poll(&device).await, 400, "slow_down");
    // Ten seconds now, whichever process is asked.
    world.restart().await;
    world.later(9);
    refused(&world.poll(&device).await, 400, "slow_down");
    world.later(15);
    refused(&world.poll(&device).await, 400, "authorization_pending");
    world.later(14);
    refused(&world.poll(&device).await, 400, "slow_down");
    for _ in 0..20 {
        refused(&world.poll(&device).await, 400, "slow_down");
    }
    world.later(60);
    refused(&world.poll(&device).await, 400, "authorization_pending");
    // A clock that is set back holds nobody up.
    world.clock.set(world.clock.now() - Duration::from_secs(100));
    refused(&world.poll(&device).await, 400, "authorization_pending");
    // Nor does impatience after the answer.
    answer_with(&world.browser(), &device.user_code, "allow").await.expect_status(200);
    world.poll(&device).await.expect_status(200);
}

// covers: DV03
#[tokio::test]
async fn each_state_has_its_own_answer() {
    let world = world().await;
    let device = world.device("tv").await;
    refused(&world.poll(&device).await, 400, "authorization_pending");
    refused(&world.poll(&Device { client: "box".into(), ..device.clone() }).await, 400, "invalid_grant");
    for code in ["x", "mcp_dc_x", &device.code.replace("mcp_dc_", "mcp_ac_"), &format!("{}A", device.code)] {
        let wrong = Device { code: code.to_owned(), ..device.clone() };
        refused(&world.poll(&wrong).await, 400, "invalid_grant");
    }
    let turned: String = device.code[29..].chars().rev().collect();
    let guess = Device { code: format!("{}{turned}", &device.code[..29]), ..device.clone() };
    refused(&world.poll(&guess).await, 400, "invalid_grant");
    let none = [("grant_type", GRANT), ("client_id", "tv")];
    refused(&world.client.post("/token").form(none).send().await, 400, "invalid_request");

    let denied = answer_with(&world.browser(), &device.user_code, "deny").await.expect_status(200);
    assert!(denied.text().contains("was not connected"), "{denied}");
    for _ in 0..2 {
        refused(&world.poll(&device).await, 400, "access_denied");
    }
    let device = world.device("tv").await;
    world.later(599);
    refused(&world.poll(&device).await, 400, "authorization_pending");
    world.later(1);
    refused(&world.poll(&device).await, 400, "expired_token");
    type_in(&world.browser(), &device.user_code).await.expect_status(400);
    world.later(24 * 3600);
    refused(&world.poll(&device).await, 400, "invalid_grant");
}

#[tokio::test]
async fn a_yes_in_the_last_second_is_worth_a_poll_more_and_one_after_it_is_none() {
    let short = || Lifetimes::new().device_code(Duration::from_secs(60));
    let world = World::of(move || provider(Scripted::local()).lifetimes(short())).await;
    let device = world.device("tv").await;
    let browser = world.browser();
    let form = Form::of(&consent_page(&browser, &device.user_code, "ada").await).with("action", "allow");
    world.later(59);
    browser.post(&form).await.expect_status(200);
    world.later(6);
    world.poll(&device).await.expect_status(200);

    let (late, never) = (world.device("tv").await, world.device("tv").await);
    let form = Form::of(&consent_page(&browser, &late.user_code, "ada").await).with("action", "allow");
    let denied = answer_with(&browser, &never.user_code, "allow").await.expect_status(200);
    drop(denied);
    world.later(60);
    browser.post(&form).await.expect_status(400);
    refused(&world.poll(&late).await, 400, "expired_token");
    world.later(60);
    refused(&world.poll(&never).await, 400, "expired_token");
}

// covers: DV04
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_polls_at_once_one_gets_tokens() {
    let world = std::sync::Arc::new(world().await);
    let device = world.device("tv").await;
    answer_with(&world.browser(), &device.user_code, "allow").await.expect_status(200);
    let polls: Vec<_> = (0..64)
        .map(|_| {
            let (world, device) = (world.clone(), device.clone());
            tokio::spawn(async move { world.poll(&device).await })
        })
        .collect();
    let mut tokens = Vec::new();
    for poll in polls {
        let answer = poll.await.unwrap();
        match answer.status() {
            200 => tokens.push(answer.json()["access_token"].as_str().unwrap().to_owned()),
            _ => refused(&answer, 400, "invalid_grant"),
        }
    }
    assert_eq!(tokens.len(), 1);
    let call = || world.client.post("/mcp").bearer(&tokens[0]).json(&json!({}));
    call().send().await.expect_status(200);
    // Shortly after, a second use changes nothing; later, it is somebody else's.
    world.later(9);
    refused(&world.poll(&device).await, 400, "invalid_grant");
    call().send().await.expect_status(200);
    world.later(2);
    refused(&world.poll(&device).await, 400, "invalid_grant");
    call().send().await.expect_status(401);
    refused(&world.poll(&device).await, 400, "invalid_grant");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_polls_at_once_before_the_answer_none_gets_tokens_and_none_fails() {
    let world = std::sync::Arc::new(world().await);
    let device = world.device("tv").await;
    let polls: Vec<_> = (0..64)
        .map(|_| {
            let (world, device) = (world.clone(), device.clone());
            tokio::spawn(async move { world.poll(&device).await })
        })
        .collect();
    let mut pending = 0;
    for poll in polls {
        let answer = poll.await.unwrap();
        if answer.json()["error"] == "authorization_pending" {
            pending += 1;
        } else {
            refused(&answer, 400, "slow_down");
        }
    }
    assert_eq!(pending, 1);
}

// covers: DV09
#[tokio::test]
async fn nothing_is_added_after_approval() {
    let world = world().await;
    let device = world.device("tv").await;
    let browser = world.browser();
    let form = Form::of(&consent_page(&browser, &device.user_code, "ada").await);
    browser.post(&form.without("scope:mcp:write").with("action", "allow")).await.expect_status(200);
    for (name, value, error) in [
        ("resource", "https://mcp.test/other", "invalid_target"),
        ("resource", "https://elsewhere.test/", "invalid_target"),
        ("scope", "mcp:read mcp:write", "invalid_scope"),
        ("scope", "mcp:admin", "invalid_scope"),
    ] {
        refused(&world.poll_with(&device, &[(name, value)]).await, 400, error);
    }
    let tokens = world.poll_with(&device, &[("resource", RS), ("scope", "mcp:read")]).await;
    tokens.expect_status(200).expect_json("/scope", "mcp:read");
}

#[tokio::test]
async fn tokens_are_bound_to_the_key_that_polls() {
    let world = world().await;
    let device = world.device("tv").await;
    answer_with(&world.browser(), &device.user_code, "allow").await.expect_status(200);
    let key = DpopKey::generate();
    let proof = key.proof("POST", "https://mcp.test/token", world.clock.now()).mint();
    let form = [("grant_type", GRANT), ("client_id", "tv"), ("device_code", &*device.code)];
    let wrong = world.client.post("/token").form(form).header("dpop", "x").send().await;
    refused(&wrong, 400, "invalid_dpop_proof");
    let answer =
        world.client.post("/token").form(form).header("dpop", &proof).send().await.expect_status(200);
    let tokens = answer.expect_json("/token_type", "DPoP").json();
    let refresh = [
        ("grant_type", "refresh_token"),
        ("client_id", "tv"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    refused(&world.client.post("/token").form(refresh).send().await, 400, "invalid_grant");
}
