//! Tokens for tokens.

use mcp_auth_provider::GrantType;
use serde_json::json;

use super::{Machines, client, refused, text};

const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";

// covers: TX01, TX02, TX03, TX07
#[tokio::test]
async fn a_service_goes_on_in_the_name_of_its_caller() {
    let server = Machines::start(|provider| {
        provider.client(client("service", [GrantType::TokenExchange, GrantType::ClientCredentials]))
    })
    .await;
    let (caller, own) = (server.token_of("ci").await, server.token_of("service").await);
    let exchange = |more: &[(&'static str, &str)]| {
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", &caller),
            ("subject_token_type", ACCESS),
        ];
        let mut form: Vec<(&str, &str)> = form.to_vec();
        for (name, value) in more {
            form.retain(|(own, _)| own != name);
            form.push((name, value));
        }
        server.ask("service", &form)
    };
    let actor = [("actor_token", own.as_str()), ("actor_token_type", ACCESS), ("scope", "mcp:read")];
    let answer = exchange(&actor).send().await.expect_status(200);
    let body = answer.json();
    assert_eq!(body["issued_token_type"], ACCESS);
    assert!(body.get("refresh_token").is_none());
    let said = server.whoami("/mcp", &text(&answer, "access_token")).await;
    assert_eq!((said["sub"].as_str(), said["client"].as_str()), (Some("client:ci"), Some("service")));
    assert_eq!(said["scope"], "mcp:read");
    assert_eq!(said["act"], json!({"sub": "client:service", "client_id": "service"}));

    for (more, code) in [
        ([("scope", "mcp:admin")], "invalid_scope"),
        ([("resource", "https://other.test/mcp")], "invalid_target"),
        ([("audience", "other")], "invalid_target"),
        ([("subject_token", "mcp_at_x")], "invalid_request"),
        ([("subject_token_type", "urn:ietf:params:oauth:token-type:id_token")], "invalid_request"),
        ([("requested_token_type", "urn:ietf:params:oauth:token-type:saml2")], "invalid_request"),
        ([("actor_token", "x")], "invalid_request"),
    ] {
        refused(&exchange(&more).send().await, 400, code);
    }
    let form = [("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange")];
    refused(&server.ask("ci", &form).send().await, 400, "unauthorized_client");
}
