//! Which tokens are let in, and as whom.

use mcp_auth_jwt::{Algorithm, JwtAuthenticator, Keys, TokenProfile, TrustedIssuer};
use mcp_auth_testkit::{Algorithm as Signed, TokenAuthority};
use mcp_core::{
    AuthErrorKind, AuthMethod, Authenticator, ProtectedResource, PublicUrl, RequestHead, SecretKey,
    SiteContext,
};
use serde_json::json;

use crate::support::{ALGORITHMS, Guarded, MCP, authority, good, guarded, secs, with_keys};

// covers: AUTH-05, AUTH-08
#[tokio::test]
async fn a_good_token_names_its_caller() {
    let (authority, guarded) = guarded().await;
    let token = good(&authority).claim("email", "alice@example.com").mint();
    let identity = guarded.bearer(&token).await.unwrap();
    assert_eq!(identity.issuer().as_str(), authority.issuer());
    assert_eq!(identity.subject().as_str(), "alice");
    assert_eq!(identity.client().unwrap().as_str(), "test-client");
    assert_eq!(identity.scopes().to_string(), "files:read");
    assert_eq!(identity.audience().iter().map(|a| a.as_str()).collect::<Vec<_>>(), [MCP]);
    assert_eq!(identity.method(), AuthMethod::Bearer);
    assert_eq!(identity.claims()["email"], "alice@example.com");
    assert!(identity.token_id().is_some());
    assert_eq!(identity.expires_at().unwrap().as_secs(), 1_800_000_300);
    assert_eq!(identity.issued_at().unwrap().as_secs(), 1_800_000_000);
    for scheme in ["bearer", "BEARER"] {
        let header = format!("{scheme} {token}");
        assert!(guarded.request(&guarded.mcp, &[("authorization", &header)]).await.is_ok());
    }
}

#[tokio::test]
async fn every_algorithm_verifies_with_its_own_key_as_pem_and_as_jwk() {
    let (authority, clock) = authority().await;
    for algorithm in ALGORITHMS {
        let token = good(&authority).algorithm(algorithm).mint();
        let allowed = Algorithm::from_name(algorithm.name()).unwrap();
        let pem = Keys::pem(authority.public_key_pem(algorithm)).unwrap();
        let auth = JwtAuthenticator::keys(authority.issuer(), pem).algorithms([allowed]);
        let guarded = Guarded::start(auth, &clock).await.unwrap();
        assert_eq!(guarded.status(&token).await, 200, "{algorithm:?} by PEM");
        let stranger = good(&authority).algorithm(algorithm).by_stranger().mint();
        guarded.refuses(algorithm.name(), &stranger).await;

        // The token was minted first, so the key is published.
        let guarded = Guarded::start(with_keys(&authority), &clock).await.unwrap();
        assert_eq!(guarded.status(&token).await, 200, "{algorithm:?} by JWK");
        guarded.refuses(algorithm.name(), &good(&authority).algorithm(algorithm).tampered().mint()).await;
    }
}

#[tokio::test]
async fn an_algorithm_outside_the_list_is_refused_though_the_key_fits() {
    let (authority, clock) = authority().await;
    let token = good(&authority).algorithm(Signed::Ps256).mint();
    let auth = with_keys(&authority).algorithms([Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA]);
    // The authority has an RSA key per algorithm, and one for PS256 alone is a mistake that is told at start.
    let error = Guarded::start(auth, &clock).await.err().unwrap();
    assert!(error.to_string().contains("algorithms()"), "{error}");

    let keys = Keys::pem(authority.public_key_pem(Signed::Ps256)).unwrap();
    let auth = JwtAuthenticator::keys(authority.issuer(), keys).algorithms([Algorithm::RS256]);
    let guarded = Guarded::start(auth, &clock).await.unwrap();
    guarded.refuses("PS256 where RS256 is allowed", &token).await;
}

// covers: RS13, AUTH-12
#[tokio::test]
async fn bad_tokens_are_401() {
    let (authority, guarded) = guarded().await;
    let token = || good(&authority);
    for (what, token) in [
        ("expired", token().expired(secs(1)).mint()),
        ("wrong issuer", token().issuer("https://evil.test").mint()),
        ("issuer with a slash", token().issuer(&format!("{}/", authority.issuer())).mint()),
        ("wrong signature", token().tampered().mint()),
        ("another key under the right name", token().by_stranger().mint()),
        ("alg none", token().unsigned().mint()),
        ("alg nOnE", token().unsigned().header("alg", "nOnE").mint()),
        ("HS256 with the public key", token().public_key_as_secret().mint()),
        ("HS256 with the public RSA key", token().algorithm(Signed::Rs256).public_key_as_secret().mint()),
        ("ES256 called RS256", token().header("alg", "RS256").mint()),
        ("no alg", token().header("alg", json!(null)).mint()),
        ("alg as a list", token().header("alg", json!(["ES256"])).mint()),
        ("unknown kid", token().kid("nobody").mint()),
        ("kid as a number", token().header("kid", 7).mint()),
        ("a very long kid", token().kid(&"k".repeat(1000)).mint()),
        ("typ JWT", token().typ("JWT").mint()),
        ("no typ", token().header("typ", json!(null)).mint()),
        ("typ of a proof", token().typ("dpop+jwt").mint()),
        ("ID token", token().id_token().mint()),
        ("ID token for us", token().id_token().claim("aud", MCP).mint()),
        ("no subject", token().without("sub").mint()),
        ("empty subject", token().subject("").mint()),
        ("subject as a number", token().claim("sub", 42).mint()),
        ("malformed", "abc".to_owned()),
        ("two parts", "e30.e30".to_owned()),
        ("encrypted", "e30.e30.e30.e30.e30".to_owned()),
    ] {
        guarded.refuses(what, &token).await;
    }
}

#[tokio::test]
async fn one_alg_confusion_per_key_type() {
    let (authority, guarded) = guarded().await;
    // Every published key under every other algorithm's name.
    for signed in [Signed::Rs256, Signed::Es256, Signed::EdDsa] {
        for named in ["RS256", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA", "HS256", "HS512"] {
            if named == signed.name() {
                continue;
            }
            let token = good(&authority).algorithm(signed).header("alg", named).mint();
            guarded.refuses(&format!("{signed:?} called {named}"), &token).await;
            let token =
                good(&authority).algorithm(signed).header("alg", named).header("kid", json!(null)).mint();
            guarded.refuses(&format!("{signed:?} called {named}, no kid"), &token).await;
        }
    }
}

// covers: RS06, AUTH-09, AUTH-10, RS17, SEC-02
#[tokio::test]
async fn a_token_is_good_at_the_resource_it_names_and_nowhere_else() {
    let (authority, guarded) = guarded().await;
    let token = good(&authority).mint();
    assert!(guarded.bearer_at(&guarded.mcp, &token).await.is_ok());
    // Remembered for /mcp by now, which must not help at /sse.
    let error = guarded.bearer_at(&guarded.sse, &token).await.unwrap_err();
    assert_eq!(error.kind(), &AuthErrorKind::InvalidToken);

    let both = authority.token().audience("https://mcp.test/sse").audience(MCP).mint();
    assert!(guarded.bearer_at(&guarded.mcp, &both).await.is_ok());
    assert!(guarded.bearer_at(&guarded.sse, &both).await.is_ok());
    for (what, audience) in [
        ("missing", None),
        ("upstream", Some(json!("https://graph.microsoft.com"))),
        ("the site", Some(json!("https://mcp.test"))),
        ("slash", Some(json!("https://mcp.test/mcp/"))),
        ("case", Some(json!("https://mcp.test/MCP"))),
        ("prefix", Some(json!("https://mcp.test/mcp2"))),
        ("empty list", Some(json!([]))),
        ("empty", Some(json!(""))),
        ("a list with a number in it", Some(json!([MCP, 7]))),
        ("an object", Some(json!({"aud": MCP}))),
        ("null", Some(json!(null))),
    ] {
        let token = authority.token();
        let token = match audience {
            Some(audience) => token.claim("aud", audience),
            None => token,
        };
        guarded.refuses(what, &token.mint()).await;
    }
}

#[tokio::test]
async fn the_root_resource_takes_the_slash_that_url_parsers_add() {
    let (authority, clock) = authority().await;
    let url: PublicUrl = "https://mcp.test".parse().unwrap();
    let root = ProtectedResource::new(&url, "/");
    let auth = with_keys(&authority);
    let site = SiteContext::new(url.clone(), vec![root.clone()]).with_clock(std::sync::Arc::new(clock));
    auth.start(&site).await.unwrap();
    for (audience, expected) in [
        ("https://mcp.test", true),
        ("https://mcp.test/", true),
        ("https://mcp.test//", false),
        ("https://MCP.test", false),
    ] {
        let token = authority.token().audience(audience).mint();
        let request = http::Request::get("/").header("authorization", format!("Bearer {token}"));
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let answer = auth.authenticate(&RequestHead::new(&parts, &url, "/"), &root).await;
        assert_eq!(answer.is_ok(), expected, "{audience}");
    }
}

#[tokio::test]
async fn a_configured_audience_takes_the_place_of_the_resource() {
    let (authority, clock) = authority().await;
    let auth = with_keys(&authority).audience("api://mine").audience("api://mine-too");
    let guarded = Guarded::start(auth, &clock).await.unwrap();
    assert_eq!(guarded.status(&authority.token().audience("api://mine").mint()).await, 200);
    assert_eq!(guarded.status(&authority.token().audience("api://mine-too").mint()).await, 200);
    guarded.refuses("the resource itself", &good(&authority).mint()).await;
}

// covers: AUTH-43
#[tokio::test]
async fn issuers_cannot_speak_for_each_other() {
    let (one, clock) = authority().await;
    let two = TokenAuthority::builder().clock(clock.clone()).start().await.unwrap();
    let auth = with_keys(&one).and(
        TrustedIssuer::keys(two.issuer(), Keys::jwks(two.jwks().to_string()).unwrap())
            .algorithms([Algorithm::EdDSA, Algorithm::ES256, Algorithm::RS256])
            .audience("two-only"),
    );
    let guarded = Guarded::start(auth, &clock).await.unwrap();
    assert_eq!(guarded.status(&good(&one).mint()).await, 200);
    assert_eq!(guarded.status(&two.token().audience("two-only").mint()).await, 200);
    guarded.refuses("two with the audience of one", &good(&two).mint()).await;
    guarded.refuses("one with the audience of two", &one.token().audience("two-only").mint()).await;
    guarded.refuses("two's signature under one's name", &good(&two).issuer(one.issuer()).mint()).await;
    // Same kid at both authorities, so it is the key that decides and not its name.
    assert_eq!(one.kid(Signed::Es256), two.kid(Signed::Es256));
    let metadata = guarded.auth.metadata(&guarded.mcp);
    assert_eq!(
        metadata.authorization_servers.iter().map(|i| i.as_str()).collect::<Vec<_>>(),
        [one.issuer(), two.issuer()]
    );
}

#[tokio::test]
async fn shared_secrets_work_and_their_tokens_live_an_hour_at_most() {
    let (authority, clock) = authority().await;
    let secret = SecretKey::new(authority.secret().as_bytes()).unwrap();
    let auth = JwtAuthenticator::keys(authority.issuer(), Keys::shared_secret(secret.clone()));
    let guarded = Guarded::start(auth, &clock).await.unwrap();
    let token = || good(&authority).algorithm(Signed::Hs256);
    assert_eq!(guarded.status(&token().mint()).await, 200);
    assert_eq!(guarded.status(&token().expires_in(secs(3600)).mint()).await, 200);
    guarded.refuses("an hour and a second", &token().expires_in(secs(3601)).mint()).await;
    guarded.refuses("no iat, a day", &token().without("iat").expires_in(secs(86400)).mint()).await;
    assert_eq!(guarded.status(&token().without("iat").expires_in(secs(3600)).mint()).await, 200);
    guarded.refuses("tampered", &token().tampered().mint()).await;
    guarded.refuses("another secret", &token().by_stranger().mint()).await;
    guarded.refuses("public key", &good(&authority).mint()).await;

    let auth =
        JwtAuthenticator::keys(authority.issuer(), Keys::shared_secret(secret)).max_lifetime(secs(7200));
    let guarded = Guarded::start(auth, &clock).await.unwrap();
    assert_eq!(guarded.status(&token().expires_in(secs(7200)).mint()).await, 200);
    guarded.refuses("over two hours", &token().expires_in(secs(7201)).mint()).await;
}

#[tokio::test]
async fn a_relaxed_profile_is_named_and_still_refuses_id_tokens() {
    let (authority, clock) = authority().await;
    let auth = with_keys(&authority).profile(TokenProfile::EntraId);
    let guarded = Guarded::start(auth, &clock).await.unwrap();
    let entra =
        || good(&authority).typ("JWT").without("client_id").claim("appid", "app-1").claim("scp", "a b");
    let identity = guarded.bearer(&entra().mint()).await.unwrap();
    assert_eq!(identity.client().unwrap().as_str(), "app-1");
    assert_eq!(identity.scopes().to_string(), "a b files:read");
    guarded.refuses("ID token", &entra().id_token().mint()).await;
    guarded.refuses("ID token for us", &entra().id_token().claim("aud", MCP).mint()).await;
}

// covers: EXT-DP-06, DP02, DP18
#[tokio::test]
async fn bound_tokens_are_refused_as_plain_bearer() {
    let (authority, guarded) = guarded().await;
    for binding in [
        json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}),
        json!({"x5t#S256": "abc"}),
        json!({}),
        json!(null),
        json!("x"),
        json!({"jkt": 7}),
    ] {
        let token = good(&authority).claim("cnf", binding.clone()).mint();
        guarded.refuses(&binding.to_string(), &token).await;
        guarded.refuses(&format!("{binding} again"), &token).await;
    }
}

// covers: RS12
#[tokio::test]
async fn credentials_of_other_kinds_are_left_to_others() {
    let (_, guarded) = guarded().await;
    let kind = async |headers: &[(&str, &str)]| {
        guarded.request(&guarded.mcp, headers).await.unwrap_err().kind().clone()
    };
    assert_eq!(kind(&[]).await, AuthErrorKind::Missing);
    assert_eq!(kind(&[("authorization", "Basic YTpi")]).await, AuthErrorKind::NotMine);
    assert_eq!(kind(&[("authorization", "Bearer opaque")]).await, AuthErrorKind::NotMine);
    assert_eq!(kind(&[("authorization", "DPoP opaque")]).await, AuthErrorKind::NotMine);
    assert_eq!(kind(&[("authorization", "Bearer")]).await, AuthErrorKind::InvalidToken);
    assert_eq!(
        kind(&[("authorization", "Bearer a"), ("authorization", "Bearer b")]).await,
        AuthErrorKind::InvalidToken
    );
}

// covers: AUTH-20
#[tokio::test]
async fn neither_errors_nor_debug_show_tokens_or_secrets() {
    let (authority, guarded) = guarded().await;
    let token = good(&authority).subject("mallory\r\n<script>").tampered().mint();
    let error = guarded.bearer(&token).await.unwrap_err();
    for text in [format!("{error:?}"), error.to_string(), format!("{:?}", guarded.auth)] {
        assert!(!text.contains("mallory") && !text.contains(&token[..20]), "{text}");
    }
    let keys = Keys::shared_secret(SecretKey::random());
    assert_eq!(format!("{keys:?}"), "Keys([secret])");
}

#[tokio::test]
async fn before_start_nobody_can_tell() {
    let (authority, clock) = authority().await;
    let guarded = Guarded::start(with_keys(&authority), &clock).await.unwrap();
    let unstarted = Guarded { auth: with_keys(&authority), ..guarded };
    assert_eq!(unstarted.status(&good(&authority).mint()).await, 503);
}
