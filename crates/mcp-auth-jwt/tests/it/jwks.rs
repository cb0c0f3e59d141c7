//! Key sets from URLs: rotation, floods, bad keys, dead issuers.

use std::time::Duration;

use mcp_auth_jwt::JwtAuthenticator;
use mcp_auth_testkit::{Algorithm as Signed, Behaviour, Endpoint, FakeClock, TokenAuthority};
use mcp_core::audit::EventKind;
use mcp_core::{AuthErrorKind, Authenticator, Clock, Sleep, Timestamp};
use serde_json::json;

use crate::support::{Guarded, authority, good, loopback, secs};

async fn fetching() -> (TokenAuthority, FakeClock, Guarded) {
    let (authority, clock) = authority().await;
    let guarded = start(&authority, &clock).await;
    (authority, clock, guarded)
}

async fn start(authority: &TokenAuthority, clock: &FakeClock) -> Guarded {
    let auth = JwtAuthenticator::jwks_url(authority.issuer(), authority.jwks_url()).http_client(loopback());
    Guarded::start(auth, clock).await.unwrap()
}

/// Moves on to the next scheduled refresh and waits for it to end.
async fn refreshed(authority: &TokenAuthority, clock: &FakeClock, by: Duration) {
    let before = authority.requests(Endpoint::Jwks);
    clock.until_sleeping(1).await;
    clock.advance(by);
    authority.until_requests(Endpoint::Jwks, before + 1).await;
    clock.until_sleeping(1).await;
}

// covers: KR01
#[tokio::test]
async fn a_new_key_is_used_at_once_and_the_old_ones_go_on() {
    let (authority, _, guarded) = fetching().await;
    let old = good(&authority).mint();
    assert_eq!(guarded.status(&old).await, 200);
    authority.rotate();
    let new = good(&authority).mint();
    assert_eq!(guarded.status(&new).await, 200);
    assert_eq!(guarded.status(&old).await, 200);
    assert_eq!(authority.requests(Endpoint::Jwks), 2);

    let events = guarded.events.all();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].kind, EventKind::Key);
    assert_eq!(events[0].resource.as_deref(), Some(authority.issuer()));
    assert!(events[0].reason.as_ref().unwrap().contains("es256-2"), "{events:?}");
}

// covers: KR02
#[tokio::test]
async fn a_withdrawn_key_is_no_good_after_the_next_refresh_remembered_or_not() {
    let (authority, clock) = authority().await;
    authority.header(Endpoint::Jwks, "cache-control", "max-age=100");
    let guarded = start(&authority, &clock).await;
    let token = good(&authority).expires_in(secs(86_400)).mint();
    let identity = guarded.bearer(&token).await.unwrap();
    authority.rotate();
    authority.retire_old_keys();
    assert_eq!(guarded.status(&token).await, 200);
    guarded.auth.still_valid(&identity).await.unwrap();
    // 80 % of its lifetime, and well within the time a token is remembered for.
    refreshed(&authority, &clock, secs(80)).await;
    guarded.refuses("signed by a withdrawn key", &token).await;
    let error = guarded.auth.still_valid(&identity).await.unwrap_err();
    assert_eq!(error.kind(), &AuthErrorKind::InvalidToken);
}

#[tokio::test]
async fn an_emptied_set_withdraws_every_key() {
    let (authority, clock, guarded) = fetching().await;
    let token = good(&authority).expires_in(secs(86_400)).mint();
    assert_eq!(guarded.status(&token).await, 200);
    authority.behave(Endpoint::Jwks, Behaviour::Body(r#"{"keys":[]}"#.into()));
    refreshed(&authority, &clock, secs(480)).await;
    guarded.refuses("no keys at all", &token).await;
}

// covers: KR03
#[tokio::test]
async fn a_flood_of_unknown_kids_fetches_three_times_and_then_once_in_30_s() {
    let (authority, clock, guarded) = fetching().await;
    let known = good(&authority).expires_in(secs(86_400)).mint();
    let flood = async |from: u32, count: u32| {
        for n in from..from + count {
            let token = good(&authority).kid(&format!("random-{n}")).mint();
            let error = guarded.bearer(&token).await.unwrap_err();
            let unsure = error.status() == 503 && error.retry_after().is_some_and(|wait| wait <= secs(31));
            assert!(unsure || error.status() == 401, "{error:?}");
        }
    };
    flood(0, 1000).await;
    assert_eq!(authority.requests(Endpoint::Jwks), 1 + 3);
    assert_eq!(guarded.status(&known).await, 200);
    for second in 0..60 {
        flood(1000 + second * 10, 10).await;
        clock.advance(secs(1));
    }
    assert_eq!(authority.requests(Endpoint::Jwks), 1 + 3 + 1);
}

#[tokio::test]
async fn a_flood_at_one_moment_is_one_fetch() {
    let (authority, _, guarded) = fetching().await;
    let guarded = std::sync::Arc::new(guarded);
    let hold = authority.hold(Endpoint::Jwks);
    let floods: Vec<_> = (0..200)
        .map(|n| {
            let (guarded, token) = (guarded.clone(), good(&authority).kid(&format!("random-{n}")).mint());
            tokio::spawn(async move { guarded.status(&token).await })
        })
        .collect();
    authority.until_requests(Endpoint::Jwks, 2).await;
    hold.release();
    for flood in floods {
        assert_eq!(flood.await.unwrap(), 401);
    }
    assert_eq!(authority.requests(Endpoint::Jwks), 2);
}

// covers: KR01, KR03
#[tokio::test]
async fn a_flood_holds_up_a_key_that_signs_at_once_by_30_s_at_most() {
    let (authority, clock, guarded) = fetching().await;
    for n in 0..100 {
        guarded.status(&good(&authority).kid(&format!("random-{n}")).mint()).await;
    }
    authority.rotate();
    let new = good(&authority).mint();
    // The bucket is empty: we cannot tell, and the client keeps its token.
    let error = guarded.bearer(&new).await.unwrap_err();
    assert_eq!(error.status(), 503);
    assert!(error.retry_after().is_some_and(|wait| secs(30) < wait && wait <= secs(31)), "{error:?}");
    clock.advance(secs(30));
    // Whoever comes first causes the fetch; it serves everybody.
    assert_eq!(guarded.status(&good(&authority).kid("random-again").mint()).await, 401);
    assert_eq!(guarded.status(&new).await, 200);
}

// covers: KR01, KR03
#[tokio::test]
async fn a_flood_never_holds_up_a_key_that_was_published_30_s_before_it_signs() {
    // At every moment of a flood, which guesses the name of the key beforehand, and goes on or ends.
    for phase in [0, 10, 29] {
        for goes_on in [true, false] {
            let (authority, clock, guarded) = fetching().await;
            let flood = async |kid: &str| {
                let status = guarded.status(&good(&authority).kid(kid).mint()).await;
                assert!(status == 401 || status == 503, "{kid}: {status}");
            };
            for second in 0..=phase {
                if second > 0 {
                    clock.advance(secs(1));
                }
                for kid in ["es256-2", &format!("a-{second}"), &format!("b-{second}"), &format!("c-{second}")]
                {
                    flood(kid).await;
                }
            }
            authority.rotate();
            for second in 1..30 {
                clock.advance(secs(1));
                if goes_on {
                    flood(&format!("d-{second}")).await;
                }
            }
            clock.advance(secs(1));
            let status = guarded.status(&good(&authority).mint()).await;
            assert_eq!(status, 200, "rotated after {phase} s, goes on: {goes_on}");
        }
    }
}

#[tokio::test]
async fn a_kid_asked_for_too_early_is_found_as_soon_as_it_is_there() {
    let (authority, clock, guarded) = fetching().await;
    let published = authority.jwks().to_string();
    authority.rotate();
    let new = good(&authority).mint();
    authority.behave(Endpoint::Jwks, Behaviour::Body(published));
    guarded.refuses("not published yet", &new).await;
    guarded.refuses("not published yet", &new).await;
    assert_eq!(authority.requests(Endpoint::Jwks), 2, "missing once, it is not asked for again at once");
    authority.behave(Endpoint::Jwks, Behaviour::Normal);
    // Another unknown kid brings it in although the memory of its absence is fresh …
    assert_eq!(guarded.status(&good(&authority).kid("other").mint()).await, 401);
    assert_eq!(guarded.status(&new).await, 200);
    // … and without one, ten seconds are enough.
    authority.behave(Endpoint::Jwks, Behaviour::Body(authority.jwks().to_string()));
    authority.rotate();
    let newer = good(&authority).mint();
    guarded.refuses("not published yet", &newer).await;
    authority.behave(Endpoint::Jwks, Behaviour::Normal);
    clock.advance(secs(30));
    assert_eq!(guarded.status(&newer).await, 200);
}

// covers: KR04
#[tokio::test]
async fn a_dead_issuers_keys_serve_on_to_a_hard_end() {
    let (authority, clock) = authority().await;
    let auth = JwtAuthenticator::jwks_url(authority.issuer(), authority.jwks_url())
        .stale_keys_for(secs(3600))
        .http_client(loopback());
    let guarded = Guarded::start(auth, &clock).await.unwrap();
    let token = good(&authority).expires_in(secs(86_400)).mint();
    let identity = guarded.bearer(&token).await.unwrap();
    authority.behave(Endpoint::Jwks, Behaviour::Status(502));
    // 10 minutes of freshness and an hour of grace: good until 4200 s.
    clock.advance(secs(4199));
    assert_eq!(guarded.status(&token).await, 200);
    assert_eq!(guarded.status(&good(&authority).expires_in(secs(86_400)).mint()).await, 200);
    // An unknown key may be a new one; with the issuer down nobody can tell.
    let error = guarded.bearer(&good(&authority).kid("new").mint()).await.unwrap_err();
    assert_eq!(error.status(), 503);
    assert!(error.retry_after().is_some());
    clock.advance(secs(1));
    assert_eq!(guarded.status(&token).await, 503, "remembered tokens end with the keys");
    assert_eq!(guarded.auth.still_valid(&identity).await.unwrap_err().status(), 503);
    authority.behave(Endpoint::Jwks, Behaviour::Normal);
    clock.advance(secs(61));
    assert_eq!(guarded.status(&token).await, 200);
}

#[tokio::test]
async fn garbage_after_start_leaves_the_old_keys_in_place() {
    let (authority, clock, guarded) = fetching().await;
    let token = good(&authority).expires_in(secs(86_400)).mint();
    for answer in [
        Behaviour::garbage(),
        Behaviour::Endless(600 * 1024),
        Behaviour::HangUp,
        Behaviour::absent(),
        Behaviour::Redirect("https://evil.test".into()),
    ] {
        authority.behave(Endpoint::Jwks, answer.clone());
        refreshed(&authority, &clock, secs(480)).await;
        assert_eq!(guarded.status(&token).await, 200, "{answer:?}");
    }
}

#[tokio::test]
async fn trap_5_one_bad_key_does_not_spoil_the_set() {
    let (authority, clock) = authority().await;
    let good_key = authority.jwks()["keys"][0].clone();
    let mut double = good_key.clone();
    double["x5c"] = json!("not a list");
    for bad in [
        json!({"kty": "RSA", "kid": 7, "n": "AQAB", "e": "AQAB"}),
        json!({"kty": "EC", "crv": "P-256", "x5c": "not a list"}),
        json!({"kty": "AKP", "alg": "ML-DSA-65", "pub": "AAAA"}),
        json!({"kty": "OKP", "crv": "X25519", "x": "AAAA"}),
        json!({"kty": ["RSA"]}),
        json!(null),
        json!("key"),
        json!([]),
        double,
    ] {
        authority.publish(bad);
    }
    let guarded = start(&authority, &clock).await;
    for algorithm in [Signed::Rs256, Signed::Es256, Signed::EdDsa] {
        let token = good(&authority).algorithm(algorithm).mint();
        assert_eq!(guarded.status(&token).await, 200, "{algorithm:?}");
    }
}

#[tokio::test]
async fn trap_6_secrets_and_encryption_keys_in_a_public_set_verify_nothing() {
    let (authority, clock) = authority().await;
    use base64::Engine;
    let secret = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(authority.secret());
    authority.publish(json!({"kty": "oct", "kid": "hs256-1", "alg": "HS256", "k": secret}));
    let _ = authority.public_key_pem(Signed::Es384);
    let mut encryption = authority.jwks()["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["crv"] == "P-384")
        .unwrap()
        .clone();
    encryption["use"] = json!("enc");
    let only = json!({"keys": [authority.jwks()["keys"][0], encryption, authority.jwks()["keys"][1]]});
    authority.behave(Endpoint::Jwks, Behaviour::Body(only.to_string()));
    let guarded = start(&authority, &clock).await;
    guarded.refuses("HS256", &good(&authority).algorithm(Signed::Hs256).mint()).await;
    guarded.refuses("use: enc", &good(&authority).algorithm(Signed::Es384).mint()).await;
}

// covers: TK23
#[tokio::test]
async fn keys_that_a_token_points_to_are_not_fetched() {
    let (authority, clock, guarded) = fetching().await;
    let thief = TokenAuthority::builder().clock(clock).start().await.unwrap();
    let key = thief.jwks()["keys"][0].clone();
    for kid in [key["kid"].as_str().unwrap(), "another"] {
        let token = good(&thief)
            .issuer(authority.issuer())
            .kid(kid)
            .header("jku", thief.jwks_url())
            .header("x5u", thief.jwks_url())
            .header("jwk", key.clone());
        guarded.refuses(kid, &token.mint()).await;
    }
    assert_eq!(thief.requests(Endpoint::Jwks), 0);
}

#[tokio::test]
async fn only_so_many_keys_are_looked_at() {
    let (authority, clock) = authority().await;
    for n in 0..100 {
        authority.publish(json!({"kty": "OKP", "crv": "Ed25519", "kid": n.to_string(), "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}));
    }
    let guarded = start(&authority, &clock).await;
    guarded.refuses("the 101st key", &good(&authority).mint()).await;
}

#[tokio::test]
async fn keys_without_names_are_tried_and_tokens_without_names_too() {
    let (authority, clock) = authority().await;
    let token = || good(&authority).header("kid", json!(null));
    let guarded = start(&authority, &clock).await;
    assert_eq!(guarded.status(&token().mint()).await, 200);
    guarded.refuses("a stranger without a name", &token().by_stranger().mint()).await;

    let mut set = authority.jwks();
    for key in set["keys"].as_array_mut().unwrap() {
        key.as_object_mut().unwrap().remove("kid");
        key.as_object_mut().unwrap().remove("alg");
    }
    authority.behave(Endpoint::Jwks, Behaviour::Body(set.to_string()));
    let guarded = start(&authority, &clock).await;
    assert_eq!(guarded.status(&token().mint()).await, 200);
    assert_eq!(guarded.status(&good(&authority).mint()).await, 200);
    guarded.refuses("a stranger", &good(&authority).by_stranger().mint()).await;
}

#[tokio::test]
async fn cache_headers_say_when_the_next_refresh_is() {
    for (header, due) in [
        ("max-age=1000", 800),
        ("max-age=5", 48),
        ("max-age=99999999", 2880),
        ("no-store", 48),
        ("public", 480),
    ] {
        let (authority, clock) = authority().await;
        authority.header(Endpoint::Jwks, "cache-control", header);
        let _guarded = start(&authority, &clock).await;
        clock.until_sleeping(1).await;
        clock.advance(secs(due) - Duration::from_millis(1));
        // Nothing yet: whoever would have been woken has had every chance to run.
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        assert_eq!(authority.requests(Endpoint::Jwks), 1, "{header}");
        clock.advance(Duration::from_millis(1));
        authority.until_requests(Endpoint::Jwks, 2).await;
    }
}

#[tokio::test]
async fn a_set_fetched_in_between_is_refreshed_by_its_own_lifetime() {
    let (authority, clock) = authority().await;
    authority.header(Endpoint::Jwks, "cache-control", "max-age=3600");
    let guarded = start(&authority, &clock).await;
    clock.until_sleeping(1).await;
    // A request fetches a set that is good for a minute, while the task sleeps for 48 of them.
    authority.header(Endpoint::Jwks, "cache-control", "max-age=60");
    let old = good(&authority).expires_in(secs(86_400)).mint();
    authority.rotate();
    assert_eq!(guarded.status(&good(&authority).mint()).await, 200);
    assert_eq!(guarded.status(&old).await, 200);
    authority.retire_old_keys();
    for _ in 0..2 {
        clock.until_sleeping(1).await;
        clock.advance(secs(30));
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }
    let refreshed = authority.until_requests(Endpoint::Jwks, 3);
    tokio::time::timeout(secs(10), refreshed).await.expect("no refresh within the lifetime of the set");
    clock.until_sleeping(1).await;
    guarded.refuses("signed by a withdrawn key", &old).await;
}

/// Moves on by two seconds whenever it is asked, from a moment on.
#[derive(Clone, Debug)]
struct Hasty {
    clock: FakeClock,
    hurries: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

impl Clock for Hasty {
    fn now(&self) -> Timestamp {
        if self.hurries.load(std::sync::atomic::Ordering::Relaxed) {
            self.clock.advance(secs(2));
        }
        self.clock.now()
    }

    fn sleep(&self, span: Duration) -> Sleep {
        self.clock.sleep(span)
    }
}

#[tokio::test]
async fn a_fetch_that_failed_tells_nobody_that_a_key_is_unknown() {
    let (authority, clock) = authority().await;
    let hasty = Hasty { clock: clock.clone(), hurries: std::sync::Arc::default() };
    let auth = JwtAuthenticator::jwks_url(authority.issuer(), authority.jwks_url()).http_client(loopback());
    let stand = std::sync::Arc::new(crate::stand::Stand::start_on(auth, hasty.clone()).await.unwrap());
    authority.behave(Endpoint::Jwks, Behaviour::Status(500));
    let hold = authority.hold(Endpoint::Jwks);
    let ask = |kid: &str| {
        let token = good(&authority).kid(kid).expires_in(secs(86_400)).mint();
        let stand = stand.clone();
        tokio::spawn(async move { stand.status(&token).await })
    };
    let first = ask("a");
    authority.until_requests(Endpoint::Jwks, 2).await;
    let second = ask("b");
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    // The pause after the failure is over before the second, which waited, is looked at.
    hasty.hurries.store(true, std::sync::atomic::Ordering::Relaxed);
    hold.release();
    assert_eq!((first.await.unwrap(), second.await.unwrap()), (503, 503));
}

#[tokio::test]
async fn readers_do_not_wait_for_a_refresh() {
    let (authority, clock, guarded) = fetching().await;
    let token = good(&authority).expires_in(secs(86_400)).mint();
    let hold = authority.hold(Endpoint::Jwks);
    clock.until_sleeping(1).await;
    clock.advance(secs(480));
    authority.until_requests(Endpoint::Jwks, 2).await;
    assert_eq!(guarded.status(&token).await, 200);
    hold.release();
}

#[tokio::test]
async fn a_peer_that_leaves_does_not_break_off_the_fetch_of_others() {
    let (authority, _, guarded) = fetching().await;
    let guarded = std::sync::Arc::new(guarded);
    authority.rotate();
    let token = good(&authority).mint();
    let hold = authority.hold(Endpoint::Jwks);
    let impatient = tokio::spawn({
        let (guarded, token) = (guarded.clone(), token.clone());
        async move { guarded.status(&token).await }
    });
    authority.until_requests(Endpoint::Jwks, 2).await;
    impatient.abort();
    let _ = impatient.await;
    let patient = tokio::spawn(async move { guarded.status(&token).await });
    tokio::task::yield_now().await;
    hold.release();
    assert_eq!(patient.await.unwrap(), 200);
    assert_eq!(authority.requests(Endpoint::Jwks), 2);
}

#[tokio::test]
async fn the_task_ends_with_the_authenticator() {
    let (authority, clock, guarded) = fetching().await;
    clock.until_sleeping(1).await;
    drop(guarded);
    while clock.sleepers() > 0 {
        tokio::task::yield_now().await;
    }
    clock.advance(secs(86_400));
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    assert_eq!(authority.requests(Endpoint::Jwks), 1);
}

#[tokio::test]
async fn too_long_a_grace_is_a_start_error() {
    let (authority, clock) = authority().await;
    let auth =
        JwtAuthenticator::jwks_url(authority.issuer(), authority.jwks_url()).stale_keys_for(secs(8 * 86_400));
    let said = Guarded::start(auth, &clock).await.err().unwrap().to_string();
    assert!(said.contains("7 days"), "{said}");
}
