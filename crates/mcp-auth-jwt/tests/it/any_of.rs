//! Several authenticators as one: what is said at once is what would be said the long way.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock, Mutex};

use mcp_auth_jwt::{ApiKeys, KeyList, NewKey, TokenIssuer, TokenRequest};
use mcp_auth_testkit::FakeClock;
use mcp_core::{
    AnyOf, AtOnce, AuthError, AuthErrorKind, Authenticator, Credential, Identity, ProtectedResource,
    RequestHead, async_trait,
};
use proptest::prelude::*;
use tokio::runtime::Runtime;

use crate::stand::{Stand, site};
use crate::support::{MCP, authority, good, with_keys};

/// Refuses the tokens on its list, and knows no others. A plain one: it says nothing at once.
#[derive(Clone, Debug, Default)]
struct DenyList(Arc<Mutex<HashSet<String>>>);

#[async_trait]
impl Authenticator for DenyList {
    async fn authenticate(
        &self,
        request: &RequestHead<'_>,
        _: &ProtectedResource,
    ) -> Result<Identity, AuthError> {
        match request.credential()? {
            Credential::Bearer(token) if self.0.lock().unwrap().contains(token) => {
                Err(AuthError::invalid_token("the token was taken back"))
            }
            _ => Err(AuthError::not_mine()),
        }
    }
}

fn keys_of(key: &NewKey) -> ApiKeys {
    ApiKeys::new(KeyList::new([key.entry().clone()]).unwrap())
}

// covers: AUTH-06
#[tokio::test]
async fn a_token_that_was_verified_before_is_refused_by_whoever_comes_first() {
    let (authority, clock) = authority().await;
    let denied = DenyList::default();
    let client = site(AnyOf::new().or(denied.clone()).or(with_keys(&authority)), &clock).await;
    let token = good(&authority).mint();
    for _ in 0..3 {
        client.post("/mcp").bearer(&token).send().await.expect_status(200);
    }
    denied.0.lock().unwrap().insert(token.clone());
    let answer = client.post("/mcp").bearer(&token).send().await.expect_status(401);
    answer.expect_challenge(|c| c.error("invalid_token"));
}

#[tokio::test]
async fn a_token_that_was_verified_before_is_known_at_once_in_whatever_order() {
    let (authority, clock) = authority().await;
    let key = ApiKeys::generate("ada");
    let token = good(&authority).subject("bob").mint();
    let jwt = || with_keys(&authority);
    for members in [
        AnyOf::new().or(jwt()),
        AnyOf::new().or(jwt()).or(keys_of(&key)),
        AnyOf::new().or(keys_of(&key)).or(jwt()),
        AnyOf::new().or(keys_of(&key).header("x-api-key")).or(AnyOf::new().or(jwt())),
        #[cfg(feature = "fetch")]
        AnyOf::new().or(introspection()).or(keys_of(&key)).or(jwt()),
    ] {
        let stand = Stand::start(members, &clock).await.unwrap();
        assert!(matches!(stand.bearer_at_once(&token), AtOnce::Ask));
        stand.bearer(&token).await.unwrap();
        match stand.bearer_at_once(&token) {
            AtOnce::Known(identity) => {
                assert_eq!(identity.subject().as_str(), "bob");
                stand.auth.still_valid(&identity).await.unwrap();
            }
            other => panic!("{other:?} of {:?}", stand.auth),
        }
        // A key is looked up each time.
        assert!(!matches!(stand.bearer_at_once(key.key().expose()), AtOnce::Known(_)));
    }
}

// covers: KR02
#[tokio::test]
async fn an_own_token_is_known_at_once_until_its_key_is_retired() {
    let clock = FakeClock::new();
    let issuer = TokenIssuer::generate("urn:mcp-test:own").unwrap();
    let stand = Stand::start(AnyOf::new().or(issuer.authenticator()), &clock).await.unwrap();
    let token = issuer.mint(&TokenRequest::new("job", MCP)).unwrap();
    stand.bearer(token.expose()).await.unwrap();
    assert!(matches!(stand.bearer_at_once(token.expose()), AtOnce::Known(_)));
    issuer.retire(&issuer.key_id());
    assert!(matches!(stand.bearer_at_once(token.expose()), AtOnce::Ask));
    stand.bearer(token.expose()).await.unwrap_err();
}

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
static STANDS: LazyLock<Vec<Stand<Arc<dyn Authenticator>>>> = LazyLock::new(|| RUNTIME.block_on(stands()));

/// One of each kind, and one that was never started.
async fn stands() -> Vec<Stand<Arc<dyn Authenticator>>> {
    let (authority, clock) = authority().await;
    let key = ApiKeys::generate("ada");
    let issuer = TokenIssuer::generate("urn:mcp-test:own").unwrap();
    let all: Vec<Arc<dyn Authenticator>> = vec![
        Arc::new(with_keys(&authority)),
        Arc::new(keys_of(&key)),
        Arc::new(keys_of(&key).header("x-api-key")),
        Arc::new(issuer.authenticator()),
        Arc::new(AnyOf::new().or(keys_of(&key)).or(with_keys(&authority))),
        #[cfg(feature = "dpop")]
        Arc::new(with_keys(&authority).dpop(mcp_auth_jwt::Dpop::new())),
        #[cfg(feature = "fetch")]
        Arc::new(introspection()),
    ];
    let mut stands = vec![Stand::not_started(Arc::new(with_keys(&authority)) as Arc<dyn Authenticator>)];
    for auth in all {
        stands.push(Stand::start(auth, &clock).await.unwrap());
    }
    stands
}

/// Asks an issuer that knows no token.
#[cfg(feature = "fetch")]
fn introspection() -> mcp_auth_jwt::Introspection {
    let issuer = |_: http::Request<bytes::Bytes>| async {
        let answer = bytes::Bytes::from_static(br#"{"active":false}"#);
        Ok::<_, mcp_outbound::OutboundError>(http::Response::new(answer))
    };
    mcp_auth_jwt::Introspection::new("https://idp.test/introspect")
        .client_secret_basic("mcp", "s3cret")
        .http_client(issuer)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nobody_says_at_once_that_a_credential_is_not_its_own_and_then_judges_it(
        scheme in "|Bearer |bearer  |DPoP |Basic |Bearer",
        token in "(mcpk|eyJ|key)?_?[A-Za-z0-9_-]{0,20}(\\.[A-Za-z0-9_-]{0,12}){0,4}=?",
        count in 0..3_usize,
        own in proptest::option::of("(mcpk_)?[a-z]{0,9}"),
    ) {
        let value = format!("{scheme}{token}");
        let mut headers = vec![("authorization", value.as_str()); count];
        headers.extend(own.as_deref().map(|own| ("x-api-key", own)));
        for stand in &*STANDS {
            match (stand.at_once(&headers), RUNTIME.block_on(stand.with_headers(&headers))) {
                (AtOnce::Ask, _) => {}
                (AtOnce::NotMine, Err(error)) => prop_assert!(
                    matches!(error.kind(), AuthErrorKind::NotMine | AuthErrorKind::Missing),
                    "{error:?} of {:?}", stand.auth,
                ),
                (now, then) => prop_assert!(false, "{now:?}, then {then:?}"),
            }
        }
    }
}
