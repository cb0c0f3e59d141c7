//! Changing and deleting a registration (RFC 7592).

use http::Method;
use mcp_auth_provider::Registration;
use mcp_auth_testkit::{Answer, RequestBuilder};
use mcp_store::testkit::{Call, Fault};
use serde_json::{Value, json};

use super::stand::{Stand, expect_error, expect_in, expect_out, public, with};

async fn stand() -> Stand {
    Stand::start(|provider| provider.registration(Registration::open().manageable())).await
}

fn text<'a>(client: &'a Value, name: &str) -> &'a str {
    client[name].as_str().unwrap()
}

/// A request to the place that the client was told of.
fn at(stand: &Stand, method: Method, client: &Value) -> RequestBuilder {
    let path = text(client, "registration_client_uri").strip_prefix("https://mcp.test").unwrap();
    stand.client.request(method, path)
}

async fn put(stand: &Stand, client: &Value, metadata: &Value) -> Answer {
    at(stand, Method::PUT, client)
        .bearer(text(client, "registration_access_token"))
        .json(metadata)
        .send()
        .await
}

#[tokio::test]
async fn a_registration_is_read_by_its_token() {
    let stand = stand().await;
    let client = stand.registered(&with(public(), "scope", "mcp:read")).await;
    let token = text(&client, "registration_access_token");
    let read = at(&stand, Method::GET, &client).bearer(token).send().await.expect_status(200);
    assert_eq!(read.header("cache-control"), Some("no-store"));
    assert_eq!(read.json(), client);
    assert!(!stand.events.text().contains(token));
}

// covers: DR15
#[tokio::test]
async fn only_its_own_token_opens_a_registration() {
    let stand = stand().await;
    let (one, two) = (stand.registered(&public()).await, stand.registered(&public()).await);
    let token = text(&one, "registration_access_token").to_owned();
    let mut cut = token.clone();
    cut.pop();
    cut.push(if token.ends_with('A') { 'B' } else { 'A' });
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        for bad in ["", "x", &cut, text(&one, "client_id")] {
            let answer = at(&stand, method.clone(), &one).bearer(bad).json(&public()).send().await;
            expect_error(&answer, 401, "invalid_token");
        }
        expect_error(&at(&stand, method.clone(), &one).send().await, 401, "invalid_token");
        let in_query = format!("/register/client?client_id={}&access_token={token}", text(&one, "client_id"));
        expect_error(&stand.client.request(method.clone(), &in_query).send().await, 401, "invalid_token");
        let twice = format!("/register/client?client_id={0}&client_id={0}", text(&one, "client_id"));
        let twice = stand.client.request(method.clone(), &twice).bearer(&token).send().await;
        expect_error(&twice, 400, "invalid_request");
    }
    // Shown for nobody, it is good for nothing, and is not lost.
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        for path in ["/register/client", "/register/client?client_id=", "/register/client?client=x"] {
            let request = stand.client.request(method.clone(), path).bearer(&token);
            expect_error(&request.json(&public()).send().await, 401, "invalid_token");
        }
    }
    at(&stand, Method::GET, &one).bearer(&token).send().await.expect_status(200);
    // Shown for another client, it is good for nothing any more.
    expect_error(&at(&stand, Method::GET, &two).bearer(&token).send().await, 401, "invalid_token");
    expect_error(&at(&stand, Method::GET, &one).bearer(&token).send().await, 401, "invalid_token");
    let other = text(&two, "registration_access_token");
    at(&stand, Method::GET, &two).bearer(other).send().await.expect_status(200);
    expect_in(&stand.try_in(&[("client_id", text(&one, "client_id"))]).await);
}

// covers: DR16
#[tokio::test]
async fn a_change_says_nothing_that_only_the_server_may() {
    let stand = stand().await;
    let client = stand.registered(&with(public(), "token_endpoint_auth_method", "client_secret_post")).await;
    let good = with(public(), "client_id", text(&client, "client_id"));
    let secret = text(&client, "client_secret");
    for bad in [
        public(),
        with(public(), "client_id", "another"),
        with(good.clone(), "client_secret", "another"),
        with(good.clone(), "client_secret", json!({})),
        with(good.clone(), "registration_access_token", "x"),
        with(good.clone(), "registration_client_uri", "https://evil.test"),
        with(good.clone(), "client_id_issued_at", 1),
        with(good.clone(), "client_secret_expires_at", 0),
        with(good.clone(), "grant_types", json!(["client_credentials"])),
    ] {
        expect_error(&put(&stand, &client, &bad).await, 400, "invalid_client_metadata");
    }
    let evil = with(good.clone(), "redirect_uris", json!(["javascript:alert(1)"]));
    expect_error(&put(&stand, &client, &evil).await, 400, "invalid_redirect_uri");
    // Nothing of that has changed anything.
    let form = [("client_id", text(&client, "client_id")), ("client_secret", secret)];
    expect_in(&stand.try_in(&form).await);
}

#[tokio::test]
async fn a_change_puts_everything_anew_and_keeps_the_secret() {
    let stand = stand().await;
    let asked = with(public(), "token_endpoint_auth_method", "client_secret_post");
    let client = stand.registered(&with(asked.clone(), "logo_uri", "https://c.test/a.png")).await;
    let (id, secret) = (text(&client, "client_id").to_owned(), text(&client, "client_secret").to_owned());
    let new = with(with(asked, "client_id", &*id), "redirect_uris", json!(["https://c.test/new"]));
    let changed = put(&stand, &client, &with(new.clone(), "client_secret", &*secret)).await;
    let changed = changed.expect_status(200).json();
    assert_eq!(changed["redirect_uris"], json!(["https://c.test/new"]));
    assert_eq!(changed.get("logo_uri"), None, "what is left out is gone");
    assert_eq!(
        (changed.get("client_secret"), &changed["client_id_issued_at"]),
        (None, &client["client_id_issued_at"])
    );
    expect_in(&stand.try_in(&[("client_id", &id), ("client_secret", &secret)]).await);

    // Without a secret, and with another one.
    put(&stand, &client, &with(new.clone(), "token_endpoint_auth_method", "none")).await.expect_status(200);
    expect_in(&stand.try_in(&[("client_id", &id)]).await);
    expect_out(&stand.try_in(&[("client_id", &id), ("client_secret", &secret)]).await);
    let again = put(&stand, &client, &new).await.expect_status(200).json();
    let fresh = text(&again, "client_secret");
    assert_ne!(fresh, secret);
    expect_in(&stand.try_in(&[("client_id", &id), ("client_secret", fresh)]).await);
    expect_out(&stand.try_in(&[("client_id", &id)]).await);
}

// covers: DR17
#[tokio::test]
async fn a_deleted_client_is_nobody() {
    let stand = stand().await;
    let client = stand.registered(&public()).await;
    let token = text(&client, "registration_access_token");
    let answer = at(&stand, Method::DELETE, &client).bearer(token).send().await.expect_status(204);
    assert!(answer.body().is_empty());
    expect_out(&stand.try_in(&[("client_id", text(&client, "client_id"))]).await);
    for method in [Method::GET, Method::DELETE] {
        expect_error(&at(&stand, method, &client).bearer(token).send().await, 401, "invalid_token");
    }
    expect_error(&put(&stand, &client, &public()).await, 401, "invalid_token");
}

#[tokio::test]
async fn a_deletion_that_broke_off_is_done_again() {
    let stand = stand().await;
    let client = stand.registered(&public()).await;
    let token = text(&client, "registration_access_token");
    let delete = || at(&stand, Method::DELETE, &client).bearer(token).send();
    // The client is marked, and then its grants cannot be listed.
    stand.ground.store.fail_next(Call::Scan, Fault::Unavailable);
    expect_error(&delete().await, 503, "temporarily_unavailable");
    expect_out(&stand.try_in(&[("client_id", text(&client, "client_id"))]).await);
    expect_error(&at(&stand, Method::GET, &client).bearer(token).send().await, 401, "invalid_token");
    let again = with(public(), "client_id", text(&client, "client_id"));
    expect_error(&put(&stand, &client, &again).await, 401, "invalid_token");
    delete().await.expect_status(204);
}

#[tokio::test]
async fn a_policy_is_told_where_a_change_comes_from() {
    let inside = Some("192.0.2.1".parse().unwrap());
    let registration = Registration::open().manageable().policy(move |request| request.address == inside);
    let stand = Stand::start(|provider| provider.registration(registration)).await;
    let client = stand.registered(&public()).await;
    let metadata = with(public(), "client_id", text(&client, "client_id"));
    let from = |address: &str| {
        let request = at(&stand, Method::PUT, &client).header("x-forwarded-for", address);
        request.bearer(text(&client, "registration_access_token")).json(&metadata).send()
    };
    from("192.0.2.1").await.expect_status(200);
    expect_error(&from("192.0.2.2").await, 400, "invalid_client_metadata");
}
