//! Tokens that are bound to keys, from the first request on (RFC 9449).

use mcp_auth_testkit::{Answer, DpopKey};
use mcp_core::Clock;
use serde_json::json;

use super::{code_for, introspect, text, through, tokens, world};
use crate::browser::world::{Authz, CALLBACK, RS, VERIFIER, World, code};
use crate::clients::stand::expect_error;

/// Asks the token endpoint with a proof of this key, or with none.
async fn prove(world: &World, key: Option<&DpopKey>, form: &[(&str, &str)]) -> Answer {
    let request = world.client.post("/token").form(form.iter().copied());
    match key {
        Some(key) => {
            let proof = key.proof("POST", "https://mcp.test/token", world.clock.now()).mint();
            request.header("dpop", &proof).send().await
        }
        None => request.send().await,
    }
}

fn redemption<'a>(client: &'a str, code: &'a str) -> [(&'a str, &'a str); 4] {
    [("grant_type", "authorization_code"), ("client_id", client), ("code", code), ("code_verifier", VERIFIER)]
}

// covers: DP14
#[tokio::test]
async fn a_code_for_one_key_is_none_for_another() {
    let world = world().await;
    let client = world.register("Web", &[CALLBACK]).await;
    let (key, thief) = (DpopKey::generate(), DpopKey::generate());
    let request = Authz::of(&client).with("dpop_jkt", &key.thumbprint());
    let code = code(&through(&world, &request).await);
    let form = redemption(&client, &code);
    expect_error(&prove(&world, Some(&thief), &form).await, 400, "invalid_grant");
    expect_error(&prove(&world, None, &form).await, 400, "invalid_grant");
    // Neither has used it up.
    let given = prove(&world, Some(&key), &form).await.expect_status(200).json();
    assert_eq!(given["token_type"], "DPoP");
    let renewal = text(&given, "refresh_token");
    let form = [("grant_type", "refresh_token"), ("client_id", &*client), ("refresh_token", renewal)];
    expect_error(&prove(&world, Some(&thief), &form).await, 400, "invalid_grant");
    expect_error(&prove(&world, None, &form).await, 400, "invalid_grant");
    prove(&world, Some(&key), &form).await.expect_status(200).expect_json("/token_type", "DPoP");
}

// covers: DP17
#[tokio::test]
async fn a_resource_server_is_told_the_key() {
    let world = world().await;
    let client = world.register("Web", &[CALLBACK]).await;
    let key = DpopKey::generate();
    let code = code_for(&world, &client).await;
    let given = prove(&world, Some(&key), &redemption(&client, &code)).await.expect_status(200).json();
    let said = introspect(&world, text(&given, "access_token")).await;
    assert_eq!((&said["active"], &said["token_type"]), (&json!(true), &json!("DPoP")));
    assert_eq!((&said["cnf"], &said["aud"]), (&json!({ "jkt": key.thumbprint() }), &json!(RS)));
    // One that is bound to nothing says so by saying nothing.
    let said = introspect(&world, text(&tokens(&world, &client).await, "access_token")).await;
    assert_eq!((said.get("cnf"), &said["token_type"]), (None, &json!("Bearer")));
}
