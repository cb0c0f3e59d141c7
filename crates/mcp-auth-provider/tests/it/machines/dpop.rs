//! Tokens bound to keys, from the token endpoint to the resource.

use std::time::Duration;

use mcp_auth_provider::{DpopPolicy, GrantType, OAuthProvider, PreRegistered};
use mcp_auth_testkit::{Answer, DpopKey, RequestBuilder};
use serde_json::json;

use super::{Machines, client, refused, text};

const FORM: [(&str, &str); 1] = [("grant_type", "client_credentials")];

impl Machines {
    fn proof(&self, key: &DpopKey) -> String {
        key.proof("POST", &self.resource("/token"), self.now()).mint()
    }

    async fn bound(&self, key: &DpopKey) -> String {
        let answer = self.ask("ci", &FORM).header("dpop", &self.proof(key)).send().await;
        text(&answer.expect_status(200).expect_json("/token_type", "DPoP"), "access_token")
    }

    fn call(&self, token: &str, proof: &str) -> RequestBuilder {
        self.http.post("/mcp").dpop(token, proof).json(&json!({}))
    }

    async fn called(&self, token: &str, proof: &str) -> Answer {
        self.call(token, proof).send().await
    }
}

// covers: EXT-DP-02, EXT-DP-03, EXT-DP-07, DP07, DP11
#[tokio::test]
async fn a_bound_token_is_used_with_its_proof() {
    let server = Machines::start(|provider| provider).await;
    let key = DpopKey::generate();
    let token = server.bound(&key).await;
    let url = server.resource("/mcp");
    let proof = || key.proof("POST", &url, server.now()).token(&token);
    let said = server.called(&token, &proof().mint()).await.expect_status(200).json();
    assert_eq!((said["method"].as_str(), said["sub"].as_str()), (Some("Dpop"), Some("client:ci")));
    // Nothing of the credential goes on to the service.
    let headers = said["headers"].as_array().unwrap();
    assert!(!headers.contains(&"dpop".into()) && !headers.contains(&"authorization".into()), "{said}");
    let more = proof().claim("htu", format!("{url}?a=b#c")).claim("x", 1).header("kid", "k");
    server.called(&token, &more.mint()).await.expect_status(200);

    let algorithms = json!(["ES256", "ES384", "EdDSA", "RS256", "PS256"]);
    let metadata = server.http.get("/.well-known/oauth-authorization-server").send().await.json();
    assert_eq!(metadata["dpop_signing_alg_values_supported"], algorithms);
    let metadata = server.http.get("/.well-known/oauth-protected-resource/mcp").send().await.json();
    assert_eq!(metadata["dpop_signing_alg_values_supported"], algorithms);
}

// covers: DP01, DP02, DP03, DP05, DP06, DP08, DP09, EXT-DP-05, EXT-DP-06, EXT-DP-08
#[tokio::test]
async fn without_the_right_proof_it_is_worth_nothing() {
    let server = Machines::start(|provider| provider).await;
    let key = DpopKey::generate();
    let token = server.bound(&key).await;
    let url = server.resource("/mcp");
    let proof = || key.proof("POST", &url, server.now()).token(&token);
    let challenged = |answer: Answer, code: &str| {
        let answer = answer.expect_status(401);
        answer.challenges()[0].scheme("Bearer");
        answer.challenges()[1].scheme("DPoP").error(code);
    };
    challenged(server.http.post("/mcp").bearer(&token).send().await, "invalid_token");
    let bare = server.http.post("/mcp").header("authorization", &format!("DPoP {token}"));
    challenged(bare.send().await, "invalid_token");
    let twice = server.call(&token, &proof().mint()).header("dpop", &proof().mint());
    challenged(twice.send().await, "invalid_dpop_proof");
    for wrong in [
        DpopKey::generate().proof("POST", &url, server.now()).token(&token),
        key.proof("GET", &url, server.now()).token(&token),
        key.proof("POST", &server.resource("/other"), server.now()).token(&token),
        key.proof("POST", &server.resource("/token"), server.now()).token(&token),
        key.proof("POST", &url, server.now()),
        proof().token("another"),
        key.proof("POST", &url, server.now() - Duration::from_secs(301)).token(&token),
        key.proof("POST", &url, server.now() + Duration::from_secs(301)).token(&token),
        proof().header("alg", "none"),
    ] {
        challenged(server.called(&token, &wrong.mint()).await, "invalid_dpop_proof");
    }
    let once = proof().mint();
    server.called(&token, &once).await.expect_status(200);
    challenged(server.called(&token, &once).await, "invalid_dpop_proof");
    // Known or not, a bearer token is none of the kind, and the audience counts as ever.
    let plain = server.token_of("ci").await;
    let proof = key.proof("POST", &url, server.now()).token(&plain).mint();
    challenged(server.called(&plain, &proof).await, "invalid_token");
    let other = key.proof("POST", &server.resource("/other"), server.now()).token(&token).mint();
    challenged(server.http.post("/other").dpop(&token, &other).send().await, "invalid_token");
    challenged(server.called("mcp_at_x", "x").await, "invalid_token");
}

// covers: DP04, DP15
#[tokio::test]
async fn the_token_endpoint_takes_no_wrong_proof_and_no_proof_twice() {
    let bound = |provider: OAuthProvider| {
        let grants = [GrantType::ClientCredentials];
        provider.client(client("bound", grants).member("dpop_bound_access_tokens", true))
    };
    let server = Machines::start(bound).await;
    let key = DpopKey::generate();
    refused(&server.ask("bound", &FORM).send().await, 400, "invalid_dpop_proof");
    let once = server.proof(&key);
    server.ask("bound", &FORM).header("dpop", &once).send().await.expect_status(200);
    for id in ["bound", "ci"] {
        let again = server.ask(id, &FORM).header("dpop", &once).send().await;
        refused(&again, 400, "invalid_dpop_proof");
    }
    for wrong in ["", "x", "e30.e30.AA", &format!("{once}, {once}")] {
        let answer = server.ask("ci", &FORM).header("dpop", wrong).send().await;
        refused(&answer, 400, "invalid_dpop_proof");
    }
    // Who the client is comes first: no proof helps who is nobody.
    let nobody =
        server.http.post("/token").form([("grant_type", "client_credentials"), ("client_id", "bound")]);
    refused(&nobody.header("dpop", &server.proof(&key)).send().await, 401, "invalid_client");
}

// covers: DP12
#[tokio::test]
async fn nonces_are_asked_for_and_given() {
    let server =
        Machines::start(|provider| provider.dpop(DpopPolicy::new().require_nonces().required())).await;
    let key = DpopKey::generate();
    refused(&server.ask("ci", &FORM).send().await, 400, "invalid_dpop_proof");
    let asked = server.ask("ci", &FORM).header("dpop", &server.proof(&key)).send().await;
    refused(&asked, 400, "use_dpop_nonce");
    let nonce = asked.header("dpop-nonce").unwrap();
    let proof = key.proof("POST", &server.resource("/token"), server.now()).nonce(nonce).mint();
    let answer = server.ask("ci", &FORM).header("dpop", &proof).send().await.expect_status(200);
    let (token, nonce) = (text(&answer, "access_token"), answer.header("dpop-nonce").unwrap());

    let proof = || key.proof("POST", &server.resource("/mcp"), server.now()).token(&token);
    let asked = server.called(&token, &proof().mint()).await.expect_status(401);
    asked.challenges()[1].scheme("DPoP").error("use_dpop_nonce");
    for nonce in [nonce, asked.header("dpop-nonce").unwrap()] {
        server.called(&token, &proof().nonce(nonce).mint()).await.expect_status(200);
    }
    server.called(&token, &proof().nonce("forged").mint()).await.expect_status(401);
    server.clock.advance(Duration::from_secs(301));
    let late = server.called(&token, &proof().nonce(nonce).mint()).await.expect_status(401);
    late.challenges()[1].scheme("DPoP").error("use_dpop_nonce");
    let metadata = server.http.get("/.well-known/oauth-protected-resource/mcp").send().await.json();
    assert_eq!(metadata["dpop_bound_access_tokens_required"], true);
}

#[tokio::test]
async fn public_clients_without_a_proof_go_on_as_before() {
    let server = Machines::start(|provider| {
        provider.client(PreRegistered::public("app").redirect_uri("https://c.test/cb"))
    })
    .await;
    let form = [("grant_type", "authorization_code"), ("client_id", "app"), ("code", "mcp_ac_x")];
    refused(&server.http.post("/token").form(form).send().await, 400, "invalid_grant");
    let wrong = server.http.post("/token").form(form).header("dpop", "x");
    refused(&wrong.send().await, 400, "invalid_dpop_proof");
}
