//! Requests that are pushed and codes that are typed while the store does not answer.

use mcp_auth_testkit::Answer;
use mcp_store::testkit::{Call, Fault};

use super::*;
use crate::{GrantType, PreRegistered};

async fn running() -> Running {
    Running::start(|provider| {
        let web = PreRegistered::public("web").redirect_uri("https://c.test/cb");
        let tv = PreRegistered::public("tv").grants([GrantType::DeviceCode]);
        provider.device_grant().client(web).client(tv)
    })
    .await
}

const REQUEST: [(&str, &str); 5] = [
    ("client_id", "web"),
    ("response_type", "code"),
    ("redirect_uri", "https://c.test/cb"),
    ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
    ("code_challenge_method", "S256"),
];

fn unavailable(answer: &Answer) {
    assert_eq!(answer.status(), 503, "{answer}");
    assert!(answer.header("retry-after").is_some(), "{answer}");
    assert!(answer.header("location").is_none(), "{answer}");
}

#[tokio::test]
async fn a_request_is_kept_or_nobody_can_tell_and_is_not_lost_for_a_moment() {
    let running = running().await;
    let push = || running.http.post("/par").form(REQUEST).send();
    for fault in [Fault::Unavailable, Fault::LostRequest] {
        running.store.fail_next(Call::Commit, fault);
        unavailable(&push().await);
    }
    running.store.fail_next(Call::Commit, Fault::LostAnswer);
    let answer = push().await.expect_status(201).json();
    let reference = answer["request_uri"].as_str().unwrap();
    let address = format!("/authorize?client_id=web&request_uri={reference}");
    running.store.fail_next(Call::Get, Fault::Unavailable);
    unavailable(&running.http.get(&address).send().await);
    // The sign-in here is one that cannot tell; that it was asked means that the request was found.
    unavailable(&running.http.get(&address).send().await);
    assert!(running.events.of("authorization_request").is_empty());
    running.http.get(&format!("{address}x")).send().await.expect_status(400);
    assert_eq!(running.events.of("authorization_request").len(), 1);
}

#[tokio::test]
async fn a_device_begins_or_nobody_can_tell_and_a_code_is_looked_at_or_not() {
    let running = running().await;
    let begin = || running.http.post("/device_authorization").form([("client_id", "tv")]).send();
    for (passes, call) in [(0, Call::Get), (0, Call::Commit), (1, Call::Commit)] {
        running.store.fail_after(passes, call, Fault::Unavailable);
        unavailable(&begin().await);
    }
    running.store.fail_next(Call::Commit, Fault::LostAnswer);
    let code = begin().await.expect_status(200).json()["user_code"].as_str().unwrap().to_owned();
    let enter = |code: String| {
        let request = running.http.post("/device").header("sec-fetch-site", "same-origin");
        async move { request.form([("user_code", &*code)]).send().await }
    };
    // Counted and then not looked at, it counts: twice here.
    for (passes, call) in [(0, Call::Get), (0, Call::Commit), (1, Call::Get), (2, Call::Get)] {
        running.store.fail_after(passes, call, Fault::Unavailable);
        unavailable(&enter(code.clone()).await);
    }
    enter(code).await.expect_status(303);
}
