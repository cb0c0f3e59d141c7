//! Tokens made for one's own clients, and the keys behind them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mcp_auth_jwt::{
    IssuedTokens, JwtAuthenticator, Keys, SigningAlgorithm, SigningKey, TokenIssuer, TokenProfile,
    TokenRequest,
};
use mcp_auth_testkit::{Algorithm, FakeClock, TokenAuthority};
use mcp_core::audit::{Audit, AuditEvent, AuditSink, EventKind};
use mcp_core::{Access, AuthErrorKind, Authenticator, ProtectedResource, SiteContext};
use serde_json::json;

use crate::stand::{Stand, site};

const NAME: &str = "https://mcp.test";
const MCP: &str = "https://mcp.test/mcp";

fn request() -> TokenRequest {
    TokenRequest::new("job", MCP).scopes("files:read")
}

async fn stand() -> (TokenIssuer, Stand<IssuedTokens>, FakeClock) {
    let clock = FakeClock::new();
    let issuer = TokenIssuer::generate(NAME).unwrap().clock(Arc::new(clock.clone()));
    let stand = Stand::start(issuer.authenticator(), &clock).await.unwrap();
    (issuer, stand, clock)
}

// covers: AUTH-08, AUTH-12
#[tokio::test]
async fn minted_tokens_are_accepted_where_they_are_for_until_they_end() {
    for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa, SigningAlgorithm::Rs256] {
        let clock = FakeClock::new();
        let issuer =
            TokenIssuer::new(NAME, SigningKey::generate(algorithm)).unwrap().clock(Arc::new(clock.clone()));
        // Judged by an authenticator that knows nothing but the published keys.
        let keys = Keys::jwks(issuer.jwks().to_string()).unwrap();
        let stand = Stand::start(JwtAuthenticator::keys(NAME, keys), &clock).await.unwrap();
        let token = issuer.mint(&request().client("cli").claim("team", "blue")).unwrap();
        let identity = stand.bearer(token.expose()).await.unwrap();
        assert_eq!(identity.subject().as_str(), "job");
        assert_eq!(identity.client().map(|client| client.as_str()), Some("cli"));
        assert_eq!(identity.token_id(), Some(token.id()));
        assert_eq!(identity.expires_at(), Some(token.expires_at()));
        assert_eq!(identity.claims()["team"], "blue");
        assert!(identity.scopes().has("files:read"));
        assert_eq!(stand.bearer_at(&stand.sse, token.expose()).await.unwrap_err().status(), 401);
        clock.set(token.expires_at());
        assert_eq!(stand.status(token.expose()).await, 401, "{algorithm:?}");
    }
}

// covers: KR01
#[tokio::test]
async fn after_a_rotation_old_tokens_live_on_and_new_ones_use_the_new_key() {
    let (issuer, stand, clock) = stand().await;
    let old = issuer.mint(&request().lifetime(Duration::from_secs(3600))).unwrap();
    let identity = stand.bearer(old.expose()).await.unwrap();
    let first = issuer.key_id();
    let second = issuer.rotate();
    let third = issuer.rotate();
    assert_eq!(issuer.key_id(), third);
    assert!(first != second && second != third && first != third);
    assert_eq!(issuer.jwks()["keys"].as_array().unwrap().len(), 3);
    let new = issuer.mint(&request()).unwrap();
    assert_eq!(stand.status(new.expose()).await, 200);
    assert_eq!(stand.status(old.expose()).await, 200);
    stand.auth.still_valid(&identity).await.unwrap();
    // The last token of the first key ended an hour after the rotation.
    clock.advance(Duration::from_secs(3599));
    assert_eq!(stand.status(old.expose()).await, 200);
    assert_eq!(issuer.jwks()["keys"].as_array().unwrap().len(), 3);
    clock.advance(Duration::from_secs(1));
    assert_eq!(stand.status(old.expose()).await, 401);
    assert_eq!(issuer.jwks()["keys"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_key_that_was_rotated_out_verifies_nothing_once_its_tokens_have_ended() {
    let clock = FakeClock::new();
    let key = SigningKey::generate(SigningAlgorithm::Es256);
    let issuer = TokenIssuer::new(NAME, key.clone()).unwrap().clock(Arc::new(clock.clone()));
    let stand = Stand::start(issuer.authenticator(), &clock).await.unwrap();
    issuer.rotate();
    // Whoever has the old key goes on signing with it.
    let thief = TokenIssuer::new(NAME, key).unwrap().clock(Arc::new(clock.clone()));
    clock.advance(Duration::from_secs(3599));
    let identity = stand.bearer(thief.mint(&request()).unwrap().expose()).await.unwrap();
    clock.advance(Duration::from_secs(1));
    assert_eq!(stand.status(thief.mint(&request()).unwrap().expose()).await, 401);
    assert_eq!(stand.auth.still_valid(&identity).await.unwrap_err().kind(), &AuthErrorKind::InvalidToken);
    assert_eq!(stand.status(issuer.mint(&request()).unwrap().expose()).await, 200);
}

// covers: KR02
#[tokio::test]
async fn a_retired_key_is_refused_at_once() {
    let (issuer, stand, _) = stand().await;
    let token = issuer.mint(&request()).unwrap();
    let identity = stand.bearer(token.expose()).await.unwrap();
    let leaked = issuer.key_id();
    assert!(issuer.retire(&leaked));
    assert!(!issuer.retire(&leaked));
    assert_eq!(stand.status(token.expose()).await, 401);
    assert_eq!(stand.auth.still_valid(&identity).await.unwrap_err().kind(), &AuthErrorKind::InvalidToken);
    assert_eq!(stand.status(issuer.mint(&request()).unwrap().expose()).await, 200);
    // One that signs no more is retired without a new one.
    let old = issuer.mint(&request()).unwrap();
    let previous = issuer.key_id();
    let current = issuer.rotate();
    assert_eq!(stand.status(old.expose()).await, 200);
    assert!(issuer.retire(&previous));
    assert_eq!(issuer.key_id(), current);
    assert_eq!(stand.status(old.expose()).await, 401);
    assert!(!issuer.jwks().to_string().contains(&leaked));
}

#[tokio::test]
async fn a_key_of_an_earlier_process_is_published_until_its_tokens_have_ended() {
    let clock = FakeClock::new();
    let key = SigningKey::generate(SigningAlgorithm::Es256);
    let before = TokenIssuer::new(NAME, key.clone()).unwrap().clock(Arc::new(clock.clone()));
    let token = before.mint(&request().lifetime(Duration::from_secs(3600))).unwrap();
    let pem = key.expose_pem().unwrap();
    let now = TokenIssuer::generate(NAME).unwrap().clock(Arc::new(clock.clone()));
    let now = now.with_previous(SigningKey::from_pem(&pem).unwrap());
    let stand = Stand::start(now.authenticator(), &clock).await.unwrap();
    assert_eq!(stand.status(token.expose()).await, 200);
    let same = TokenIssuer::from_pem(NAME, &pem).unwrap();
    assert_eq!(same.key_id(), before.key_id());
}

// covers: RS13
#[tokio::test]
async fn tokens_of_others_are_refused() {
    let (issuer, stand, clock) = stand().await;
    let stranger = TokenIssuer::generate(NAME).unwrap().clock(Arc::new(clock.clone()));
    assert_eq!(stand.status(stranger.mint(&request()).unwrap().expose()).await, 401);
    let other = TokenIssuer::generate("https://other.test").unwrap().clock(Arc::new(clock.clone()));
    let error = stand.bearer(other.mint(&request()).unwrap().expose()).await.unwrap_err();
    assert_eq!(error.kind(), &AuthErrorKind::NotMine);
    // A key that signs for others as well cannot be made to sign an ID token of ours.
    let key = issuer.jwks()["keys"][0]["kid"].as_str().unwrap().to_owned();
    let authority = TokenAuthority::builder().clock(clock.clone()).start().await.unwrap();
    let forged = authority.token().issuer(NAME).audience(MCP).kid(&key);
    assert_eq!(stand.status(&forged.clone().mint()).await, 401);
    assert_eq!(stand.status(&forged.clone().unsigned().mint()).await, 401);
    assert_eq!(stand.status(&forged.algorithm(Algorithm::Hs256).mint()).await, 401);
}

#[tokio::test]
async fn what_no_token_may_lack_or_claim_is_refused() {
    let issuer = TokenIssuer::generate(NAME).unwrap();
    for (request, sentence) in [
        (TokenRequest::new("job", ""), "must name an audience"),
        (request().also_for(""), "must name an audience"),
        (TokenRequest::new("", MCP), "must name a subject"),
        (request().lifetime(Duration::from_millis(999)), "1 to 3600 seconds"),
        (request().lifetime(Duration::from_secs(3601)), "1 to 3600 seconds"),
        (request().claim("exp", 99_999_999_999_u64), "has a meaning of its own"),
        (request().claim("cnf", json!({})), "has a meaning of its own"),
        (request().claim("aud", "https://elsewhere.test"), "has a meaning of its own"),
    ] {
        let error = issuer.mint(&request).unwrap_err();
        assert!(error.to_string().contains(sentence), "{error}");
    }
    assert!(TokenIssuer::generate(" ").is_err());
    for wrong in [Duration::ZERO, Duration::from_secs(24 * 3600 + 1)] {
        assert!(TokenIssuer::generate(NAME).unwrap().longest_lifetime(wrong).is_err());
    }
    let short = TokenIssuer::generate(NAME).unwrap().longest_lifetime(Duration::from_secs(60)).unwrap();
    assert!(short.mint(&request()).is_err(), "the usual five minutes are too long here");
}

#[tokio::test]
async fn a_renewing_token_is_never_near_its_end() {
    let (issuer, stand, clock) = stand().await;
    let token = issuer.renewing(request().lifetime(Duration::from_secs(300)));
    let first = token.get().unwrap();
    clock.advance(Duration::from_secs(199));
    assert_eq!(token.get().unwrap(), first);
    clock.advance(Duration::from_secs(2));
    let second = token.get().unwrap();
    assert_ne!(second, first);
    assert_eq!(stand.status(&second).await, 200);
    issuer.retire(&issuer.key_id());
    assert_eq!(stand.status(&token.get().unwrap()).await, 200, "renewed because its key is gone");
    // A clock that was wrong and is set right again.
    clock.advance(Duration::from_secs(1_000_000));
    token.get().unwrap();
    clock.set(clock_now(&clock) - Duration::from_secs(1_000_000));
    assert_eq!(stand.status(&token.get().unwrap()).await, 200);
}

fn clock_now(clock: &FakeClock) -> mcp_core::Timestamp {
    mcp_core::Clock::now(clock)
}

// covers: MD07
#[tokio::test]
async fn the_key_set_is_public_bounded_and_says_nothing_private() {
    let clock = FakeClock::new();
    let issuer = TokenIssuer::generate(NAME).unwrap();
    issuer.rotate_to(SigningKey::generate(SigningAlgorithm::Rs256));
    issuer.rotate_to(SigningKey::generate(SigningAlgorithm::EdDsa));
    let route = issuer.route("/keys");
    assert_eq!(route.access(), Access::Public);
    let client = site(issuer.authenticator().publish_at("/keys"), &clock).await;
    let answer = client.get("/keys").header("origin", "https://app.test").send().await;
    let answer = answer.expect_status(200).expect_header("cache-control", "public, max-age=300");
    let keys = answer.json()["keys"].as_array().unwrap().clone();
    assert_eq!(keys.len(), 3);
    let names: std::collections::HashSet<_> = keys.iter().map(|key| key["kid"].as_str()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    for key in &keys {
        for private in ["d", "p", "q", "dp", "dq", "qi", "k", "oth"] {
            assert!(key.get(private).is_none(), "{key}");
        }
        assert_eq!(key["use"], "sig");
        assert!(key["alg"].is_string() && key["kid"].is_string());
    }
    let token = issuer.mint(&request()).unwrap();
    client.post("/mcp").bearer(token.expose()).json(&json!({})).send().await.expect_json("/caller", "job");
    client.post("/keys").send().await.expect_status(405);
}

#[tokio::test]
async fn private_keys_are_read_from_every_usual_file_and_nothing_else() {
    for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa, SigningAlgorithm::Rs256] {
        let key = SigningKey::generate(algorithm);
        let again = SigningKey::from_pem(&key.expose_pem().unwrap()).unwrap();
        assert_eq!((again.id(), again.algorithm()), (key.id(), algorithm));
    }
    // What `openssl ecparam -genkey` and `openssl genrsa -traditional` write: the key inside of PKCS#8, bare.
    for (algorithm, label, before) in [
        (
            SigningAlgorithm::Es256,
            "EC PRIVATE KEY",
            "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n",
        ),
        (SigningAlgorithm::Rs256, "RSA PRIVATE KEY", ""),
    ] {
        let key = SigningKey::generate(algorithm);
        let pem = key.expose_pem().unwrap();
        let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let der = STANDARD.decode(body).unwrap();
        // Where the inner SEQUENCE begins: in front of its version, 1 and the private number for EC, 0 for RSA.
        let ec = der.windows(5).position(|bytes| bytes == [2, 1, 1, 4, 32]);
        let bare = STANDARD.encode(&der[ec.map_or(26, |at| at - 2)..]);
        let pem = format!("{before}-----BEGIN {label}-----\n{bare}\n-----END {label}-----\n");
        assert_eq!(SigningKey::from_pem(&pem).unwrap().id(), key.id(), "{label}");
    }
    let authority = TokenAuthority::start().await.unwrap();
    let good = SigningKey::generate(SigningAlgorithm::Es256).expose_pem().unwrap();
    for (pem, sentence) in [
        (authority.public_key_pem(Algorithm::Es256), "signing takes the private one"),
        ("keys/private.pem".to_owned(), "not its name"),
        (format!("{good}{good}"), "exactly one"),
        (good.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"), "is encrypted"),
        (good.replace("-----\nM", "-----\nProc-Type: 4,ENCRYPTED\n\nM"), "is encrypted"),
        (good.replace('M', "*"), "damaged"),
        (good.replace("PRIVATE KEY", "OPENSSH PRIVATE KEY"), "holds no private key"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----".to_owned(), "openssl genpkey"),
    ] {
        let error = SigningKey::from_pem(&pem).unwrap_err().to_string();
        assert!(error.contains(sentence), "{error}");
        assert!(!error.contains("MIG"), "a piece of the key is in the sentence");
    }
}

#[derive(Debug, Default)]
struct Events(Mutex<Vec<AuditEvent>>);

impl AuditSink for Events {
    fn record(&self, event: &AuditEvent) {
        self.0.lock().unwrap().push(event.clone());
    }
}

// covers: AU03
#[tokio::test]
async fn changes_of_keys_are_recorded() {
    let issuer = TokenIssuer::generate(NAME).unwrap();
    let url: mcp_core::PublicUrl = NAME.parse().unwrap();
    let events = Arc::new(Events::default());
    let resources = vec![ProtectedResource::new(&url, "/mcp")];
    let context = SiteContext::new(url, resources).with_audit(Audit::default().to(events.clone()));
    issuer.authenticator().start(&context).await.unwrap();
    let new = issuer.rotate();
    issuer.retire(&new);
    let events = events.0.lock().unwrap();
    assert_eq!(events.len(), 2);
    for event in events.iter() {
        assert_eq!(event.kind, EventKind::Key);
        assert_eq!(event.resource.as_deref(), Some(NAME));
        assert!(event.action.as_deref().unwrap().contains(&new));
    }
}

// covers: AUTH-20
#[tokio::test]
async fn nothing_prints_a_key_or_token() {
    let issuer = TokenIssuer::generate(NAME).unwrap();
    let token = issuer.mint(&request()).unwrap();
    let renewing = issuer.renewing(request());
    let renewed = renewing.get().unwrap();
    let key = SigningKey::generate(SigningAlgorithm::EdDsa);
    let printed = format!("{issuer:?} {token:?} {renewing:?} {key:?} {:?}", issuer.authenticator());
    let pem = key.expose_pem().unwrap();
    let body = pem.lines().nth(1).unwrap();
    for secret in [token.expose(), &renewed, body] {
        assert!(!printed.contains(secret));
    }
}

#[tokio::test]
async fn tokens_follow_rfc_9068_to_the_letter() {
    let clock = FakeClock::new();
    let issuer = TokenIssuer::generate(NAME).unwrap().clock(Arc::new(clock.clone()));
    let keys = Keys::jwks(issuer.jwks().to_string()).unwrap();
    let strict = JwtAuthenticator::keys(NAME, keys).profile(TokenProfile::Rfc9068);
    let stand = Stand::start(strict, &clock).await.unwrap();
    let token = issuer.mint(&request().also_for("https://mcp.test/sse")).unwrap();
    for resource in [&stand.mcp, &stand.sse] {
        let identity = stand.bearer_at(resource, token.expose()).await.unwrap();
        for claim in ["iss", "exp", "aud", "sub", "client_id", "iat", "jti", "scope"] {
            assert!(identity.claims().contains_key(claim), "{claim}");
        }
    }
}
