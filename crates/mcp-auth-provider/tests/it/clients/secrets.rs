//! Secrets, and nothing, as proof.

use std::time::Duration;

use mcp_auth_provider::{GrantType, OAuthProvider, PreRegistered};
use mcp_auth_testkit::Answer;

use super::stand::{Ground, Stand, basic, expect_error, expect_in, expect_out};

const SECRET: &str = "q3Yc0Zs6m1F8uKb2Tn9wXr5vJd7hLp4e";
const OTHER: &str = "w3Yc0Zs6m1F8uKb2Tn9wXr5vJd7hLp4e";

fn clients(provider: OAuthProvider) -> OAuthProvider {
    let code = [GrantType::AuthorizationCode, GrantType::RefreshToken];
    let conf = |id: &str, secret: &str| {
        let client = PreRegistered::with_secret(id, secret).unwrap();
        client.redirect_uri("https://c.test/cb").grants(code)
    };
    provider
        .client(conf("conf", SECRET))
        .client(conf("post", SECRET).secret_in_form())
        .client(conf("other", OTHER))
        .client(conf("o d:d", SECRET))
        .client(PreRegistered::public("pub").redirect_uri("http://127.0.0.1/cb"))
}

async fn stand() -> Stand {
    Stand::start(clients).await
}

// covers: AUTH-74, TK07, TK08, TK09, TK12
#[tokio::test]
async fn each_client_proves_itself_in_the_way_it_registered() {
    let stand = stand().await;
    expect_in(&stand.try_in(&[("client_id", "pub")]).await);
    expect_in(&stand.try_with(Some(&basic("conf", SECRET)), &[]).await);
    expect_in(&stand.try_with(Some(&basic("conf", SECRET).replacen("Basic", "bAsIC", 1)), &[]).await);
    expect_in(&stand.try_with(Some(&basic("o+d%3Ad", SECRET)), &[]).await);
    expect_in(&stand.try_in(&[("client_id", "post"), ("client_secret", SECRET)]).await);
    // Empty is absent (attack TK04), and another scheme is no proof and no offence.
    expect_in(&stand.try_in(&[("client_id", "pub"), ("client_secret", "")]).await);
    expect_in(&stand.try_with(Some("Bearer stale"), &[("client_id", "pub")]).await);

    let challenge = Some("Basic realm=\"token endpoint\", charset=\"UTF-8\"");
    let by_basic = [
        basic("conf", OTHER),
        basic("post", SECRET),
        basic("pub", SECRET),
        basic("nobody", SECRET),
        basic("conf", ""),
        basic("", SECRET),
        basic("conf", "%ZZ"),
        basic("conf", "\u{0}"),
        "Basic".to_owned(),
        "Basic !!!".to_owned(),
        "Basic Y29uZg==".to_owned(),
        "Basic /w==".to_owned(),
    ];
    for header in by_basic {
        let answer = stand.try_with(Some(&header), &[]).await;
        expect_out(&answer);
        assert_eq!(answer.header("www-authenticate"), challenge, "{header}");
    }
    for form in [
        &[("client_id", "post"), ("client_secret", OTHER)][..],
        &[("client_id", "conf"), ("client_secret", SECRET)],
        &[("client_id", "pub"), ("client_secret", SECRET)],
        &[("client_id", "nobody"), ("client_secret", SECRET)],
        &[("client_id", "conf")],
        &[("client_id", "nobody")],
        &[("client_secret", SECRET)],
        &[],
    ] {
        let answer = stand.try_in(form).await;
        expect_out(&answer);
        assert_eq!(answer.header("www-authenticate"), None, "{form:?}");
    }
    assert!(!stand.events.text().contains(SECRET) && !stand.events.text().contains(OTHER));
}

// covers: TK10, TK11, TK25, TK03
#[tokio::test]
async fn a_request_proves_one_thing_in_one_way() {
    let stand = stand().await;
    let conf = basic("conf", SECRET);
    let bearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    type Case<'a> = (Option<&'a str>, &'a [(&'a str, &'a str)]);
    let cases: [Case<'_>; 7] = [
        (Some(&conf), &[("client_secret", SECRET)]),
        (Some(&conf), &[("client_id", "conf"), ("client_secret", SECRET)]),
        (Some(&conf), &[("client_assertion_type", bearer), ("client_assertion", "e30.e30.AA")]),
        (None, &[("client_secret", SECRET), ("client_assertion_type", bearer), ("client_assertion", "x")]),
        (Some(&conf), &[("client_id", "other")]),
        (None, &[("client_id", "pub"), ("client_assertion", "e30.e30.AA")]),
        (None, &[("client_id", "pub"), ("client_assertion_type", bearer)]),
    ];
    for (header, form) in cases {
        expect_error(&stand.try_with(header, form).await, 400, "invalid_request");
    }
    let unknown =
        [("client_id", "pub"), ("client_assertion_type", "urn:x"), ("client_assertion", "e30.e30.AA")];
    expect_error(&stand.try_in(&unknown).await, 401, "invalid_client");
    expect_error(&stand.try_in(&[("client_id", "pub"), ("client_id", "pub")]).await, 400, "invalid_request");
    let request = stand.client.post("/token").form([("grant_type", "authorization_code"), ("code", "x")]);
    let two = request.header("authorization", &conf).header("authorization", &conf);
    expect_error(&two.send().await, 400, "invalid_request");
}

// covers: TK13, RT02, RV03, IN01
#[tokio::test]
async fn every_endpoint_for_clients_asks_for_the_proof() {
    let stand = stand().await;
    let forms: [(&str, &[(&str, &str)]); 4] = [
        ("/token", &[("grant_type", "authorization_code"), ("code", "x")]),
        ("/token", &[("grant_type", "refresh_token"), ("refresh_token", "x")]),
        ("/revoke", &[("token", "x")]),
        ("/introspect", &[("token", "x")]),
    ];
    for (path, form) in forms {
        let mut form = form.to_vec();
        form.push(("client_id", "conf"));
        let answer = stand.client.post(path).form(form).send().await;
        assert_eq!(
            (answer.status(), answer.json()["error"].as_str()),
            (401, Some("invalid_client")),
            "{path}"
        );
    }
}

// covers: TK06
#[tokio::test]
async fn an_unknown_client_costs_as_much_as_a_wrong_secret() {
    use mcp_store::testkit::Call;
    let stand = stand().await;
    let store = &stand.ground.store;
    let mut costs = Vec::new();
    for id in ["conf", "nobody"] {
        let before = (store.calls(Call::Get), store.calls(Call::Commit));
        expect_out(&stand.try_with(Some(&basic(id, OTHER)), &[]).await);
        costs.push((store.calls(Call::Get) - before.0, store.calls(Call::Commit) - before.1));
    }
    assert_eq!(costs[0].1, costs[1].1, "the same is written");
    assert!(costs[0].1 > 0);
}

async fn guess(stand: &Stand, address: &str, secret: &str) -> Answer {
    let form = [("grant_type", "authorization_code"), ("code", "x"), ("code_verifier", "x")];
    let request = stand.client.post("/token").form(form).header("x-forwarded-for", address);
    request.header("authorization", &basic("conf", secret)).send().await
}

#[tokio::test]
async fn guesses_are_counted_on_all_nodes_and_lock_nobody_else_out() {
    let ground = Ground::new();
    let (one, two) = (ground.stand(clients).await, ground.stand(clients).await);
    expect_in(&guess(&one, "192.0.2.7", SECRET).await);
    for n in 0..10 {
        let stand = if n % 2 == 0 { &one } else { &two };
        expect_out(&guess(stand, "192.0.2.7", &format!("{OTHER}{n}")).await);
    }
    // Now guessing is slow, on whichever node.
    for stand in [&one, &two] {
        ground.clock.advance(Duration::from_millis(1));
        let held = guess(stand, "192.0.2.7", OTHER).await;
        expect_error(&held, 429, "temporarily_unavailable");
        assert_eq!(held.header("retry-after"), Some("5"));
    }
    // The client itself goes on: from elsewhere, and on the node that knows its secret also from there.
    expect_in(&guess(&two, "192.0.2.8", SECRET).await);
    expect_in(&guess(&one, "192.0.2.7", SECRET).await);
    // And on the other node it is let in when it has waited as long as it was told.
    ground.clock.advance(Duration::from_secs(5));
    expect_in(&guess(&two, "192.0.2.7", SECRET).await);
    // A guesser who waits gets one try in five seconds.
    ground.clock.advance(Duration::from_secs(5));
    expect_out(&guess(&one, "192.0.2.7", OTHER).await);
    assert_eq!(guess(&one, "192.0.2.7", OTHER).await.status(), 429);
    ground.clock.advance(Duration::from_secs(601));
    expect_out(&guess(&one, "192.0.2.7", OTHER).await);
    expect_out(&guess(&one, "192.0.2.7", OTHER).await);
}

#[tokio::test]
async fn guesses_at_once_do_not_slip_through() {
    let stand = std::sync::Arc::new(stand().await);
    for n in 0..10 {
        expect_out(&guess(&stand, "192.0.2.7", &format!("{OTHER}{n}")).await);
    }
    stand.clock().advance(Duration::from_secs(5));
    let tasks: Vec<_> = (0..8)
        .map(|n| {
            let stand = stand.clone();
            tokio::spawn(async move { guess(&stand, "192.0.2.7", &format!("{OTHER}x{n}")).await.status() })
        })
        .collect();
    let mut looked_at = 0;
    for task in tasks {
        looked_at += usize::from(task.await.unwrap() == 401);
    }
    assert_eq!(looked_at, 1);
}

#[tokio::test]
async fn a_store_that_fails_lets_nobody_in_and_nobody_down() {
    use mcp_store::testkit::{Call, Fault};
    let stand = stand().await;
    stand.ground.store.fail_next(Call::Commit, Fault::Unavailable);
    expect_error(&stand.try_with(Some(&basic("conf", OTHER)), &[]).await, 503, "temporarily_unavailable");
    expect_in(&stand.try_with(Some(&basic("conf", SECRET)), &[]).await);
}
