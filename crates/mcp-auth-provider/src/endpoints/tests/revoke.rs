//! Revocation.

use mcp_store::testkit::{Call, Fault};

use crate::Registration;
use crate::testing::Running;

use super::{Known, refresh_of};

async fn start() -> (Running, Known, Known) {
    let running = Running::start(|provider| provider.registration(Registration::open())).await;
    let public = Known::register(&running, "none").await;
    let confidential = Known::register(&running, "client_secret_basic").await;
    (running, public, confidential)
}

async fn refreshes(running: &Running, client: &Known, token: &str) -> bool {
    let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
    let answer = client.post(running, "/token", &form).await;
    assert!(answer.status() == 200 || answer.text().contains("invalid_grant"), "{}", answer.text());
    answer.status() == 200
}

// covers: RV05
#[tokio::test]
async fn a_refresh_token_takes_its_grant_along_and_an_access_token_itself_alone() {
    let (running, public, confidential) = start().await;
    for client in [&public, &confidential] {
        let tokens = running.tokens(&client.client, "ada").await;
        let other = running.tokens(&client.client, "ada").await;
        let answer = client.post(&running, "/revoke", &[("token", &tokens.access_token)]).await;
        let answer = answer.expect_status(200).expect_body("");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(running.status("/mcp", &tokens.access_token).await, 401);
        assert!(refreshes(&running, client, refresh_of(&tokens)).await);

        client.post(&running, "/revoke", &[("token", refresh_of(&other))]).await.expect_status(200);
        assert_eq!(running.status("/mcp", &other.access_token).await, 401);
        assert!(!refreshes(&running, client, refresh_of(&other)).await);
        let ended = running.events.of("grant_ended").pop().unwrap();
        assert_eq!(ended.reason.as_deref(), Some("revoked_by_client"));
    }
}

#[tokio::test]
async fn a_used_refresh_token_ends_the_grant_too_and_one_that_has_expired_cannot() {
    let (running, public, _) = start().await;
    let tokens = running.tokens(&public.client, "ada").await;
    assert!(refreshes(&running, &public, refresh_of(&tokens)).await);
    public.post(&running, "/revoke", &[("token", refresh_of(&tokens))]).await.expect_status(200);
    assert_eq!(running.status("/mcp", &tokens.access_token).await, 401);
    assert!(
        running.provider.operator("t").unwrap().grants_of_user("ada", None).await.unwrap().grants.is_empty()
    );

    let tokens = running.tokens(&public.client, "bob").await;
    running.clock.advance(std::time::Duration::from_secs(31 * 24 * 3600));
    let confidential = Known::register(&running, "none").await; // the first was forgotten by now, or not: no matter
    confidential.post(&running, "/revoke", &[("token", refresh_of(&tokens))]).await.expect_status(200);
}

// covers: RV01, RV04
#[tokio::test]
async fn garbage_hints_and_what_is_dead_already_are_all_the_same_to_it() {
    let (running, public, _) = start().await;
    let tokens = running.tokens(&public.client, "ada").await;
    let long = "x".repeat(9000);
    for token in ["nonsense", "mcp_at_", "mcp_rt_x", "a.b.c", &long] {
        let answer = public.post(&running, "/revoke", &[("token", token)]).await;
        answer.expect_status(200).expect_body("");
    }
    let hints = [("access_token", true), ("refresh_token", false), ("id_token", true), ("\u{1f600}", false)];
    for (hint, access) in hints {
        let tokens = running.tokens(&public.client, "ada").await;
        let token = if access { refresh_of(&tokens) } else { &tokens.access_token };
        for _ in 0..2 {
            let form = [("token", token), ("token_type_hint", hint)];
            public.post(&running, "/revoke", &form).await.expect_status(200).expect_body("");
        }
        assert_eq!(running.status("/mcp", &tokens.access_token).await, 401, "{hint}");
    }
    assert_eq!(running.status("/mcp", &tokens.access_token).await, 200, "nobody revoked this one");
}

// covers: RV02, RV03
#[tokio::test]
async fn nobody_takes_back_what_is_anothers() {
    let (running, public, confidential) = start().await;
    let tokens = running.tokens(&confidential.client, "ada").await;
    let thief = Known::register(&running, "none").await;
    for who in [&public, &thief] {
        for token in [&*tokens.access_token, refresh_of(&tokens)] {
            who.post(&running, "/revoke", &[("token", token)]).await.expect_status(200).expect_body("");
        }
    }
    assert_eq!(running.events.of("revocation").len(), 4);

    // Without its secret, or with a wrong one, not even in its own name.
    for token in [&*tokens.access_token, refresh_of(&tokens)] {
        let form = [("token", token), ("client_id", &confidential.id)];
        let answer = running.http.post("/revoke").form(form).send().await.expect_status(401);
        assert!(answer.text().contains("invalid_client"));
        let wrong = format!("Basic {}", super::base64(&format!("{}:guess", confidential.id)));
        let request = running.http.post("/revoke").header("authorization", &wrong);
        request.form([("token", token)]).send().await.expect_status(401);
    }
    assert_eq!(running.status("/mcp", &tokens.access_token).await, 200);
    assert!(refreshes(&running, &confidential, refresh_of(&tokens)).await);
}

// covers: RV08
#[tokio::test]
async fn what_is_no_form_with_one_token_is_no_revocation() {
    let (running, public, _) = start().await;
    let tokens = running.tokens(&public.client, "ada").await;
    let token = refresh_of(&tokens);
    let answer = public.post(&running, "/revoke", &[("token", token), ("token", token)]).await;
    assert!(answer.expect_status(400).text().contains("invalid_request"));
    let answer = public.post(&running, "/revoke", &[]).await;
    assert!(answer.expect_status(400).text().contains("invalid_request"));
    let json = serde_json::json!({ "token": token, "client_id": public.id });
    let answer = running.http.post("/revoke").json(&json).send().await;
    assert!(answer.expect_status(400).text().contains("invalid_request"));
    let query = format!("/revoke?token={token}&client_id={}", public.id);
    running.http.get(&query).send().await.expect_status(405);
    // The query of a POST does not count.
    let form = [("client_id", &*public.id)];
    running.http.post(&query).form(form).send().await.expect_status(400);
    assert_eq!(running.status("/mcp", &tokens.access_token).await, 200);
}

#[tokio::test]
async fn of_many_at_once_a_revocation_leaves_no_token_alive() {
    let (running, public, _) = start().await;
    let running = std::sync::Arc::new(running);
    let public = std::sync::Arc::new(public);
    for _ in 0..8 {
        let tokens = running.tokens(&public.client, "ada").await;
        let racers: Vec<_> = (0..8)
            .map(|n| {
                let (running, public) = (running.clone(), public.clone());
                let token = refresh_of(&tokens).to_owned();
                tokio::spawn(async move {
                    if n == 4 {
                        public.post(&running, "/revoke", &[("token", &token)]).await.expect_status(200);
                        return None;
                    }
                    let form = [("grant_type", "refresh_token"), ("refresh_token", &*token)];
                    let answer = public.post(&running, "/token", &form).await;
                    let answer: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
                    answer["access_token"].as_str().map(str::to_owned)
                })
            })
            .collect();
        let mut given = vec![tokens.access_token.clone()];
        for racer in racers {
            given.extend(racer.await.unwrap());
        }
        for token in given {
            assert_eq!(running.status("/mcp", &token).await, 401);
        }
    }
}

#[tokio::test]
async fn when_the_store_is_down_the_client_is_told_to_come_back() {
    let (running, public, _) = start().await;
    let tokens = running.tokens(&public.client, "ada").await;
    // After the client was found, so that it is the revocation itself that fails.
    for fault in [Fault::Unavailable, Fault::LostAnswer] {
        running.store.fail_next(Call::Commit, fault);
        let answer = public.post(&running, "/revoke", &[("token", &tokens.access_token)]).await;
        assert!(answer.expect_status(503).header("retry-after").is_some());
    }
    public.post(&running, "/revoke", &[("token", &tokens.access_token)]).await.expect_status(200);
    assert_eq!(running.status("/mcp", &tokens.access_token).await, 401);
    assert!(refreshes(&running, &public, refresh_of(&tokens)).await);
}
