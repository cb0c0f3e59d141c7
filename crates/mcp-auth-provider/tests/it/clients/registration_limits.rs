//! How many clients there may be, and for how long.

use std::time::Duration;

use mcp_auth_provider::{Lifetimes, Registration};
use mcp_core::limits::Rate;
use serde_json::{Value, json};

use super::stand::{Ground, Stand, expect_error, expect_in, expect_out, public, with};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn named(n: usize) -> Value {
    with(public(), "client_name", format!("Client {n}"))
}

fn id(client: &Value) -> String {
    client["client_id"].as_str().unwrap().to_owned()
}

// covers: DR11, LG03
#[tokio::test]
async fn one_address_registers_twenty_in_a_minute() {
    let stand = Stand::start(|provider| provider.registration(Registration::open())).await;
    for n in 0..20 {
        stand.register(&named(n)).await.expect_status(201);
    }
    let refused = stand.register(&named(20)).await;
    expect_error(&refused, 429, "temporarily_unavailable");
    assert_eq!(refused.header("retry-after"), Some("3"));
    // What was registered before is no new client, whoever asks.
    assert_eq!(id(&stand.registered(&named(3)).await), id(&stand.registered(&named(3)).await));
    // Whatever the client writes in front of the proxy's word.
    let spoofed = stand.register_from("203.0.113.9, 192.0.2.1", &named(21)).await;
    assert_eq!(spoofed.status(), 429);
    stand.register_from("192.0.2.2", &named(21)).await.expect_status(201);
    // A whole /64 is one address.
    for n in 0..20 {
        stand.register_from(&format!("2001:db8::{n}"), &named(100 + n)).await.expect_status(201);
    }
    assert_eq!(stand.register_from("2001:db8::ffff", &named(200)).await.status(), 429);
    stand.clock().advance(Duration::from_secs(3));
    stand.register(&named(20)).await.expect_status(201);
}

#[tokio::test]
async fn a_day_has_so_many_on_all_nodes_together() {
    let ground = Ground::new();
    let make = || Registration::open().per_day(3).per_address(Rate::per_second(100));
    let one = ground.stand(|provider| provider.registration(make())).await;
    let two = ground.stand(|provider| provider.registration(make())).await;
    for n in 0..3 {
        let stand = if n % 2 == 0 { &one } else { &two };
        stand.register(&named(n)).await.expect_status(201);
    }
    for stand in [&one, &two] {
        let refused = stand.register(&named(3)).await;
        expect_error(&refused, 429, "temporarily_unavailable");
        // Until midnight: the clock starts at 08:00 UTC.
        assert_eq!(refused.header("retry-after"), Some("57600"));
        stand.register(&named(1)).await.expect_status(201);
    }
    ground.clock.advance(Duration::from_secs(57_600));
    one.register(&named(3)).await.expect_status(201);
}

// covers: DR11
#[tokio::test]
async fn one_address_cannot_use_up_the_day() {
    let open = Registration::open().per_day(1000).per_address(Rate::per_second(1000));
    let token = "Zk8Q0s5tq8V4vXo1cN2fYb3pLr7uWm9d";
    let closed = Registration::with_initial_access_token(token).unwrap();
    let closed = closed.per_day(1000).per_address(Rate::per_second(1000));
    let stand = Stand::start(|provider| provider.registration(open.clone())).await;
    for n in 0..50 {
        stand.register(&named(n)).await.expect_status(201);
    }
    let refused = stand.register(&named(50)).await;
    expect_error(&refused, 429, "temporarily_unavailable");
    // A fiftieth of a day.
    assert_eq!(refused.header("retry-after"), Some("1728"));
    stand.register(&named(7)).await.expect_status(201);
    stand.register_from("192.0.2.2", &named(50)).await.expect_status(201);
    stand.clock().advance(Duration::from_secs(1728));
    stand.register(&named(51)).await.expect_status(201);
    assert_eq!(stand.register(&named(52)).await.status(), 429);

    // Nor does who has many addresses because they cost nothing.
    let mut taken = 0;
    for n in 0..300 {
        let from = format!("2001:db8:1:{n:x}::1");
        taken += usize::from(stand.register_from(&from, &named(1000 + n)).await.status() == 201);
    }
    assert_eq!(taken, 250);
    stand.register_from("2001:db8:2::1", &named(2000)).await.expect_status(201);

    // What the operator says counts, and who holds a token is trusted with it.
    let stand = Stand::start(|provider| provider.registration(open.per_address_and_day(2))).await;
    for (n, status) in [201, 201, 429].into_iter().enumerate() {
        stand.register(&named(n)).await.expect_status(status);
    }
    let stand = Stand::start(|provider| provider.registration(closed)).await;
    for n in 0..60 {
        let request = stand.client.post("/register").header("x-forwarded-for", "192.0.2.1");
        request.bearer(token).json(&named(n)).send().await.expect_status(201);
    }
}

#[tokio::test]
async fn many_at_once_are_counted_exactly() {
    let registration = Registration::open().per_day(5).per_address(Rate::per_second(100));
    let stand = Stand::start(|provider| provider.registration(registration)).await;
    let stand = std::sync::Arc::new(stand);
    let tasks: Vec<_> = (0..12)
        .map(|n| {
            let stand = stand.clone();
            tokio::spawn(async move { stand.register(&named(n)).await.status() })
        })
        .collect();
    let mut taken = 0;
    for task in tasks {
        let status = task.await.unwrap();
        assert!(status == 201 || status == 429, "{status}");
        taken += usize::from(status == 201);
    }
    assert_eq!(taken, 5);
}

#[tokio::test]
async fn who_registers_the_same_at_once_is_one_client() {
    let ground = Ground::new();
    let one = std::sync::Arc::new(ground.stand(|provider| provider.registration(Registration::open())).await);
    let two = std::sync::Arc::new(ground.stand(|provider| provider.registration(Registration::open())).await);
    let tasks: Vec<_> = (0..10)
        .map(|n| {
            let stand = if n % 2 == 0 { one.clone() } else { two.clone() };
            // Scopes are what it asks for first, and make nobody another client.
            let scope = if n % 3 == 0 { "mcp:read" } else { "mcp:write" };
            tokio::spawn(async move { (scope, stand.registered(&with(public(), "scope", scope)).await) })
        })
        .collect();
    let mut ids = std::collections::HashSet::new();
    for task in tasks {
        let (scope, client) = task.await.unwrap();
        assert_eq!(client["scope"], scope, "each is told of what it said itself");
        ids.insert(id(&client));
    }
    assert_eq!(ids.len(), 1);
    // Everything else does.
    for other in [
        with(public(), "client_name", "Other"),
        with(public(), "redirect_uris", json!(["https://c.test/cb", "https://c.test/cc"])),
        with(public(), "grant_types", json!(["authorization_code"])),
        with(public(), "logo_uri", "https://c.test/logo.png"),
        with(public(), "application_type", "web"),
        with(public(), "dpop_bound_access_tokens", true),
    ] {
        assert!(ids.insert(id(&one.registered(&other).await)), "{other}");
    }
}

#[tokio::test]
async fn who_gets_a_token_or_a_secret_is_a_client_of_its_own() {
    let stand = Stand::start(|provider| provider.registration(Registration::open().manageable())).await;
    assert_ne!(id(&stand.registered(&public()).await), id(&stand.registered(&public()).await));
    let stand = Stand::start(|provider| provider.registration(Registration::open())).await;
    let confidential = with(public(), "token_endpoint_auth_method", "client_secret_post");
    assert_ne!(id(&stand.registered(&confidential).await), id(&stand.registered(&confidential).await));
}

#[tokio::test]
async fn a_client_that_nobody_uses_is_forgotten_and_one_in_use_is_not() {
    let stand = Stand::start(|provider| provider.registration(Registration::open())).await;
    let (used, unused) = (id(&stand.registered(&named(1)).await), id(&stand.registered(&named(2)).await));
    for _ in 0..40 {
        stand.clock().advance(DAY);
        expect_in(&stand.try_in(&[("client_id", &used)]).await);
    }
    expect_out(&stand.try_in(&[("client_id", &unused)]).await);
    // It comes back as the same, so that what users remember of it still holds.
    assert_eq!(id(&stand.registered(&named(2)).await), unused);
    expect_in(&stand.try_in(&[("client_id", &unused)]).await);
}

#[tokio::test]
async fn using_a_client_writes_once_a_day() {
    use mcp_store::testkit::{Call, Fault};
    let stand = Stand::start(|provider| provider.registration(Registration::open())).await;
    let client = id(&stand.registered(&public()).await);
    let store = &stand.ground.store;
    let before = store.calls(Call::Commit);
    for _ in 0..10 {
        stand.clock().advance(Duration::from_secs(3600));
        expect_in(&stand.try_in(&[("client_id", &client)]).await);
    }
    assert_eq!(store.calls(Call::Commit), before);
    stand.clock().advance(DAY);
    expect_in(&stand.try_in(&[("client_id", &client)]).await);
    expect_in(&stand.try_in(&[("client_id", &client)]).await);
    assert_eq!(store.calls(Call::Commit), before + 1);
    // That it cannot be written is nothing that the client could do anything about.
    stand.clock().advance(2 * DAY);
    store.fail_next(Call::Commit, Fault::Unavailable);
    expect_in(&stand.try_in(&[("client_id", &client)]).await);
}

#[tokio::test]
async fn a_client_outlives_its_refresh_tokens() {
    let lifetimes = Lifetimes::new().unused_refresh_token(90 * DAY);
    let stand =
        Stand::start(|provider| provider.lifetimes(lifetimes).registration(Registration::open())).await;
    let client = id(&stand.registered(&public()).await);
    stand.clock().advance(90 * DAY);
    expect_in(&stand.try_in(&[("client_id", &client)]).await);
}

#[tokio::test]
async fn who_registered_before_stays_when_nobody_may_register_any_more() {
    let ground = Ground::new();
    let stand = ground.stand(|provider| provider.registration(Registration::open())).await;
    let client = id(&stand.registered(&public()).await);
    let stand = ground.stand(|provider| provider).await;
    for _ in 0..40 {
        ground.clock.advance(DAY);
        expect_in(&stand.try_in(&[("client_id", &client)]).await);
    }
}

// covers: TK14
#[tokio::test]
async fn a_secret_ends_when_it_was_said_to() {
    let registration = Registration::open().secrets_expire_after(2 * DAY);
    let stand = Stand::start(|provider| provider.registration(registration)).await;
    let client = stand.registered(&with(public(), "token_endpoint_auth_method", "client_secret_post")).await;
    assert_eq!(client["client_secret_expires_at"], 1_800_000_000 + 2 * 86_400);
    let form = [("client_id", &*id(&client)), ("client_secret", client["client_secret"].as_str().unwrap())];
    stand.clock().advance(2 * DAY - Duration::from_secs(1));
    expect_in(&stand.try_in(&form).await);
    stand.clock().advance(Duration::from_secs(1));
    expect_out(&stand.try_in(&form).await);
    assert_eq!(stand.events.reasons("client_authentication"), ["the secret has expired"]);
}

#[tokio::test]
async fn lifetimes_that_make_no_sense_are_refused_at_start() {
    for registration in [
        Registration::open().forget_unused_after(Duration::ZERO),
        Registration::open().secrets_expire_after(Duration::from_secs(10)),
    ] {
        let error =
            Ground::new().try_stand(|provider| provider.registration(registration)).await.err().unwrap();
        assert!(error.to_string().contains("hour"), "{error}");
    }
}

#[tokio::test]
async fn who_registers_the_same_again_finds_a_client_that_stays() {
    let stand = Stand::start(|provider| provider.registration(Registration::open())).await;
    let first = id(&stand.registered(&public()).await);
    stand.clock().advance(30 * DAY - Duration::from_secs(1));
    assert_eq!(id(&stand.registered(&public()).await), first);
    stand.clock().advance(28 * DAY);
    expect_in(&stand.try_in(&[("client_id", &first)]).await);
}
