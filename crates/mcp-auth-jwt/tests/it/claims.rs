//! Times, scopes and the hook for claims.

use mcp_core::{AuthError, AuthErrorKind, Scopes};
use serde_json::json;

use crate::support::{Guarded, MCP, authority, good, guarded, secs, with_keys};

// covers: KR06
#[tokio::test]
async fn an_issuers_clock_may_be_a_little_ahead() {
    let (authority, clock) = authority().await;
    let guarded = Guarded::start(with_keys(&authority).leeway(secs(20)), &clock).await.unwrap();
    let at = |name: &str, ahead: u64| {
        good(&authority).claim(name, 1_800_000_000 + ahead).expires_in(secs(900)).mint()
    };
    for claim in ["iat", "nbf"] {
        assert_eq!(guarded.status(&at(claim, 5)).await, 200, "{claim}");
        assert_eq!(guarded.status(&at(claim, 20)).await, 200, "{claim}");
        guarded.refuses(claim, &at(claim, 21)).await;
        guarded.refuses(claim, &at(claim, 300)).await;
    }
}

#[tokio::test]
async fn a_token_ends_at_exp_and_not_a_moment_later() {
    let (authority, guarded) = guarded().await;
    let token = good(&authority).mint();
    for (moved, expected) in [(0, 200), (299_999, 200), (1, 401), (1, 401)] {
        guarded.clock.advance(std::time::Duration::from_millis(moved));
        assert_eq!(guarded.status(&token).await, expected);
    }
    // The same for one that was never seen before.
    guarded.clock.set(crate::support::START);
    let fresh = good(&authority).mint();
    guarded.clock.advance(secs(300));
    assert_eq!(guarded.status(&fresh).await, 401);
}

#[tokio::test]
async fn times_are_whole_numbers_or_the_token_is_refused() {
    let (authority, guarded) = guarded().await;
    for claim in ["exp", "nbf", "iat"] {
        for value in [
            json!("1800000100"),
            json!(null),
            json!([1_800_000_100]),
            json!(1_800_000_100.5),
            json!(-1),
            json!({}),
            json!(true),
            json!(1e30),
        ] {
            let token = good(&authority).claim(claim, value.clone()).mint();
            guarded.refuses(&format!("{claim} = {value}"), &token).await;
        }
    }
    guarded.refuses("no exp", &good(&authority).without("exp").mint()).await;
    guarded.refuses("exp = 0", &good(&authority).claim("exp", 0).mint()).await;
    assert_eq!(guarded.status(&good(&authority).claim("exp", u64::MAX).mint()).await, 200);
    assert_eq!(guarded.status(&good(&authority).without("iat").without("nbf").mint()).await, 200);
}

#[tokio::test]
async fn a_lifetime_can_be_demanded_of_any_issuer() {
    let (authority, clock) = authority().await;
    let guarded = Guarded::start(with_keys(&authority).max_lifetime(secs(300)), &clock).await.unwrap();
    assert_eq!(guarded.status(&good(&authority).mint()).await, 200);
    guarded.refuses("longer", &good(&authority).expires_in(secs(301)).mint()).await;
}

#[tokio::test]
async fn scopes_come_from_scope_and_scp_as_text_or_list() {
    let (authority, guarded) = guarded().await;
    for (scope, scp, expected) in [
        (json!("b a"), json!(null), "a b"),
        (json!(["b", "a"]), json!(null), "a b"),
        (json!(["b a", "c"]), json!(null), "a b c"),
        (json!(null), json!("a b"), "a b"),
        (json!(null), json!(["a", "b"]), "a b"),
        (json!("a"), json!("b"), "a b"),
        (json!(""), json!([]), ""),
        (json!(7), json!({"a": 1}), ""),
        (json!(["a", 7, null, "quo\"te"]), json!(null), "a"),
    ] {
        let token = authority.token().audience(MCP).claim("scope", scope.clone()).claim("scp", scp.clone());
        let identity = guarded.bearer(&token.mint()).await.unwrap();
        assert_eq!(identity.scopes().to_string(), expected, "{scope} {scp}");
    }
}

#[tokio::test]
async fn the_client_is_client_id_or_azp() {
    let (authority, guarded) = guarded().await;
    let client =
        async |token: String| guarded.bearer(&token).await.unwrap().client().map(ToString::to_string);
    assert_eq!(client(good(&authority).claim("azp", "b").mint()).await.as_deref(), Some("test-client"));
    let token = good(&authority).without("client_id").claim("azp", "b").mint();
    assert_eq!(client(token).await.as_deref(), Some("b"));
    assert_eq!(client(good(&authority).without("client_id").mint()).await, None);
}

// covers: AUTH-31
#[tokio::test]
async fn claims_can_be_mapped_and_can_refuse() {
    let (authority, clock) = authority().await;
    let auth = with_keys(&authority).map_claims(|claims, identity| {
        if claims.get("staff") != Some(&json!(true)) {
            return Err(AuthError::forbidden("only staff may use this server"));
        }
        let login = claims.get("login").cloned().unwrap_or_default();
        Ok(identity.scopes(Scopes::from("admin")).props(json!({ "login": login })))
    });
    let guarded = Guarded::start(auth, &clock).await.unwrap();
    let token = good(&authority).claim("staff", true).claim("login", "ada").mint();
    let identity = guarded.bearer(&token).await.unwrap();
    assert_eq!(identity.props::<serde_json::Value>().unwrap(), json!({"login": "ada"}));
    assert_eq!(identity.scopes().to_string(), "admin");
    assert_eq!(identity.claims()["login"], "ada");
    assert_eq!(identity.subject().as_str(), "alice");
    // Whatever scopes the token claims.
    let visitor = good(&authority).scopes("admin files:read").mint();
    let error = guarded.bearer(&visitor).await.unwrap_err();
    assert_eq!(error.kind(), &AuthErrorKind::Forbidden);
}
