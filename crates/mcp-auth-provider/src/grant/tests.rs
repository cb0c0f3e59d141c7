//! Codes and refresh tokens in races, at the edges of time, and with a store that breaks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64ct::{Base64UrlUnpadded, Encoding};
use mcp_auth_testkit::FakeClock;
use mcp_core::audit::Audit;
use mcp_core::{Clock, Issuer, ProtectedResource, PublicUrl, Scopes, SiteContext};
use mcp_store::{Batch, MemoryStore, Partition, Vault};
use serde_json::{Value, json};

use crate::browser::BrowserLimits;
use crate::client::{Client, ClientAuthentication, ClientOrigin, Clients, ClientsConfig, GrantType};
use crate::dpop::{DpopChecks, DpopPolicy, ProvenKey};
use crate::engine::Engine;
use crate::pages::Pages;
use crate::scope_info::{ScopeCatalogue, ScopeInfo};
use crate::settings::{Lifetimes, Paths};
use crate::sign_in::{BrowserRequest, GrantView, Refreshed, SignIn, SignInRoute, SignInState, Step, User};
use crate::wire::{CodeChallenge, OAuthError, Params};

use super::*;

pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CALLBACK: &str = "https://c.test/cb";
pub(crate) const RS: &str = "https://mcp.test/mcp";
pub(crate) const RS2: &str = "https://mcp.test/mcp2";

/// Says at a refresh whatever it is told.
#[derive(Debug, Default)]
pub(crate) struct Scripted {
    pub(super) refreshed: std::sync::Mutex<Option<Refreshed>>,
    pub(super) ended: AtomicUsize,
}

#[async_trait::async_trait]
impl SignIn for Scripted {
    fn routes(&self) -> Vec<SignInRoute> {
        Vec::new()
    }

    async fn step(&self, _: &mut SignInState, _: BrowserRequest) -> Step {
        Step::Unavailable
    }

    async fn refresh(&self, _: &GrantView, _: &Value) -> Refreshed {
        self.refreshed.lock().unwrap().take().unwrap_or(Refreshed::Keep)
    }

    async fn ended(&self, _: &GrantView, _: &Value) {
        self.ended.fetch_add(1, Ordering::Relaxed);
    }
}

pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) clock: FakeClock,
    pub(super) sign_in: Arc<Scripted>,
    pub(crate) web: Client,
    other: Client,
}

pub(crate) async fn world() -> World {
    world_with(DpopPolicy::new(), MemoryStore::new()).await
}

pub(crate) async fn world_with(dpop: DpopPolicy, store: impl mcp_store::Store) -> World {
    let clock = FakeClock::default();
    let url: PublicUrl = "https://mcp.test".parse().unwrap();
    let shared: Arc<dyn Clock> = Arc::new(clock.clone());
    let vault = Vault::open(Arc::new(store), None, shared.clone()).await.unwrap();
    let sign_in = Arc::new(Scripted::default());
    let mut scopes = ScopeCatalogue::default();
    for name in ["mcp:read", "mcp:write"] {
        scopes.add(ScopeInfo::new(name).unwrap());
    }
    let resources = ["/mcp", "/mcp2"].map(|path| ProtectedResource::new(&url, path)).to_vec();
    let site = SiteContext::new(url.clone(), resources.clone()).with_clock(shared.clone());
    let lifetimes = Lifetimes::new();
    let engine = Engine {
        issuer: Issuer::new(url.as_str()),
        url,
        resources,
        clock: shared,
        audit: Audit::default(),
        dpop: DpopChecks::start(&dpop, &vault).unwrap(),
        idps: crate::idp::Idps::default(),
        vault,
        sign_in: sign_in.clone(),
        clients: Clients::start(&ClientsConfig::default(), &site).unwrap(),
        pages: Pages::default(),
        browser: BrowserLimits::default(),
        site,
        scopes,
        keys: None,
        resource_servers: Vec::new(),
        known: KnownTokens::new(100, lifetimes.notice),
        lifetimes,
        paths: Paths::new(),
        device_grant: false,
        pushed_only: false,
        offline_only: false,
        skip_consent: false,
    };
    World { engine, clock, sign_in, web: client("web"), other: client("other") }
}

pub(crate) fn client(id: &str) -> Client {
    Client {
        id: id.into(),
        origin: ClientOrigin::Operator,
        name: None,
        redirect_uris: vec![CALLBACK.into()],
        authentication: ClientAuthentication::None,
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        scopes: None,
        resources: None,
        application_type: None,
        client_uri: None,
        dpop_bound: false,
        require_par: false,
        digest: String::new(),
        created_at: mcp_core::Timestamp::default(),
        extra: serde_json::Map::new(),
    }
}

pub(crate) fn params(pairs: &[(&str, &str)]) -> Params {
    Params::from_pairs(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

impl World {
    pub(crate) async fn code(&self) -> String {
        self.code_for(&[RS]).await
    }

    pub(crate) async fn code_for(&self, resources: &[&str]) -> String {
        self.code_as("ada", resources, None).await.unwrap()
    }

    /// A code that only the holder of this key may redeem.
    pub(super) async fn bound_code(&self, jkt: &str) -> String {
        self.code_as("ada", &[RS], Some(jkt.to_owned())).await.unwrap()
    }

    pub(crate) async fn code_of_user(&self, subject: &str) -> Result<String, mcp_store::StoreError> {
        self.code_as(subject, &[RS], None).await
    }

    /// How often the sign-in was told of an end.
    pub(crate) fn sign_in_ended(&self) -> usize {
        self.sign_in.ended.load(Ordering::Relaxed)
    }

    async fn code_as(
        &self,
        subject: &str,
        resources: &[&str],
        jkt: Option<String>,
    ) -> Result<String, mcp_store::StoreError> {
        let partition = Partition::random();
        let hash = Base64UrlUnpadded::encode_string(digest(&SHA256, VERIFIER.as_bytes()).as_ref());
        let user = User::new(subject, "Ada", self.clock.now())
            .props(json!({ "email": "ada@example.com" }))
            .memory(json!({ "upstream": "secret" }));
        let new = NewGrant {
            partition: &partition,
            client: &self.web,
            user: &user,
            scopes: Scopes::from("mcp:read mcp:write"),
            resources: resources.iter().map(|r| (*r).to_owned()).collect(),
            redirect_uri: CALLBACK.into(),
            challenge: CodeChallenge::read(Some(&hash), Some("S256")).unwrap(),
            jkt,
            refreshable: true,
        };
        let (batch, code) = begin(&self.engine, Batch::new(), new, ConsentGranted::witnessed()).await?;
        assert!(self.engine.vault.commit(&partition, batch).await?.is_done());
        Ok(code.expose().to_owned())
    }

    pub(crate) async fn redeem(
        &self,
        client: &Client,
        code: &str,
        more: &[(&str, &str)],
    ) -> Result<TokenAnswer, OAuthError> {
        let mut pairs = vec![("code", code), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];
        for (name, value) in more {
            pairs.retain(|(own, _)| own != name);
            pairs.push((name, value));
        }
        self.redeem_with(client, &pairs, None).await
    }

    pub(crate) async fn redeem_with(
        &self,
        client: &Client,
        pairs: &[(&str, &str)],
        key: Option<&ProvenKey>,
    ) -> Result<TokenAnswer, OAuthError> {
        redeem(&self.engine, client, &params(pairs), key).await
    }

    pub(crate) async fn tokens(&self) -> TokenAnswer {
        self.redeem(&self.web, &self.code().await, &[]).await.unwrap()
    }

    pub(crate) async fn refresh(
        &self,
        token: &str,
        more: &[(&str, &str)],
    ) -> Result<TokenAnswer, OAuthError> {
        let mut pairs = vec![("refresh_token", token)];
        pairs.extend_from_slice(more);
        refresh(&self.engine, &self.web, &params(&pairs), None).await
    }

    /// Whether an access token is good, asked past every cache.
    pub(crate) async fn is_good(&self, token: &str) -> bool {
        let Ok(place) = place_of(&self.engine, token) else { return false };
        still_good(&self.engine, &place).await.is_ok()
    }
}

pub(crate) fn refresh_of(answer: &TokenAnswer) -> &str {
    answer.refresh_token.as_deref().unwrap()
}

// covers: AC01
#[tokio::test]
async fn a_code_is_good_once_and_a_double_submit_ends_nothing() {
    let world = world().await;
    let code = world.code().await;
    let first = world.redeem(&world.web, &code, &[]).await.unwrap();
    let again = world.redeem(&world.web, &code, &[]).await.unwrap_err();
    assert_eq!(again.code(), "invalid_grant");
    assert!(world.is_good(&first.access_token).await);
}

// covers: AC02
#[tokio::test]
async fn a_later_replay_of_a_code_kills_what_it_gave_but_only_with_its_verifier() {
    let world = world().await;
    let code = world.code().await;
    let first = world.redeem(&world.web, &code, &[]).await.unwrap();
    let second = world.refresh(refresh_of(&first), &[]).await.unwrap();
    world.clock.advance(Duration::from_secs(30));
    for wrong in [[("code_verifier", "x".repeat(50))], [("redirect_uri", "https://c.test/other".to_owned())]]
    {
        let wrong: Vec<_> = wrong.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(world.redeem(&world.web, &code, &wrong).await.unwrap_err().code(), "invalid_grant");
        assert!(world.is_good(&second.access_token).await);
    }
    assert_eq!(world.redeem(&world.other, &code, &[]).await.unwrap_err().code(), "invalid_grant");
    assert!(world.is_good(&second.access_token).await);

    assert_eq!(world.redeem(&world.web, &code, &[]).await.unwrap_err().code(), "invalid_grant");
    assert!(!world.is_good(&first.access_token).await);
    assert!(!world.is_good(&second.access_token).await);
    assert_eq!(world.refresh(refresh_of(&second), &[]).await.unwrap_err().code(), "invalid_grant");
    assert_eq!(world.sign_in.ended.load(Ordering::Relaxed), 1);
}

// covers: AC03, AC04, AC07, PK08, PK09, RS03
#[tokio::test]
async fn a_failed_redemption_burns_nothing() {
    let world = world().await;
    let code = world.code().await;
    for (more, error) in [
        (("redirect_uri", "https://c.test/other"), "invalid_grant"),
        (("code_verifier", ""), "invalid_grant"),
        (("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl"), "invalid_grant"),
        (("resource", RS2), "invalid_target"),
        (("resource", "https://other.test/mcp"), "invalid_target"),
    ] {
        assert_eq!(world.redeem(&world.web, &code, &[more]).await.unwrap_err().code(), error, "{more:?}");
    }
    assert_eq!(world.redeem(&world.other, &code, &[]).await.unwrap_err().code(), "invalid_grant");
    world.clock.advance(Duration::from_millis(59_999));
    assert!(world.redeem(&world.web, &code, &[]).await.is_ok());

    let late = world.code().await;
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(world.redeem(&world.web, &late, &[]).await.unwrap_err().code(), "invalid_grant");
}

// covers: RS04
#[tokio::test]
async fn a_token_is_for_one_resource() {
    let world = world().await;
    let code = world.code_for(&[RS, RS2]).await;
    assert_eq!(world.redeem(&world.web, &code, &[]).await.unwrap_err().code(), "invalid_target");
    let first = world.redeem(&world.web, &code, &[("resource", RS)]).await.unwrap();
    let second = world.refresh(refresh_of(&first), &[("resource", RS2)]).await.unwrap();
    let usual = world.refresh(refresh_of(&second), &[]).await.unwrap();
    for (answer, resource) in [(&first, RS), (&second, RS2), (&usual, RS)] {
        let place = place_of(&world.engine, &answer.access_token).unwrap();
        let known = look_up(&world.engine, &place, &answer.access_token, &[0; 32]).await.unwrap();
        assert_eq!(known.identity.audience()[0].as_str(), resource);
        assert_eq!(known.identity.props::<Value>().unwrap()["email"], "ada@example.com");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_racers_one_redeems_a_code() {
    let world = Arc::new(world().await);
    let code = world.code().await;
    let racers: Vec<_> = (0..64)
        .map(|_| {
            let (world, code) = (world.clone(), code.clone());
            tokio::spawn(async move { world.redeem(&world.web, &code, &[]).await })
        })
        .collect();
    let mut won = Vec::new();
    for racer in racers {
        match racer.await.unwrap() {
            Ok(answer) => won.push(answer),
            Err(error) => assert_eq!(error.code(), "invalid_grant"),
        }
    }
    assert_eq!(won.len(), 1);
    assert!(world.is_good(&won[0].access_token).await);
    assert!(world.refresh(refresh_of(&won[0]), &[]).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_refreshes_all_get_the_same_family() {
    let world = Arc::new(world().await);
    let first = world.tokens().await;
    let racers: Vec<_> = (0..64)
        .map(|_| {
            let (world, token) = (world.clone(), refresh_of(&first).to_owned());
            tokio::spawn(async move { world.refresh(&token, &[]).await })
        })
        .collect();
    let mut successors = std::collections::HashSet::new();
    for racer in racers {
        let answer = racer.await.unwrap().unwrap();
        assert!(world.is_good(&answer.access_token).await);
        successors.insert(answer.refresh_token.unwrap());
    }
    assert_eq!(successors.len(), 1);
    let successor = successors.into_iter().next().unwrap();
    assert!(world.refresh(&successor, &[]).await.is_ok());
}

// covers: RT08
#[tokio::test]
async fn a_lost_answer_is_given_again_with_less_time_left() {
    let world = world().await;
    let first = world.tokens().await;
    let second = world.refresh(refresh_of(&first), &[("scope", "mcp:read")]).await.unwrap();
    world.clock.advance(Duration::from_millis(59_999));
    let again = world.refresh(refresh_of(&first), &[("scope", "mcp:read")]).await.unwrap();
    assert_eq!(again.access_token, second.access_token);
    assert_eq!(again.refresh_token, second.refresh_token);
    let body = again.into_response(world.clock.now());
    let bytes = http_body_util::BodyExt::collect(body.into_body()).await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(body["expires_in"], 3600 - 60);

    // Another scope or resource within the window: refused, and nothing is revoked.
    for more in [[("scope", "mcp:write")], [("resource", RS)]] {
        assert_eq!(world.refresh(refresh_of(&first), &more).await.unwrap_err().code(), "invalid_grant");
    }
    assert!(world.is_good(&second.access_token).await);
}

// covers: RT07
#[tokio::test]
async fn reuse_after_the_window_or_after_the_successor_was_used_ends_the_grant() {
    let world = world().await;
    let first = world.tokens().await;
    let second = world.refresh(refresh_of(&first), &[]).await.unwrap();
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(world.refresh(refresh_of(&first), &[]).await.unwrap_err().code(), "invalid_grant");
    assert!(!world.is_good(&second.access_token).await);
    assert_eq!(world.refresh(refresh_of(&second), &[]).await.unwrap_err().code(), "invalid_grant");

    let first = world.tokens().await;
    let second = world.refresh(refresh_of(&first), &[]).await.unwrap();
    let third = world.refresh(refresh_of(&second), &[]).await.unwrap();
    assert_eq!(world.refresh(refresh_of(&first), &[]).await.unwrap_err().code(), "invalid_grant");
    assert!(!world.is_good(&third.access_token).await);
}

// covers: RT01, RT03, RT04, RT05, RT17, RT19, AC13
#[tokio::test]
async fn a_failed_refresh_rotates_nothing_and_narrowing_is_for_once() {
    let world = world().await;
    let first = world.tokens().await;
    let token = refresh_of(&first);
    let by_other = refresh(&world.engine, &world.other, &params(&[("refresh_token", token)]), None).await;
    assert_eq!(by_other.unwrap_err().code(), "invalid_grant");
    assert_eq!(
        world.refresh(token, &[("scope", "mcp:read mcp:admin")]).await.unwrap_err().code(),
        "invalid_scope"
    );
    assert_eq!(world.refresh(token, &[("resource", RS2)]).await.unwrap_err().code(), "invalid_target");
    assert_eq!(world.refresh(&first.access_token, &[]).await.unwrap_err().code(), "invalid_grant");
    for wrong in [token, &first.access_token] {
        assert_eq!(world.redeem(&world.web, wrong, &[]).await.unwrap_err().code(), "invalid_grant");
    }

    let narrowed = world.refresh(token, &[("scope", "mcp:read")]).await.unwrap();
    assert_eq!(narrowed.scope, "mcp:read");
    let mut last = world.refresh(refresh_of(&narrowed), &[]).await.unwrap();
    assert_eq!(last.scope, "mcp:read mcp:write");
    let mut seen = std::collections::HashSet::new();
    for _ in 0..5 {
        assert!(seen.insert(last.refresh_token.clone().unwrap()));
        last = world.refresh(refresh_of(&last), &[]).await.unwrap();
    }
}

// covers: RT06
#[tokio::test]
async fn a_refresh_token_ends_when_unused_and_with_its_grant() {
    let world = world().await;
    let idle = world.tokens().await;
    world.clock.advance(Duration::from_secs(30 * 24 * 3600));
    assert_eq!(world.refresh(refresh_of(&idle), &[]).await.unwrap_err().code(), "invalid_grant");

    let mut used = world.tokens().await;
    for _ in 0..7 {
        world.clock.advance(Duration::from_secs(25 * 24 * 3600));
        used = world.refresh(refresh_of(&used), &[]).await.unwrap();
    }
    world.clock.advance(Duration::from_secs(5 * 24 * 3600));
    assert_eq!(world.refresh(refresh_of(&used), &[]).await.unwrap_err().code(), "invalid_grant");
}

#[tokio::test]
async fn the_sign_in_has_a_word_at_each_refresh() {
    let world = world().await;
    let first = world.tokens().await;
    let changed = Refreshed::Changed {
        props: Some(json!({ "email": "new@example.com" })),
        memory: None,
        scopes: Some(Scopes::from("mcp:read")),
    };
    *world.sign_in.refreshed.lock().unwrap() = Some(changed);
    let second = world.refresh(refresh_of(&first), &[]).await.unwrap();
    assert_eq!(second.scope, "mcp:read");
    for answer in [&first, &second] {
        let place = place_of(&world.engine, &answer.access_token).unwrap();
        let known = look_up(&world.engine, &place, &answer.access_token, &[0; 32]).await.unwrap();
        assert_eq!(known.identity.props::<Value>().unwrap()["email"], "new@example.com");
    }

    *world.sign_in.refreshed.lock().unwrap() = Some(Refreshed::Unavailable);
    let down = world.refresh(refresh_of(&second), &[]).await.unwrap_err();
    assert_eq!(down.status(), 503);
    let third = world.refresh(refresh_of(&second), &[]).await.unwrap();

    *world.sign_in.refreshed.lock().unwrap() = Some(Refreshed::Ended);
    assert_eq!(world.refresh(refresh_of(&third), &[]).await.unwrap_err().code(), "invalid_grant");
    assert!(!world.is_good(&third.access_token).await);
}

// covers: AC14, RT15
#[tokio::test]
async fn ending_the_grants_of_a_user_or_a_client_kills_codes_and_tokens() {
    let world = world().await;
    let (code, held) = (world.code().await, world.tokens().await);
    assert_eq!(page_of_user(&world.engine, "ada", None).await.unwrap().0.len(), 2);
    assert_eq!(page_of_client(&world.engine, &world.web.id, None).await.unwrap().0.len(), 2);
    assert_eq!(end_of_user(&world.engine, "ada", "locked").await.unwrap(), 2);
    assert_eq!(world.redeem(&world.web, &code, &[]).await.unwrap_err().code(), "invalid_grant");
    assert_eq!(world.refresh(refresh_of(&held), &[]).await.unwrap_err().code(), "invalid_grant");
    assert!(!world.is_good(&held.access_token).await);
    assert_eq!(page_of_user(&world.engine, "ada", None).await.unwrap().0, []);
    assert_eq!(end_of_client(&world.engine, &world.web.id, "deleted").await.unwrap(), 0);
}

#[tokio::test]
async fn a_known_token_is_forgotten_at_once_here_and_within_a_second_elsewhere() {
    let world = world().await;
    let held = world.tokens().await;
    let place = place_of(&world.engine, &held.access_token).unwrap();
    look_up(&world.engine, &place, &held.access_token, &[7; 32]).await.unwrap();
    assert!(world.engine.known.get(&[7; 32], world.clock.now()).is_some());
    world.clock.advance(Duration::from_millis(999));
    assert!(world.engine.known.get(&[7; 32], world.clock.now()).is_some());
    world.clock.advance(Duration::from_millis(1));
    assert!(world.engine.known.get(&[7; 32], world.clock.now()).is_none());

    look_up(&world.engine, &place, &held.access_token, &[7; 32]).await.unwrap();
    end(&world.engine, &place.partition, "test").await.unwrap();
    assert!(world.engine.known.get(&[7; 32], world.clock.now()).is_none());
}
