//! Proofs at the token endpoint: once each, on every node; and what codes and refresh tokens are bound to.

use std::sync::Arc;
use std::time::Duration;

use mcp_auth_testkit::DpopKey;
use mcp_core::{Clock, SecretKey};
use mcp_store::{MemoryStore, RootKey};

use super::*;
use crate::client::ClientAuthentication;
use crate::grant::tests::{CALLBACK, VERIFIER, World, client, params, refresh_of, world, world_with};
use crate::grant::{TokenAnswer, look_up, place_of, refresh};

const TOKEN: &str = "https://mcp.test/token";

fn head(proofs: &[&str]) -> Parts {
    let mut request = http::Request::post("/token");
    for proof in proofs {
        request = request.header("dpop", *proof);
    }
    request.body(()).unwrap().into_parts().0
}

fn confidential() -> Client {
    let authentication = ClientAuthentication::Secret { basic: true, hash: Vec::new(), expires_at: None };
    Client { authentication, ..client("web") }
}

impl World {
    fn prove(&self, proof: &str) -> Result<Option<ProvenKey>, OAuthError> {
        self.engine.dpop.prove(&self.engine, &head(&[proof]), "/token", &self.web)
    }

    fn key(&self, key: &DpopKey) -> ProvenKey {
        self.prove(&key.proof("POST", TOKEN, self.clock.now()).mint()).unwrap().unwrap()
    }

    async fn bound(&self, client: &Client, key: &ProvenKey) -> Result<TokenAnswer, OAuthError> {
        let code = self.code().await;
        let pairs = [("code", code.as_str()), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];
        self.redeem_with(client, &pairs, Some(key)).await
    }

    async fn again(
        &self,
        client: &Client,
        token: &str,
        key: Option<&ProvenKey>,
    ) -> Result<TokenAnswer, OAuthError> {
        refresh(&self.engine, client, &params(&[("refresh_token", token)]), key).await
    }

    async fn jkt(&self, answer: &TokenAnswer) -> Option<String> {
        let token = &answer.access_token;
        look_up(&self.engine, &place_of(&self.engine, token).unwrap(), token, &[0; 32])
            .await
            .unwrap()
            .jkt
            .clone()
    }
}

fn code_of<T: fmt::Debug>(result: Result<T, OAuthError>) -> &'static str {
    result.unwrap_err().code()
}

// covers: DP15
#[tokio::test]
async fn a_client_that_said_so_must_prove_a_key_and_a_wrong_proof_is_not_none() {
    let world = world().await;
    let none = head(&[]);
    let prove =
        |head: &Parts, client: &Client| world.engine.dpop.prove(&world.engine, head, "/token", client);
    assert!(prove(&none, &world.web).unwrap().is_none());
    let said = Client { dpop_bound: true, ..client("web") };
    let error = prove(&none, &said).unwrap_err();
    assert_eq!((error.status().as_u16(), error.code()), (400, "invalid_dpop_proof"));
    let strict = world_with(DpopPolicy::new().required(), MemoryStore::new()).await;
    let error = strict.engine.dpop.prove(&strict.engine, &none, "/token", &strict.web).unwrap_err();
    assert_eq!(error.code(), "invalid_dpop_proof");

    let (key, now) = (DpopKey::generate(), world.clock.now());
    let good = || key.proof("POST", TOKEN, now);
    assert_eq!(code_of(prove(&head(&[&good().mint(), &good().mint()]), &world.web)), "invalid_dpop_proof");
    for wrong in [
        key.proof("GET", TOKEN, now),
        key.proof("POST", "https://mcp.test/par", now),
        key.proof("POST", "https://other.test/token", now),
        key.proof("POST", TOKEN, now + Duration::from_secs(301)),
        key.proof("POST", TOKEN, now - Duration::from_secs(301)),
        good().header("typ", "jwt"),
        good().header("alg", "none"),
        good().header("jwk", DpopKey::generate().jwk()),
        good().claim("jti", serde_json::Value::Null),
    ] {
        assert_eq!(code_of(world.prove(&wrong.mint())), "invalid_dpop_proof");
    }
    // An `ath` where no token is presented says nothing.
    assert!(world.prove(&good().token("x").mint()).is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_racers_with_one_proof_one_goes_on() {
    let world = Arc::new(world().await);
    let proof = DpopKey::generate().proof("POST", TOKEN, world.clock.now()).mint();
    let racers: Vec<_> = (0..64)
        .map(|_| {
            let (world, proof) = (world.clone(), proof.clone());
            // Each with a code of its own, so that only the proof can hold them back.
            tokio::spawn(async move {
                let key = world.prove(&proof).unwrap().unwrap();
                world.bound(&world.web, &key).await
            })
        })
        .collect();
    let mut won = 0;
    for racer in racers {
        match racer.await.unwrap() {
            Ok(answer) => {
                won += 1;
                assert_eq!(answer.token_type, "DPoP");
            }
            Err(error) => assert_eq!(error.code(), "invalid_dpop_proof"),
        }
    }
    assert_eq!(won, 1);
}

#[tokio::test]
async fn a_proof_is_remembered_to_its_end_and_a_refused_request_costs_none() {
    let world = world().await;
    let key = DpopKey::generate();
    let proof = key.proof("POST", TOKEN, world.clock.now() + Duration::from_secs(300)).mint();
    let proven = world.prove(&proof).unwrap().unwrap();
    let nothing = world.redeem_with(&world.web, &[("code", "mcp_ac_x")], Some(&proven)).await;
    assert_eq!(code_of(nothing), "invalid_grant");
    assert!(world.bound(&world.web, &proven).await.is_ok());
    // Its `iat` is in whole seconds.
    world.clock.advance(Duration::from_secs(599));
    let again = world.prove(&proof).unwrap().unwrap();
    assert_eq!(code_of(world.bound(&world.web, &again).await), "invalid_dpop_proof");
    world.clock.advance(Duration::from_secs(2));
    assert_eq!(code_of(world.prove(&proof)), "invalid_dpop_proof");
    // The same id from another key's owner is another proof.
    let id = |key: &DpopKey| key.proof("POST", TOKEN, world.clock.now()).claim("jti", "one").mint();
    for key in [&key, &DpopKey::generate()] {
        assert!(world.bound(&world.web, &world.prove(&id(key)).unwrap().unwrap()).await.is_ok());
    }
}

// covers: RT20
#[tokio::test]
async fn refresh_tokens_of_public_clients_are_bound_and_those_of_others_are_not() {
    let world = world().await;
    let (key, thief) = (DpopKey::generate(), DpopKey::generate());
    let first = world.bound(&world.web, &world.key(&key)).await.unwrap();
    assert_eq!(world.jkt(&first).await, Some(key.thumbprint()));
    for wrong in [None, Some(world.key(&thief))] {
        let refused = world.again(&world.web, refresh_of(&first), wrong.as_ref()).await;
        assert_eq!(code_of(refused), "invalid_grant");
    }
    let second = world.again(&world.web, refresh_of(&first), Some(&world.key(&key))).await.unwrap();
    assert_eq!((second.token_type.as_str(), world.jkt(&second).await), ("DPoP", Some(key.thumbprint())));
    // The lost answer again: for a new proof of the same key, and for no old one.
    let proof = world.key(&key);
    let again = world.again(&world.web, refresh_of(&first), Some(&proof)).await.unwrap();
    assert_eq!(again.access_token, second.access_token);
    let (jkt, id) = (proof.jkt.clone(), proof.id.clone());
    let copied = ProvenKey { jkt, id, usable_until: proof.usable_until, spent: AtomicBool::new(false) };
    let refused = world.again(&world.web, refresh_of(&first), Some(&copied)).await;
    assert_eq!(code_of(refused), "invalid_dpop_proof");
    assert!(world.is_good(&second.access_token).await);

    let conf = confidential();
    let first = world.bound(&conf, &world.key(&key)).await.unwrap();
    let second = world.again(&conf, refresh_of(&first), Some(&world.key(&thief))).await.unwrap();
    assert_eq!(world.jkt(&second).await, Some(thief.thumbprint()));
    let refused = world.again(&conf, refresh_of(&first), Some(&world.key(&key))).await;
    assert_eq!(code_of(refused), "invalid_grant");
    assert!(world.is_good(&second.access_token).await);
    let third = world.again(&conf, refresh_of(&second), None).await.unwrap();
    assert_eq!((third.token_type.as_str(), world.jkt(&third).await), ("Bearer", None));
}

// covers: DP12
#[tokio::test]
async fn nonces_are_given_asked_for_and_the_same_on_all_nodes() {
    let store = MemoryStore::new();
    let root = RootKey::from_secret(&SecretKey::random());
    let strict = DpopPolicy::new().require_nonces();
    let mut nodes = Vec::new();
    for _ in 0..2 {
        let mut node = world_with(strict.clone(), MemoryStore::new()).await;
        let shared: Arc<dyn Clock> = Arc::new(node.clock.clone());
        let vault = Vault::open(Arc::new(store.clone()), Some(root.clone()), shared).await.unwrap();
        node.engine.dpop = DpopChecks::start(&strict, &vault).unwrap();
        nodes.push(node);
    }
    let key = DpopKey::generate();
    let proof = |node: &World| key.proof("POST", TOKEN, node.clock.now());
    let asked = nodes[0].prove(&proof(&nodes[0]).mint()).unwrap_err();
    assert_eq!((asked.status().as_u16(), asked.code()), (400, "use_dpop_nonce"));
    let response = asked.into_response();
    let nonce = response.headers()["dpop-nonce"].to_str().unwrap();
    for node in &nodes {
        assert!(node.prove(&proof(node).nonce(nonce).mint()).is_ok());
        assert_eq!(code_of(node.prove(&proof(node).nonce("forged").mint())), "use_dpop_nonce");
    }
    let stranger = world_with(strict, MemoryStore::new()).await;
    assert_eq!(code_of(stranger.prove(&proof(&stranger).nonce(nonce).mint())), "use_dpop_nonce");
    nodes[0].clock.advance(Duration::from_secs(301));
    assert_eq!(code_of(nodes[0].prove(&proof(&nodes[0]).nonce(nonce).mint())), "use_dpop_nonce");
}
