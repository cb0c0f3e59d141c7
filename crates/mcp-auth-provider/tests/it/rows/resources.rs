//! Which resource a token is for (RFC 8707).

use mcp_auth_provider::JwtTokens;
use serde_json::json;

use super::{call, introspect, redeem, refresh, text, through, world, world_with};
use crate::browser::scripted::Scripted;
use crate::browser::world::{Authz, CALLBACK, RS, code, expect_back};
use crate::clients::stand::expect_error;

const OTHER: &str = "https://mcp.test/other";

// covers: AUTH-64
#[tokio::test]
async fn it_is_asked_for_twice_bound_and_the_audience() {
    let world = world().await;
    let client = world.register("Web", &[CALLBACK]).await;
    for (resource, path, elsewhere) in [(RS, "/mcp", "/other"), (OTHER, "/other", "/mcp")] {
        let request = Authz::of(&client).with("resource", resource);
        let code = code(&through(&world, &request).await);
        let strange = if resource == RS { OTHER } else { RS };
        for wrong in [strange, "https://evil.test/mcp", "mcp", ""] {
            let answer = redeem(&world, &client, &code, &[("resource", wrong), ("code_verifier", "x")]).await;
            // The verifier comes first: who has none learns nothing of the grant.
            expect_error(&answer, 400, "invalid_grant");
        }
        for wrong in [strange, "https://evil.test/mcp", "mcp", "https://mcp.test/mcp#x"] {
            let answer = redeem(&world, &client, &code, &[("resource", wrong)]).await;
            expect_error(&answer, 400, "invalid_target");
        }
        let both = [("resource", resource), ("resource", strange)];
        expect_error(&redeem(&world, &client, &code, &both).await, 400, "invalid_target");
        let given = redeem(&world, &client, &code, &[("resource", resource)]).await.expect_status(200).json();
        let access = text(&given, "access_token");
        assert_eq!(introspect(&world, access).await["aud"], resource);
        call(&world, path, access).await.expect_status(200);
        call(&world, elsewhere, access).await.expect_status(401);

        let renewal = text(&given, "refresh_token");
        let answer = refresh(&world, &client, renewal, &[("resource", strange)]).await;
        expect_error(&answer, 400, "invalid_target");
        let given =
            refresh(&world, &client, renewal, &[("resource", resource)]).await.expect_status(200).json();
        assert_eq!(introspect(&world, text(&given, "access_token")).await["aud"], resource);
    }
}

// covers: RS05
#[tokio::test]
async fn who_does_not_name_it_gets_the_one_of_the_grant() {
    for jwt in [false, true] {
        let world = world_with(Scripted::local(), move |provider| {
            if jwt { provider.jwt_access_tokens(JwtTokens::es256()) } else { provider }
        })
        .await;
        let client = world.register("Web", &[CALLBACK]).await;
        let code_of = code(&through(&world, &Authz::of(&client).with("resource", OTHER)).await);
        let mut given = redeem(&world, &client, &code_of, &[]).await.expect_status(200).json();
        for _ in 0..2 {
            let access = text(&given, "access_token");
            assert_eq!(introspect(&world, access).await["aud"], OTHER, "one text, and no list");
            call(&world, "/other", access).await.expect_status(200);
            call(&world, "/mcp", access).await.expect_status(401);
            let renewal = text(&given, "refresh_token");
            given = refresh(&world, &client, renewal, &[]).await.expect_status(200).json();
        }
        // Nor does one that none is named in at all get a token for everything.
        let code_of = code(&through(&world, &Authz::of(&client).without("resource")).await);
        let given = redeem(&world, &client, &code_of, &[]).await.expect_status(200).json();
        let access = text(&given, "access_token");
        assert_eq!(introspect(&world, access).await["aud"], RS);
        call(&world, "/other", access).await.expect_status(401);
        // A grant of two resources gives tokens for one at a time.
        let both = Authz::of(&client).and("resource", OTHER);
        let code = code(&through(&world, &both).await);
        expect_error(&redeem(&world, &client, &code, &[]).await, 400, "invalid_target");
        let given = redeem(&world, &client, &code, &[("resource", OTHER)]).await.expect_status(200).json();
        assert_eq!(introspect(&world, text(&given, "access_token")).await["aud"], json!(OTHER));
    }
}

// covers: RS10
#[tokio::test]
async fn a_slash_more_is_another_resource() {
    let world = world().await;
    let client = world.register("Web", &[CALLBACK]).await;
    let request = Authz::of(&client);
    for variant in ["https://mcp.test/mcp/", "https://mcp.test//mcp", "https://mcp.test/mcp//"] {
        let answer = world.browser().open(&request.clone().with("resource", variant).path()).await;
        expect_back(&answer, "invalid_target");
        let code = code(&through(&world, &request).await);
        let answer = redeem(&world, &client, &code, &[("resource", variant)]).await;
        expect_error(&answer, 400, "invalid_target");
    }
    let metadata = world.client.get("/.well-known/oauth-protected-resource/mcp").send().await.json();
    assert_eq!(metadata["resource"], RS);
}
