//! The optional members of resource metadata (RFC 9728 §2).

use mcp_auth_testkit::Client;
use mcp_core::{Endpoint, NoAuth, Site};
use serde_json::json;

use crate::support::{Tokens, mirror, serve};

// covers: AUTH-38, AUTH-42
#[tokio::test]
async fn every_optional_member_can_be_said() {
    let described = Endpoint::at("/mcp")
        .named("Files")
        .documented_at("https://example.com/docs")
        .usage_policy_at("https://example.com/data")
        .terms_at("https://example.com/terms")
        .metadata("jwks_uri", "https://mcp.example.com/keys")
        .metadata("resource_signing_alg_values_supported", json!(["ES256"]))
        .metadata("tls_client_certificate_bound_access_tokens", false)
        .metadata("authorization_details_types_supported", json!([]))
        .metadata("signed_metadata", "eyJ.e30.x")
        .metadata("resource_name#de", "Dateien");
    let served =
        serve("", |site| site.resource(described, mirror()).resource("/b", mirror()).auth(Tokens::default()))
            .await;
    let get = |path: &'static str| served.client.get(path).send();
    let expected = json!({
        "resource": format!("{}/mcp", served.url),
        "authorization_servers": ["https://idp.example.com"],
        "bearer_methods_supported": ["header"],
        "resource_name": "Files",
        "resource_documentation": "https://example.com/docs",
        "resource_policy_uri": "https://example.com/data",
        "resource_tos_uri": "https://example.com/terms",
        "jwks_uri": "https://mcp.example.com/keys",
        "resource_signing_alg_values_supported": ["ES256"],
        "tls_client_certificate_bound_access_tokens": false,
        "signed_metadata": "eyJ.e30.x",
        "resource_name#de": "Dateien",
    });
    assert_eq!(get("/.well-known/oauth-protected-resource/mcp").await.json(), expected);
    // What was not said is not there, empty arrays least of all.
    let bare = json!({
        "resource": format!("{}/b", served.url),
        "authorization_servers": ["https://idp.example.com"],
        "bearer_methods_supported": ["header"],
    });
    assert_eq!(get("/.well-known/oauth-protected-resource/b").await.json(), bare);
}

// covers: SEC-07
#[tokio::test]
async fn members_that_mislead_are_refused_at_start() {
    let endpoint = || Endpoint::at("/mcp");
    for (described, words) in [
        (
            endpoint().metadata("authorization_servers", json!(["https://evil.test"])),
            "follows from the set-up",
        ),
        (endpoint().metadata("resource", "https://evil.test"), "follows from the set-up"),
        (endpoint().metadata("bearer_methods_supported", json!(["query"])), "follows from the set-up"),
        (endpoint().documented_at("javascript:alert(1)"), "resource_documentation"),
        (endpoint().usage_policy_at("data:text/html,x"), "resource_policy_uri"),
        (endpoint().terms_at("http://example.com/terms"), "is not an https URL"),
        (endpoint().metadata("resource_tos_uri#de", "/terms"), "is not an https URL"),
        (endpoint().metadata("jwks_uri", "http://example.com/keys"), "jwks_uri"),
    ] {
        let site = Site::new("https://mcp.example.com").resource(described, mirror()).auth(Tokens::default());
        let sentence = site.build().await.expect_err(words).to_string();
        assert!(sentence.contains(words), "{sentence}");
    }
    let local = endpoint().documented_at("http://127.0.0.1:8000/docs");
    let site = Site::new("http://127.0.0.1:8000").resource(local, mirror()).auth(Tokens::default());
    assert!(site.build().await.is_ok());
    // An open server has no metadata to be wrong.
    let open = Site::new("https://mcp.example.com").resource(endpoint().terms_at("x:y"), mirror());
    assert!(open.auth(NoAuth::public()).build().await.is_ok());
}

// covers: AUTH-33, AUTH-41
#[tokio::test]
async fn the_resource_has_one_spelling_however_the_public_url_was_written() {
    for (url, path, resource) in [
        ("https://mcp.example.com", "/mcp", "https://mcp.example.com/mcp"),
        ("HTTPS://MCP.Example.COM:443/", "/mcp", "https://mcp.example.com/mcp"),
        ("https://mcp.example.com:8443/Tools/", "/mcp", "https://mcp.example.com:8443/Tools/mcp"),
        ("https://MCP.example.com/", "/", "https://mcp.example.com"),
    ] {
        let site = Site::new(url).resource(path, mirror()).auth(Tokens::default()).build().await.unwrap();
        assert_eq!(site.resources()[0].identifier(), resource, "{url}");
        let client = Client::in_memory(site.url().as_str(), site.clone());
        let answer = client.post(path).send().await.expect_status(401);
        let place = answer.challenges()[0].param("resource_metadata").unwrap().to_owned();
        let document = client.get(place.strip_prefix(site.url().as_str()).unwrap()).send().await;
        document.expect_json("/resource", resource);
    }
    for url in ["https://mcp.example.com/#x", "https://mcp.example.com/?x", "http://mcp.example.com"] {
        let site = Site::new(url).resource("/mcp", mirror()).auth(Tokens::default());
        assert!(site.build().await.is_err(), "{url}");
    }
}
