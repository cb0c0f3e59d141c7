//! From an issuer's name to its keys, over real sockets.

use mcp_auth_jwt::{JwtAuthenticator, TrustedIssuer};
use mcp_auth_testkit::{Behaviour, Endpoint, FakeClock, TokenAuthority};
use mcp_core::Authenticator;

use crate::support::{Guarded, START, authority, good, loopback};

fn discovering(authority: &TokenAuthority) -> JwtAuthenticator {
    JwtAuthenticator::issuer(authority.issuer()).http_client(loopback())
}

async fn error(authority: &TokenAuthority, clock: &FakeClock) -> String {
    match Guarded::start(discovering(authority), clock).await {
        Ok(_) => panic!("it started"),
        Err(error) => error.to_string(),
    }
}

// covers: AUTH-47
#[tokio::test]
async fn an_issuer_is_found_by_either_kind_of_metadata() {
    for (gone, path) in [
        (&[][..], ""),
        (&[Endpoint::AuthorizationServer][..], ""),
        (&[][..], "/tenant/1"),
        (&[Endpoint::AuthorizationServer][..], "/tenant/1"),
    ] {
        let clock = FakeClock::at(START);
        let authority = TokenAuthority::builder().clock(clock.clone()).path(path).start().await.unwrap();
        for endpoint in gone {
            authority.behave(*endpoint, Behaviour::absent());
        }
        let guarded = Guarded::start(discovering(&authority), &clock).await.unwrap();
        assert_eq!(guarded.status(&good(&authority).mint()).await, 200, "{gone:?} {path}");
        assert_eq!(authority.requests(Endpoint::Jwks), 1);
        let metadata = guarded.auth.metadata(&guarded.mcp);
        assert_eq!(metadata.authorization_servers[0].as_str(), authority.issuer());
    }
}

#[tokio::test]
async fn a_page_in_the_way_of_the_metadata_is_passed_over() {
    let (authority, clock) = authority().await;
    for answer in
        [Behaviour::garbage(), Behaviour::Redirect("https://evil.test/".into()), Behaviour::Status(403)]
    {
        authority.behave(Endpoint::AuthorizationServer, answer.clone());
        let guarded = Guarded::start(discovering(&authority), &clock).await.unwrap();
        assert_eq!(guarded.status(&good(&authority).mint()).await, 200, "{answer:?}");
    }
}

// covers: AUTH-49
#[tokio::test]
async fn a_wrong_answer_is_a_start_error_that_names_it() {
    let (authority, clock) = authority().await;
    authority.metadata("issuer", format!("{}/", authority.issuer()));
    let said = error(&authority, &clock).await;
    assert!(said.contains("not the same text"), "{said}");
    authority.metadata("issuer", authority.issuer());

    authority.metadata("jwks_uri", serde_json::Value::Null);
    assert!(error(&authority, &clock).await.contains("no jwks_uri"));
    authority.metadata("jwks_uri", "https://169.254.169.254/latest/meta-data");
    assert!(error(&authority, &clock).await.contains("dangerous()"));
    authority.metadata("jwks_uri", "not a url");
    assert!(error(&authority, &clock).await.contains("not https"));
    authority.metadata("jwks_uri", authority.jwks_url());

    for (answer, sentence) in [
        (Behaviour::garbage(), "no JSON"),
        (Behaviour::Body("{}".into()), "no JWK set"),
        (Behaviour::Body(r#"{"keys":{}}"#.into()), "no JWK set"),
        (Behaviour::Body(r#"{"keys":[]}"#.into()), "none fits"),
        (Behaviour::Body(r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#.into()), "none fits"),
        (Behaviour::absent(), "404"),
        (Behaviour::Redirect("https://evil.test/jwks".into()), "302"),
        (Behaviour::Endless(600 * 1024), "larger than allowed"),
    ] {
        authority.behave(Endpoint::Jwks, answer);
        let said = error(&authority, &clock).await;
        assert!(said.contains(sentence), "{said}");
    }
    authority.behave(Endpoint::Jwks, Behaviour::Normal);

    for endpoint in [Endpoint::AuthorizationServer, Endpoint::OpenidConfiguration] {
        authority.behave(endpoint, Behaviour::absent());
    }
    assert!(error(&authority, &clock).await.contains("404"));
}

#[tokio::test]
async fn hosts_of_ones_own_network_are_not_reached_unless_opened() {
    let (authority, clock) = authority().await;
    let auth = JwtAuthenticator::jwks_url(authority.issuer(), "https://10.0.0.1/jwks");
    let said = Guarded::start(auth, &clock).await.err().unwrap().to_string();
    assert!(said.contains("dangerous()"), "{said}");
    let auth = JwtAuthenticator::issuer(authority.issuer());
    assert!(Guarded::start(auth, &clock).await.is_err());
    assert_eq!(authority.requests(Endpoint::AuthorizationServer), 0);
    let auth = JwtAuthenticator::jwks_url("urn:x", "/jwks");
    assert!(Guarded::start(auth, &clock).await.err().unwrap().to_string().contains("absolute URL"));
    let auth = JwtAuthenticator::jwks_url("urn:x", "http://idp.example.com/jwks");
    assert!(Guarded::start(auth, &clock).await.err().unwrap().to_string().contains("with https"));
    let auth = JwtAuthenticator::issuer("http://idp.example.com");
    assert!(Guarded::start(auth, &clock).await.err().unwrap().to_string().contains("not https"));
}

#[tokio::test]
async fn keys_are_never_fetched_where_somebody_on_the_way_could_change_them() {
    for url in [
        "http://idp.test/jwks",
        "HTTP://idp.test/jwks",
        "//idp.test/jwks",
        "ftp://idp.test/jwks",
        "/jwks",
        "",
    ] {
        let asked = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let seen = asked.clone();
        // A client that is not ours, and does not look at schemes.
        let client = move |request: http::Request<bytes::Bytes>| {
            seen.lock().unwrap().push(request.uri().to_string());
            let document = serde_json::json!({ "issuer": "https://idp.test", "jwks_uri": url }).to_string();
            async move { Ok::<_, mcp_outbound::OutboundError>(http::Response::new(document.into())) }
        };
        let auth = JwtAuthenticator::issuer("https://idp.test").http_client(client);
        let said = Guarded::start(auth, &FakeClock::at(START)).await.err().unwrap().to_string();
        assert!(said.contains("not https"), "{url}: {said}");
        let asked = asked.lock().unwrap();
        assert!(asked.iter().all(|url| url.starts_with("https://idp.test/.well-known/")), "{asked:?}");
    }
}

// covers: KR04
#[tokio::test]
async fn an_issuer_that_is_down_at_start_is_503_until_it_answers() {
    let (authority, clock) = authority().await;
    for endpoint in [Endpoint::AuthorizationServer, Endpoint::OpenidConfiguration] {
        authority.behave(endpoint, Behaviour::Status(503));
    }
    let guarded = Guarded::start(discovering(&authority), &clock).await.unwrap();
    let token = good(&authority).mint();
    let error = guarded.bearer(&token).await.unwrap_err();
    assert_eq!(error.status(), 503);
    assert!(error.retry_after().unwrap() >= std::time::Duration::from_secs(1));
    // A token that could not be good in any case is refused all the same.
    guarded.refuses("expired", &good(&authority).expired(crate::support::secs(9)).mint()).await;

    for endpoint in [Endpoint::AuthorizationServer, Endpoint::OpenidConfiguration] {
        authority.behave(endpoint, Behaviour::Normal);
    }
    // The task that waits for it notices by itself.
    clock.until_sleeping(1).await;
    clock.advance(crate::support::secs(2));
    authority.until_requests(Endpoint::Jwks, 1).await;
    clock.until_sleeping(1).await;
    assert_eq!(guarded.status(&token).await, 200);
}

#[tokio::test]
async fn a_dead_issuer_is_not_asked_at_every_request() {
    let (authority, clock) = authority().await;
    authority.behave(Endpoint::Jwks, Behaviour::HangUp);
    let auth = JwtAuthenticator::jwks_url(authority.issuer(), authority.jwks_url()).http_client(loopback());
    let guarded = Guarded::start(auth, &clock).await.unwrap();
    let token = good(&authority).expires_in(crate::support::secs(3600)).mint();
    for _ in 0..500 {
        assert_eq!(guarded.status(&token).await, 503);
    }
    assert_eq!(authority.requests(Endpoint::Jwks), 1);
    // After 1 s, 2 s, 4 s … and at most a minute, whoever comes first: a request or the task.
    for step in 0..60 {
        clock.until_sleeping(1).await;
        clock.advance(crate::support::secs(10));
        assert_eq!(guarded.status(&token).await, 503, "{step}");
    }
    let asked = authority.requests(Endpoint::Jwks);
    assert!((5..=20).contains(&asked), "{asked} times in 600 s");
}

#[tokio::test]
async fn one_issuer_that_is_down_does_not_hold_up_another() {
    let (up, clock) = authority().await;
    let down = TokenAuthority::builder().clock(clock.clone()).start().await.unwrap();
    down.behave(Endpoint::Jwks, Behaviour::Status(500));
    let auth = JwtAuthenticator::issuer(up.issuer())
        .and(TrustedIssuer::jwks_url(down.issuer(), down.jwks_url()))
        .http_client(loopback());
    let guarded = Guarded::start(auth, &clock).await.unwrap();
    assert_eq!(guarded.status(&good(&up).mint()).await, 200);
    assert_eq!(guarded.status(&good(&down).mint()).await, 503);
}
