//! What a code is good for, and for whom.

use std::time::Duration;

use http::Method;
use mcp_auth_provider::Lifetimes;

use super::{call, code_for, introspect, redeem, refresh, text, through, world};
use crate::browser::world::{Authz, CALLBACK, CHALLENGE, VERIFIER, code};
use crate::clients::stand::expect_error;

/// Another verifier of the right shape.
const OTHER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl";

// covers: AUTH-59
#[tokio::test]
async fn it_is_bound_and_good_for_one_redemption() {
    let world = world().await;
    let web = world.register("Web", &[CALLBACK]).await;
    let other = world.register("Other", &[CALLBACK]).await;
    let code = code_for(&world, &web).await;
    let strangers = [("client_id", &*other), ("code_verifier", OTHER), ("redirect_uri", "https://c.test/x")];
    for wrong in strangers {
        expect_error(&redeem(&world, &web, &code, &[wrong]).await, 400, "invalid_grant");
    }
    // None of them has used it up.
    let given = redeem(&world, &web, &code, &[]).await.expect_status(200).json();
    let (access, renewal) = (text(&given, "access_token"), text(&given, "refresh_token"));

    // The same again at once is denied; a client that pressed twice loses nothing by it.
    expect_error(&redeem(&world, &web, &code, &[]).await, 400, "invalid_grant");
    call(&world, "/mcp", access).await.expect_status(200);

    // Later it says that the code was stolen; but only of one who could have redeemed it.
    world.clock.advance(Duration::from_secs(30));
    for wrong in strangers {
        expect_error(&redeem(&world, &web, &code, &[wrong]).await, 400, "invalid_grant");
        call(&world, "/mcp", access).await.expect_status(200);
    }
    expect_error(&redeem(&world, &web, &code, &[]).await, 400, "invalid_grant");
    call(&world, "/mcp", access).await.expect_status(401);
    assert_eq!(introspect(&world, access).await["active"], false);
    expect_error(&refresh(&world, &web, renewal, &[]).await, 400, "invalid_grant");
}

// covers: AUTH-59
#[tokio::test]
async fn its_life_is_short_whatever_the_operator_wants() {
    let world = world().await;
    let web = world.register("Web", &[CALLBACK]).await;
    let (early, late) = (code_for(&world, &web).await, code_for(&world, &web).await);
    world.clock.advance(Duration::from_millis(59_999));
    redeem(&world, &web, &early, &[]).await.expect_status(200);
    world.clock.advance(Duration::from_millis(1));
    expect_error(&redeem(&world, &web, &late, &[]).await, 400, "invalid_grant");
    let seconds = |span| Lifetimes::new().code(Duration::from_secs(span)).check();
    assert!(seconds(600).is_ok() && seconds(601).is_err());
}

// covers: AUTH-60, PK10, PK14
#[tokio::test]
async fn only_its_own_verifier_redeems_it() {
    let world = world().await;
    let web = world.register("Web", &[CALLBACK]).await;
    let code = code_for(&world, &web).await;
    for verifier in ["", CHALLENGE, OTHER, &VERIFIER[..42], &format!("{VERIFIER} "), &format!("{VERIFIER}=")]
    {
        let answer = redeem(&world, &web, &code, &[("code_verifier", verifier)]).await;
        expect_error(&answer, 400, "invalid_grant");
    }
    // Of two, nobody can say which counts.
    for (one, two) in
        [(VERIFIER, OTHER), (OTHER, VERIFIER), (VERIFIER, VERIFIER), (VERIFIER, ""), ("", VERIFIER)]
    {
        let both = [("code_verifier", one), ("code_verifier", two)];
        expect_error(&redeem(&world, &web, &code, &both).await, 400, "invalid_request");
    }
    redeem(&world, &web, &code, &[]).await.expect_status(200);
}

// covers: AUTH-60, AC08
#[tokio::test]
async fn a_redirect_uri_may_be_left_out_and_must_be_the_same() {
    let world = world().await;
    let web = world.register("Web", &[CALLBACK, "https://c.test/two"]).await;
    let native = world.register("Native", &["http://127.0.0.1/cb"]).await;
    let code_of = code_for(&world, &web).await;
    for uri in ["https://c.test/two", "https://c.test/cb/", "https://C.test/cb", "https://c.test/cb?", "x"] {
        expect_error(&redeem(&world, &web, &code_of, &[("redirect_uri", uri)]).await, 400, "invalid_grant");
    }
    // Twice is once too often, though it be the same.
    let twice = [("redirect_uri", CALLBACK), ("redirect_uri", CALLBACK)];
    expect_error(&redeem(&world, &web, &code_of, &twice).await, 400, "invalid_request");
    // Without it (OAuth 2.1), all depends on the verifier.
    let without = [("redirect_uri", ""), ("code_verifier", OTHER)];
    expect_error(&redeem(&world, &web, &code_of, &without).await, 400, "invalid_grant");
    redeem(&world, &web, &code_of, &[("redirect_uri", "")]).await.expect_status(200);

    // The port that the program listened at is part of it.
    let used = "http://127.0.0.1:49152/cb";
    let code = code(&through(&world, &Authz::of(&native).with("redirect_uri", used)).await);
    for uri in ["http://127.0.0.1/cb", "http://127.0.0.1:49153/cb", "http://localhost:49152/cb"] {
        expect_error(&redeem(&world, &native, &code, &[("redirect_uri", uri)]).await, 400, "invalid_grant");
    }
    redeem(&world, &native, &code, &[("redirect_uri", used)]).await.expect_status(200);
}

// covers: AC16
#[tokio::test]
async fn in_an_address_it_is_nothing() {
    let world = world().await;
    let web = world.register("Web", &[CALLBACK]).await;
    let code = code_for(&world, &web).await;
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("grant_type", "authorization_code"),
            ("client_id", &web),
            ("code", &code),
            ("code_verifier", VERIFIER),
        ])
        .finish();
    let path = format!("/token?{query}");
    world.client.get(&path).send().await.expect_status(405).expect_header("allow", "POST");
    world.client.request(Method::HEAD, &path).send().await.expect_status(405);
    expect_error(&world.client.post(&path).form(std::iter::empty()).send().await, 400, "invalid_request");
    // One half here and the other there is no request either.
    let form = [("grant_type", "authorization_code"), ("client_id", &*web), ("code_verifier", VERIFIER)];
    expect_error(&world.client.post(&path).form(form).send().await, 400, "invalid_request");
    redeem(&world, &web, &code, &[]).await.expect_status(200);
}
