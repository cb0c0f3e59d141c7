//! Introspection, and resource servers elsewhere that go by it.

use std::time::Duration;

use mcp_auth_testkit::Answer;
use serde_json::{Value, json};

use crate::testing::{Running, client};
use crate::{JwtTokens, grant};

use super::{Known, refresh_of, with_resource_servers};

const INACTIVE: &str = r#"{"active":false}"#;

async fn ask(running: &Running, who: &Known, token: &str) -> Answer {
    let answer = who.post(running, "/introspect", &[("token", token)]).await.expect_status(200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    answer
}

// covers: IN04
#[tokio::test]
async fn a_resource_server_learns_what_its_tokens_are_worth() {
    for jwt in [false, true] {
        let change = |p: crate::OAuthProvider| if jwt { p.jwt_access_tokens(JwtTokens::es256()) } else { p };
        let (running, server, _) = with_resource_servers(change).await;
        let holder = Known::register(&running, "none").await;
        let tokens = running.bound_tokens(&holder.client, "ada", Some("thumbprint")).await;
        let answer = ask(&running, &server, &tokens.access_token).await;
        let mut said: Value = serde_json::from_slice(answer.body()).unwrap();
        let jti = said.as_object_mut().unwrap().remove("jti").unwrap();
        assert!(jti.as_str().unwrap().len() >= 22);
        let now = mcp_core::Clock::now(&running.clock).as_secs();
        let wanted = json!({
            "active": true, "iss": running.url, "sub": "ada", "aud": running.resource("/mcp"),
            "client_id": holder.id, "scope": "mcp:read mcp:write", "token_type": "DPoP",
            "iat": now, "exp": now + 3600, "auth_time": now, "cnf": { "jkt": "thumbprint" },
        });
        assert_eq!(said, wanted);
        if jwt {
            assert_eq!(crate::testing::claims(&tokens.access_token)["jti"], jti);
        }
    }
}

// covers: IN02, IN03, IN05
#[tokio::test]
async fn everything_else_gets_the_same_bytes() {
    let (running, server, other) = with_resource_servers(|provider| provider).await;
    let holder = Known::register(&running, "client_secret_basic").await;
    let stranger = Known::register(&running, "client_secret_basic").await;
    let tokens = running.tokens(&holder.client, "ada").await;
    let inactive = async |who: &Known, token: &str| {
        ask(&running, who, token).await.expect_body(INACTIVE);
    };
    inactive(&other, &tokens.access_token).await;
    inactive(&stranger, &tokens.access_token).await;
    assert_eq!(running.events.of("introspection").len(), 2);
    for who in [&server, &holder, &stranger] {
        inactive(who, refresh_of(&tokens)).await;
        for token in ["nonsense", "mcp_at_", "eyJhbGciOiJub25lIn0.e30.", "a.b.c", &"x".repeat(9000)] {
            inactive(who, token).await;
        }
    }
    // Longer than a form may be.
    for length in [20 * 1024, 1024 * 1024] {
        inactive(&server, &"x".repeat(length)).await;
    }
    // A client may ask about its own.
    assert!(ask(&running, &holder, &tokens.access_token).await.text().contains("\"active\":true"));

    let revoked = running.tokens(&holder.client, "ada").await;
    grant::revoke(running.engine(), &holder.client, &revoked.access_token).await.unwrap();
    inactive(&server, &revoked.access_token).await;
    let ended = running.tokens(&holder.client, "bob").await;
    grant::end_of_user(running.engine(), "bob", "test").await.unwrap();
    inactive(&server, &ended.access_token).await;
    running.clock.advance(Duration::from_millis(3_599_999));
    assert!(ask(&running, &server, &tokens.access_token).await.text().contains("\"active\":true"));
    running.clock.advance(Duration::from_millis(1));
    inactive(&server, &tokens.access_token).await;
}

// covers: IN01, IN06
#[tokio::test]
async fn who_does_not_prove_itself_learns_nothing() {
    let (running, server, _) = with_resource_servers(|provider| provider).await;
    let public = Known::register(&running, "none").await;
    let tokens = running.tokens(&public.client, "ada").await;
    let token = &*tokens.access_token;

    let refused = |answer: Answer| {
        let answer = answer.expect_status(401);
        assert!(answer.text().contains("invalid_client") && !answer.text().contains("active"));
    };
    refused(running.http.post("/introspect").form([("token", token)]).send().await);
    refused(public.post(&running, "/introspect", &[("token", token)]).await);
    refused(running.http.post("/introspect").bearer(token).form([("token", token)]).send().await);
    let own = [("token", token), ("client_id", &*server.id)];
    refused(running.http.post("/introspect").form(own).send().await);
    // One that cannot prove itself learns nothing by a long body either.
    let long = "x".repeat(1024 * 1024);
    let answer = running.http.post("/introspect").form([("token", &*long)]).send().await;
    assert_eq!(answer.status(), 413);

    let query = format!("/introspect?token={token}");
    server.proven(running.http.get(&query)).send().await.expect_status(405);
    let answer = server.post(&running, "/introspect", &[]).await.expect_status(400);
    assert!(answer.text().contains("invalid_request"));
    let twice = [("token", token), ("token", token)];
    server.post(&running, "/introspect", &twice).await.expect_status(400);
}

#[cfg(feature = "fetch")]
mod elsewhere {
    use mcp_auth_jwt::Introspection;
    use mcp_outbound::OutboundClient;

    use super::*;
    use crate::testing::elsewhere;

    // covers: RV07
    #[tokio::test]
    async fn a_resource_server_elsewhere_goes_by_it_and_notices_a_revocation() {
        for jwt in [false, true] {
            let change =
                |p: crate::OAuthProvider| if jwt { p.jwt_access_tokens(JwtTokens::eddsa()) } else { p };
            let (running, server, _) = with_resource_servers(change).await;
            let web = client("web");
            let tokens = running.tokens(&web, "ada").await;
            let outbound = OutboundClient::builder().dangerous().allow_loopback().build().unwrap();
            let asking = Introspection::new(format!("{}/introspect", running.url))
                .issuer(&*running.url)
                .client_secret_basic(&*server.id, server.secret.as_deref().unwrap())
                .audience(running.resource("/mcp"))
                .judge_tokens(|_| true)
                .http_client(outbound);
            let (_server, there) = elsewhere(&running.clock, asking).await;
            let status = async || there.post("/elsewhere").bearer(&tokens.access_token).send().await.status();
            assert_eq!(status().await, 200);
            assert!(running.provider.operator("admin").unwrap().end_grants_of_user("ada").await.unwrap() > 0);
            assert_eq!(running.status("/mcp", &tokens.access_token).await, 401);
            assert_eq!(status().await, 200, "remembered for 30 s");
            running.clock.advance(Duration::from_secs(30));
            assert_eq!(status().await, 401);
        }
    }
}
