//! Tokens for clients themselves.

use mcp_auth_provider::{GrantType, PreRegistered};

use super::{Machines, SECRET, client, refused, text};

// covers: EXT-CC-02, EXT-CC-03, EXT-CC-05, EXT-CC-07, TK30
#[tokio::test]
async fn a_client_gets_a_token_for_itself() {
    let server = Machines::start(|provider| {
        provider.client(client("form", [GrantType::ClientCredentials]).secret_in_form())
    })
    .await;
    let form = [("grant_type", "client_credentials"), ("scope", "mcp:read")];
    let basic = server.ask("ci", &form).send().await;
    let posted = [&form[..], &[("client_id", "form"), ("client_secret", SECRET)]].concat();
    let post = server.http.post("/token").form(posted).send().await;
    for (answer, id) in [(basic, "ci"), (post, "form")] {
        let answer = answer
            .expect_status(200)
            .expect_header("cache-control", "no-store")
            .expect_json("/token_type", "Bearer")
            .expect_json("/scope", "mcp:read")
            .expect_json("/expires_in", 3600);
        let body = answer.json();
        assert!(body.get("refresh_token").is_none() && body.get("id_token").is_none(), "{body}");
        let said = server.whoami("/mcp", &text(&answer, "access_token")).await;
        assert_eq!(said["sub"], format!("client:{id}"));
        assert_eq!((said["client"].as_str(), said["scope"].as_str()), (Some(id), Some("mcp:read")));
        let elsewhere = server.http.post("/other").bearer(&text(&answer, "access_token"));
        elsewhere.send().await.expect_status(401);
    }
    let metadata = server.http.get("/.well-known/oauth-authorization-server").send().await.json();
    let grants = metadata["grant_types_supported"].as_array().unwrap();
    assert!(grants.contains(&"client_credentials".into()));
    assert!(!grants.contains(&"urn:ietf:params:oauth:grant-type:jwt-bearer".into()));
}

// covers: TK02, TK28, TK32, EXT-CC-07
#[tokio::test]
async fn each_wrong_request_gets_its_own_word() {
    let server = Machines::start(|provider| {
        provider.client(PreRegistered::public("app").redirect_uri("https://c.test/cb"))
    })
    .await;
    let grant = |name: &'static str| [("grant_type", name)];
    for (form, code) in [
        (&[][..], "invalid_request"),
        (&grant(""), "invalid_request"),
        (&[grant("client_credentials"), grant("client_credentials")].concat(), "invalid_request"),
        (&grant("password"), "unsupported_grant_type"),
        (&grant("implicit"), "unsupported_grant_type"),
        (&grant("CLIENT_CREDENTIALS"), "unsupported_grant_type"),
        (&grant("urn:ietf:params:oauth:grant-type:saml2-bearer"), "unsupported_grant_type"),
        (&grant("urn:ietf:params:oauth:grant-type:jwt-bearer"), "unsupported_grant_type"),
        (&grant("urn:ietf:params:oauth:grant-type:token-exchange"), "unauthorized_client"),
        (&[("grant_type", "authorization_code"), ("code", "x")], "unauthorized_client"),
        (&[("grant_type", "client_credentials"), ("scope", "offline_access")], "invalid_scope"),
        (&[("grant_type", "client_credentials"), ("resource", "https://other.test")], "invalid_target"),
    ] {
        refused(&server.ask("ci", form).send().await, 400, code);
    }
    let by_public = [("grant_type", "client_credentials"), ("client_id", "app")];
    refused(&server.http.post("/token").form(by_public).send().await, 400, "unauthorized_client");
    let unproven = [("grant_type", "client_credentials"), ("client_id", "ci")];
    refused(&server.http.post("/token").form(unproven).send().await, 401, "invalid_client");
    refused(
        &server.http.post("/token").form(grant("client_credentials")).send().await,
        401,
        "invalid_client",
    );
}
