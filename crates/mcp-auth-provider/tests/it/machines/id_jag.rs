//! Identity assertions.

use mcp_auth_provider::{GrantType, PreRegistered, TrustedIdp};
use mcp_auth_testkit::{FakeClock, TokenAuthority, TokenBuilder};
use mcp_outbound::OutboundClient;

use super::{Machines, client, refused, text};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

async fn trusting() -> (Machines, TokenAuthority) {
    let clock = FakeClock::new();
    let idp = TokenAuthority::builder().clock(clock.clone()).start().await.unwrap();
    let http = OutboundClient::builder().dangerous().allow_loopback().build().unwrap();
    let trusted = TrustedIdp::new(idp.issuer()).http_client(http);
    let server = Machines::on(clock, |provider| {
        provider
            .trust_issuer(trusted)
            .client(client("agent", [GrantType::JwtBearer]))
            .client(PreRegistered::public("app").redirect_uri("https://c.test/cb"))
    });
    (server.await, idp)
}

fn assertion(server: &Machines, idp: &TokenAuthority) -> TokenBuilder {
    let token = idp.token().typ("oauth-id-jag+jwt").audience(&server.url).client("agent");
    token.claim("resource", server.resource("/mcp")).scopes("mcp:read")
}

// covers: U-06, U-07, EXT-EMA-02, EXT-EMA-09, EXT-EMA-10, EXT-EMA-11, EXT-EMA-12, EM12
#[tokio::test]
async fn an_assertion_is_good_for_one_token() {
    let (server, idp) = trusting().await;
    let text_of = assertion(&server, &idp).mint();
    let form = [("grant_type", GRANT), ("assertion", text_of.as_str())];
    let answer = server
        .ask("agent", &form)
        .send()
        .await
        .expect_status(200)
        .expect_header("cache-control", "no-store")
        .expect_json("/token_type", "Bearer");
    assert!(answer.json().get("refresh_token").is_none());
    let said = server.whoami("/mcp", &text(&answer, "access_token")).await;
    assert_eq!(said["sub"], format!("idp:{}|alice", idp.issuer()));
    assert_eq!((said["client"].as_str(), said["scope"].as_str()), (Some("agent"), Some("mcp:read")));
    refused(&server.ask("agent", &form).send().await, 400, "invalid_grant");

    let metadata = server.http.get("/.well-known/oauth-authorization-server").send().await.json();
    assert!(metadata["grant_types_supported"].as_array().unwrap().contains(&GRANT.into()));
    let profiles = metadata["authorization_grant_profiles_supported"].as_array().unwrap();
    assert_eq!(profiles, &["urn:ietf:params:oauth:grant-profile:id-jag"]);
}

// covers: EM01, EM04, EM11, EXT-WIF-06, EXT-WIF-07
#[tokio::test]
async fn it_is_for_the_client_it_names_and_of_the_one_profile() {
    let (server, idp) = trusting().await;
    let good = assertion(&server, &idp).mint();
    let form = |text: &'static str| [("grant_type", GRANT), ("assertion", text)];
    let good: &'static str = good.leak();
    refused(&server.ask("ci", &form(good)).send().await, 400, "unauthorized_client");
    refused(&server.http.post("/token").form(form(good)).send().await, 401, "invalid_client");
    let public = [&form(good)[..], &[("client_id", "app")]].concat();
    refused(&server.http.post("/token").form(public).send().await, 400, "unauthorized_client");
    let others: &'static str = assertion(&server, &idp).client("ci").mint().leak();
    refused(&server.ask("agent", &form(others)).send().await, 400, "invalid_grant");
    // A workload's own JWT comes without a client, and is another profile.
    let workload: &'static str = assertion(&server, &idp).typ("JWT").mint().leak();
    refused(&server.http.post("/token").form(form(workload)).send().await, 400, "invalid_grant");
    refused(&server.ask("agent", &[("grant_type", GRANT)]).send().await, 400, "invalid_request");
    server.ask("agent", &form(good)).send().await.expect_status(200);
}
