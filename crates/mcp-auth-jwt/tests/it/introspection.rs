//! Introspection, against an issuer on a real socket.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mcp_auth_jwt::{ApiKeys, Introspection, JwtAuthenticator, Keys, SigningAlgorithm, SigningKey};
use mcp_auth_testkit::{Behaviour, Endpoint, FakeClock, TokenAuthority, TokenBuilder};
use mcp_core::{AnyOf, AuthErrorKind, Authenticator, Issuer};
use serde_json::{Value, json};

use crate::stand::{Stand, site};
use crate::support::{START, loopback};

const MCP: &str = "https://mcp.test/mcp";
const ASKED: Endpoint = Endpoint::Introspection;

async fn authority() -> (TokenAuthority, FakeClock) {
    let clock = FakeClock::at(START);
    let builder = TokenAuthority::builder().clock(clock.clone()).algorithms([]);
    (builder.start().await.unwrap(), clock)
}

fn asking(authority: &TokenAuthority) -> Introspection {
    Introspection::new(authority.introspection_url())
        .issuer(authority.issuer())
        .client_secret_basic("mcp", "s3cret")
        .http_client(loopback())
}

fn good(authority: &TokenAuthority) -> TokenBuilder {
    authority.token().audience(MCP).scopes("files:read").expires_in(Duration::from_secs(3600))
}

/// An authenticator, and the number of questions its start cost.
async fn started() -> (TokenAuthority, Stand<Introspection>, FakeClock) {
    let (authority, clock) = authority().await;
    let stand = Stand::start(asking(&authority), &clock).await.unwrap();
    assert_eq!(authority.requests(ASKED), 1, "the start asks once");
    (authority, stand, clock)
}

// covers: AUTH-08, AUTH-12, RS13
#[tokio::test]
async fn the_issuer_decides_over_the_wire() {
    let (authority, clock) = authority().await;
    let client = site(asking(&authority), &clock).await;
    let send = |token: String| client.post("/mcp").bearer(&token).json(&json!({})).send();
    send(good(&authority).mint_opaque()).await.expect_status(200).expect_json("/caller", "alice");
    let revoked = good(&authority).mint_opaque();
    authority.revoke(&revoked);
    let expired = good(&authority).expired(Duration::from_secs(1)).mint_opaque();
    let foreign = good(&authority).issuer("https://elsewhere.test").mint_opaque();
    let bound = good(&authority).claim("cnf", json!({ "jkt": "x" })).mint_opaque();
    let refresh = good(&authority).claim("token_use", "refresh_token").mint_opaque();
    for token in [revoked, expired, foreign, bound, refresh, "made-up".to_owned()] {
        send(token)
            .await
            .expect_status(401)
            .expect_challenge(|challenge| challenge.scheme("Bearer").error("invalid_token"));
    }
    let metadata = client.get("/.well-known/oauth-protected-resource/mcp").send().await;
    metadata.expect_json("/authorization_servers", json!([authority.issuer()]));
}

// covers: RS06, AUTH-09, AUTH-10
#[tokio::test]
async fn a_token_for_another_resource_is_refused_unless_that_was_said() {
    let (authority, clock) = authority().await;
    let strict = Stand::start(asking(&authority), &clock).await.unwrap();
    let lax = asking(&authority).dangerous().accept_missing_audience().audience("api://mcp");
    let lax = Stand::start(lax, &clock).await.unwrap();
    let mcp = good(&authority).mint_opaque();
    let elsewhere = good(&authority).without("aud").audience("https://other.test/mcp").mint_opaque();
    let nowhere = good(&authority).without("aud").mint_opaque();
    let named = good(&authority).without("aud").audience("api://mcp").mint_opaque();
    for (token, at_strict, at_lax) in
        [(&mcp, 200, 200), (&elsewhere, 401, 401), (&nowhere, 401, 200), (&named, 401, 200)]
    {
        assert_eq!(strict.status(token).await, at_strict);
        assert_eq!(lax.status(token).await, at_lax);
    }
    assert_eq!(strict.bearer_at(&strict.sse, &mcp).await.unwrap_err().status(), 401);
}

// covers: AUTH-20
#[tokio::test]
async fn the_question_follows_rfc_7662_and_hides_the_token() {
    let (authority, clock) = authority().await;
    let auth = asking(&authority).client_secret_basic("mcp server", "p:ä s+%");
    let stand = Stand::start(auth, &clock).await.unwrap();
    let token = format!("a/b+c=~{}", good(&authority).mint_opaque());
    authority.answer_for(&token, json!({ "active": true, "sub": "ada", "aud": MCP }));
    assert_eq!(stand.status(&token).await, 200);
    let asked = authority.recorded(ASKED).pop().unwrap();
    assert_eq!(asked.method, http::Method::POST);
    assert_eq!(asked.target, "/introspect");
    assert_eq!(asked.header("accept"), Some("application/json"));
    assert_eq!(asked.header("content-type"), Some("application/x-www-form-urlencoded"));
    let form = [("token".to_owned(), token), ("token_type_hint".to_owned(), "access_token".to_owned())];
    assert_eq!(asked.form(), form);
    // Both halves form-encoded, then joined and base64: RFC 6749 §2.3.1.
    assert_eq!(asked.header("authorization"), Some("Basic bWNwK3NlcnZlcjpwJTNBJUMzJUE0K3MlMkIlMjU="));
}

#[tokio::test]
async fn other_ways_to_prove_oneself() {
    let (authority, clock) = authority().await;
    let post = Stand::start(asking(&authority).client_secret_post("mcp", "a&b"), &clock).await.unwrap();
    assert_eq!(post.status(&good(&authority).mint_opaque()).await, 200);
    let asked = authority.recorded(ASKED).pop().unwrap();
    assert_eq!(asked.header("authorization"), None);
    assert_eq!(
        asked.form()[2..],
        [("client_id".into(), "mcp".into()), ("client_secret".into(), "a&b".into())]
    );

    let key = SigningKey::generate(SigningAlgorithm::Es256);
    let signing = asking(&authority).private_key_jwt("mcp", key.clone());
    let signing = Stand::start(signing, &clock).await.unwrap();
    assert_eq!(signing.status(&good(&authority).mint_opaque()).await, 200);
    let form = authority.recorded(ASKED).pop().unwrap().form();
    assert_eq!(form[2].1, "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::ES256);
    rules.set_audience(&[authority.issuer()]);
    rules.validate_exp = false;
    let jwk = serde_json::from_value(key.public_jwk()).unwrap();
    let public = jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap();
    let claims = jsonwebtoken::decode::<Value>(&form[3].1, &public, &rules).unwrap().claims;
    assert_eq!((&claims["iss"], &claims["sub"]), (&json!("mcp"), &json!("mcp")));
    assert_eq!(claims["aud"], json!(authority.issuer()), "one string, the issuer");
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 60);
    let first = claims["jti"].clone();
    assert_eq!(signing.status(&good(&authority).mint_opaque()).await, 200);
    let form = authority.recorded(ASKED).pop().unwrap().form();
    let claims = jsonwebtoken::decode::<Value>(&form[3].1, &public, &rules).unwrap().claims;
    assert_ne!(claims["jti"], first, "an assertion is used once");
}

#[tokio::test]
async fn an_answer_is_remembered_for_its_time_and_not_beyond_the_token() {
    let (authority, stand, clock) = started().await;
    let token = good(&authority).mint_opaque();
    for _ in 0..10 {
        assert_eq!(stand.status(&token).await, 200);
    }
    assert_eq!(authority.requests(ASKED), 2);
    // At another resource it is another question.
    assert_eq!(stand.bearer_at(&stand.sse, &token).await.unwrap_err().status(), 401);
    assert_eq!(authority.requests(ASKED), 3);
    authority.revoke(&token);
    clock.advance(Duration::from_secs(29));
    assert_eq!(stand.status(&token).await, 200, "remembered");
    clock.advance(Duration::from_secs(1));
    assert_eq!(stand.status(&token).await, 401, "asked again");

    let short = good(&authority).expires_in(Duration::from_secs(5)).mint_opaque();
    assert_eq!(stand.status(&short).await, 200);
    clock.advance(Duration::from_secs(5));
    assert_eq!(stand.status(&short).await, 401);
}

#[tokio::test]
async fn nothing_is_remembered_when_that_was_said() {
    let (authority, clock) = authority().await;
    let stand = Stand::start(asking(&authority).remember(Duration::ZERO), &clock).await.unwrap();
    let token = good(&authority).mint_opaque();
    for n in 0..3 {
        assert_eq!(stand.status(&token).await, 200);
        assert_eq!(authority.requests(ASKED), n + 2);
    }
    authority.revoke(&token);
    assert_eq!(stand.status(&token).await, 401);
    let asked = authority.requests(ASKED);
    assert_eq!(stand.status(&token).await, 401);
    assert_eq!(authority.requests(ASKED), asked + 1, "refusals neither");

    // Nobody waits for somebody else's answer.
    let stand = Arc::new(stand);
    let hold = authority.hold(ASKED);
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let (stand, token) = (stand.clone(), token.clone());
            tokio::spawn(async move { stand.status(&token).await })
        })
        .collect();
    authority.until_requests(ASKED, asked + 4).await;
    hold.release();
    for one in waiting {
        assert_eq!(one.await.unwrap(), 401);
    }
}

#[tokio::test]
async fn a_bad_answer_is_remembered_briefly() {
    let (authority, stand, clock) = started().await;
    for _ in 0..10 {
        assert_eq!(stand.status("made-up").await, 401);
    }
    assert_eq!(authority.requests(ASKED), 2);
    authority.answer_for("made-up", json!({ "active": true, "sub": "ada", "aud": MCP }));
    clock.advance(Duration::from_secs(10));
    assert_eq!(stand.status("made-up").await, 200);
}

#[tokio::test]
async fn many_requests_with_one_token_are_one_question() {
    let (authority, stand, _) = started().await;
    let token = good(&authority).mint_opaque();
    let stand = Arc::new(stand);
    let hold = authority.hold(ASKED);
    let waiting: Vec<_> = (0..32)
        .map(|_| {
            let (stand, token) = (stand.clone(), token.clone());
            tokio::spawn(async move { stand.status(&token).await })
        })
        .collect();
    authority.until_requests(ASKED, 2).await;
    // One that gives up while it asks leaves the question to another.
    waiting[0].abort();
    tokio::task::yield_now().await;
    hold.release();
    let mut answered = 0;
    for one in waiting {
        if let Ok(status) = one.await {
            assert_eq!(status, 200);
            answered += 1;
        }
    }
    assert!(answered >= 31);
    assert!(authority.requests(ASKED) <= 3, "{} questions", authority.requests(ASKED));
}

// covers: AUTH-13
#[tokio::test]
async fn an_issuer_that_does_not_answer_rightly_is_503_and_never_401() {
    let (authority, clock) = authority().await;
    let client = site(asking(&authority), &clock).await;
    let token = good(&authority).mint_opaque();
    let send = || client.post("/mcp").bearer(&token).json(&json!({})).send();
    for behaviour in [
        Behaviour::Status(500),
        Behaviour::Status(503),
        Behaviour::Status(401),
        Behaviour::Status(400),
        Behaviour::Status(204),
        Behaviour::garbage(),
        Behaviour::HangUp,
        Behaviour::Redirect("https://evil.test/".into()),
        Behaviour::Endless(70 * 1024),
        Behaviour::Body("[]".into()),
        Behaviour::Body("{}".into()),
        Behaviour::Body(r#"{"active":"true"}"#.into()),
        Behaviour::Body(format!(r#"{{"active":false,"active":true,"sub":"a","aud":"{MCP}"}}"#)),
        Behaviour::Body(format!(r#"{{"active":true,"sub":"a","aud":"{MCP}","exp":"never"}}"#)),
    ] {
        authority.behave(ASKED, behaviour.clone());
        let answer = send().await;
        assert_eq!(answer.status(), 503, "{behaviour:?}: {answer}");
        answer.expect_header("retry-after", "5").expect_no_challenge();
        let asked = authority.requests(ASKED);
        send().await.expect_status(503);
        assert_eq!(authority.requests(ASKED), asked, "asked again at once: {behaviour:?}");
        clock.advance(Duration::from_secs(1));
    }
    authority.behave(ASKED, Behaviour::Normal);
    send().await.expect_status(200);
}

#[tokio::test]
async fn streams_ask_again_and_outlive_an_outage() {
    let (authority, stand, clock) = started().await;
    let token = good(&authority).mint_opaque();
    let identity = stand.bearer(&token).await.unwrap();
    stand.auth.still_valid(&identity).await.unwrap();
    clock.advance(Duration::from_secs(30));
    authority.behave(ASKED, Behaviour::Status(500));
    let error = stand.auth.still_valid(&identity).await.unwrap_err();
    assert!(matches!(error.kind(), AuthErrorKind::Unavailable(_)), "{error:?}");
    clock.advance(Duration::from_secs(30));
    authority.behave(ASKED, Behaviour::Normal);
    stand.auth.still_valid(&identity).await.unwrap();
    // The same token, and suddenly somebody else.
    let other = json!({
        "active": true, "sub": "mallory", "client_id": "test-client", "scope": "files:read", "aud": MCP,
    });
    authority.answer_for(&token, other);
    clock.advance(Duration::from_secs(30));
    assert_eq!(stand.auth.still_valid(&identity).await.unwrap_err().kind(), &AuthErrorKind::InvalidToken);
    // Less than it was let in with.
    authority.answer_for(
        &token,
        json!({ "active": true, "sub": "alice", "client_id": "test-client", "aud": MCP }),
    );
    clock.advance(Duration::from_secs(30));
    assert_eq!(stand.auth.still_valid(&identity).await.unwrap_err().kind(), &AuthErrorKind::InvalidToken);
    authority.revoke(&token);
    clock.advance(Duration::from_secs(30));
    assert_eq!(stand.auth.still_valid(&identity).await.unwrap_err().kind(), &AuthErrorKind::InvalidToken);
}

#[tokio::test]
async fn tokens_of_other_kinds_are_not_shown_to_the_issuer() {
    let (authority, clock) = authority().await;
    let key = ApiKeys::generate("ada");
    let list = mcp_auth_jwt::KeyList::new([key.entry().clone()]).unwrap();
    let signed = TokenAuthority::builder().clock(clock.clone()).start().await.unwrap();
    let keys = Keys::jwks(signed.jwks().to_string()).unwrap();
    // In the least favourable order.
    let any = AnyOf::new()
        .or(asking(&authority))
        .or(JwtAuthenticator::keys(signed.issuer(), keys))
        .or(ApiKeys::new(list));
    let stand = Stand::start(any, &clock).await.unwrap();
    let asked = authority.requests(ASKED);
    assert_eq!(stand.bearer(key.key().expose()).await.unwrap().subject().as_str(), "ada");
    let jwt = signed.token().audience(MCP).subject("bob").mint();
    assert_eq!(stand.bearer(&jwt).await.unwrap().subject().as_str(), "bob");
    assert_eq!(authority.requests(ASKED), asked);
    let opaque = good(&authority).mint_opaque();
    let identity = stand.bearer(&opaque).await.unwrap();
    assert_eq!(identity.issuer(), &Issuer::new(authority.issuer()));
    stand.auth.still_valid(&identity).await.unwrap();

    let all = Stand::start(asking(&authority).judge_tokens(|_| true), &clock).await.unwrap();
    authority.answer_for(&jwt, json!({ "active": true, "sub": "carl", "aud": MCP }));
    assert_eq!(all.bearer(&jwt).await.unwrap().subject().as_str(), "carl");
    let bound = all.with_headers(&[("authorization", &format!("DPoP {opaque}"))]).await.unwrap_err();
    assert_eq!(bound.kind(), &AuthErrorKind::NotMine);
}

#[tokio::test]
async fn callers_are_told_apart_by_the_member_that_was_named() {
    let (authority, clock) = authority().await;
    let auth = asking(&authority).subject_from("uid");
    let stand = Stand::start(auth, &clock).await.unwrap();
    let token = good(&authority).without("sub").claim("uid", "u-1").mint_opaque();
    assert_eq!(stand.bearer(&token).await.unwrap().subject().as_str(), "u-1");
    let nameless = good(&authority).mint_opaque();
    assert_eq!(stand.status(&nameless).await, 401);
}

#[tokio::test]
async fn a_wrong_set_up_is_a_sentence_at_start_and_an_outage_is_not() {
    let (authority, clock) = authority().await;
    let url = authority.introspection_url();
    for (auth, sentence) in [
        (Introspection::new(&url).http_client(loopback()), "asked without credentials"),
        (Introspection::new("http://idp.test/x").client_secret_post("a", "b"), "is not https"),
        (Introspection::new("https://u:p@idp.test/x").client_secret_post("a", "b"), "is not https"),
        (Introspection::new("introspect").client_secret_post("a", "b"), "is not https"),
        (asking(&authority).client_secret_basic("", "x"), "client id for introspection is empty"),
        (asking(&authority).client_secret_basic("x", ""), "client secret for introspection is empty"),
        (asking(&authority).audience(""), "has an empty audience"),
        (asking(&authority).remember(Duration::from_secs(601)), "more than 10 minutes"),
        // The usual client does not reach this machine.
        (Introspection::new(&url).client_secret_post("a", "b"), "is at an address that is not public"),
    ] {
        let error = Stand::start(auth, &clock).await.err().unwrap();
        assert!(error.to_string().contains(sentence), "{error}");
    }
    for (behaviour, sentence) in [
        (Behaviour::Status(401), "refuses this server's credentials"),
        (Behaviour::absent(), "is not there"),
        (Behaviour::Redirect("https://x.test/".into()), "is not there"),
        (Behaviour::garbage(), "no JSON object"),
        (Behaviour::Body(r#"{"active":true}"#.into()), "a made-up token is active"),
        (Behaviour::Body("{}".into()), "does not say whether"),
    ] {
        authority.behave(ASKED, behaviour);
        let error = Stand::start(asking(&authority), &clock).await.err().unwrap();
        assert!(error.to_string().contains(sentence), "{error}");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
    authority.behave(ASKED, Behaviour::Status(500));
    let stand = Stand::start(asking(&authority), &clock).await.unwrap();
    let token = good(&authority).mint_opaque();
    assert_eq!(stand.status(&token).await, 503);
    authority.behave(ASKED, Behaviour::Normal);
    clock.advance(Duration::from_secs(1));
    assert_eq!(stand.status(&token).await, 200);
    let open = Introspection::new(&url).http_client(loopback()).dangerous().without_client_credentials();
    assert_eq!(Stand::start(open, &clock).await.unwrap().status(&token).await, 200);
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

// covers: AUTH-20
#[tokio::test]
async fn neither_logs_nor_errors_show_a_token_or_secret() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    // For the whole process: a subscriber of this thread alone loses lines to the interest other tests cached.
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let (authority, stand, clock) = started().await;
    let token = good(&authority).mint_opaque();
    let identity = stand.bearer(&token).await.unwrap();
    let mut printed = format!("{:?} {identity:?}", stand.auth);
    for behaviour in [Behaviour::Status(500), Behaviour::HangUp, Behaviour::garbage(), Behaviour::Normal] {
        authority.behave(ASKED, behaviour);
        clock.advance(Duration::from_secs(60));
        if let Err(error) = stand.bearer(&token).await {
            printed.push_str(&format!("{error:?} {error} {:?}", error.detail()));
        }
    }
    authority.behave(ASKED, Behaviour::Status(500));
    Stand::start(asking(&authority), &clock).await.unwrap();
    printed.push_str(&String::from_utf8_lossy(&log.0.lock().unwrap()));
    assert!(printed.contains("tokens are answered 503"), "the log was read");
    for secret in [token.as_str(), "s3cret", "bWNwOnMzY3JldA"] {
        assert!(!printed.contains(secret), "{secret}");
    }
}
