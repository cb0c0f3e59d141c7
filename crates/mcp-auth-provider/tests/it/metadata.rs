//! The metadata documents, as a client asks for them.

use std::sync::Arc;

use base64ct::{Base64, Encoding};
use http::Method;
use mcp_auth_jwt::{SigningAlgorithm, SigningKey};
use mcp_auth_provider::{
    BrowserRequest, OAuthProvider, Registration, ScopeInfo, SignIn, SignInRoute, SignInState, Step,
};
use mcp_auth_testkit::{Client, FakeClock, Server};
use mcp_core::{Body, BoxService, Clock, Site, SystemClock, async_trait, random_id};
use mcp_store::MemoryStore;
use serde_json::{Value, json};

const OAUTH: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";

/// A sign-in that knows nobody: nobody comes this far here.
#[derive(Debug)]
struct Nobody;

#[async_trait]
impl SignIn for Nobody {
    fn routes(&self) -> Vec<SignInRoute> {
        Vec::new()
    }

    async fn step(&self, _: &mut SignInState, _: BrowserRequest) -> Step {
        Step::Unavailable
    }
}

pub(crate) fn provider() -> OAuthProvider {
    OAuthProvider::new(Nobody).store(MemoryStore::new()).scope(ScopeInfo::new("notes:read").unwrap())
}

pub(crate) async fn site(url: &str, provider: OAuthProvider) -> (Server, Client, Site) {
    let mcp = BoxService::from_fn(|_| async { http::Response::new(Body::from("mcp")) });
    let site = Site::new(url)
        .clock(Arc::new(FakeClock::new()))
        .resource("/mcp", mcp)
        .auth(provider)
        .build()
        .await
        .unwrap();
    let server = Server::start(site.clone()).await.unwrap();
    let client = Client::new(url).via(server.address());
    (server, client, site)
}

async fn get(client: &Client, path: &str) -> Value {
    let answer = client.at_root(Method::GET, path).send().await.expect_status(200);
    assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
    assert_eq!(answer.header("cache-control"), Some("public, max-age=300"), "{path}");
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
    serde_json::from_slice(answer.body()).unwrap()
}

// covers: MD01, AUTH-46, AUTH-47, AUTH-48, AUTH-49, AUTH-50, AUTH-51
#[tokio::test]
async fn the_document_says_what_clients_need() {
    let (_server, client, _) = site("https://mcp.test", provider()).await;
    for path in [OAUTH, OPENID] {
        let document = get(&client, path).await;
        assert_eq!(document["issuer"], "https://mcp.test");
        assert_eq!(document["token_endpoint"], "https://mcp.test/token");
        assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
        assert_eq!(document["response_types_supported"], json!(["code"]));
        assert!(document["grant_types_supported"].as_array().unwrap().contains(&json!("authorization_code")));
        assert!(
            document["token_endpoint_auth_methods_supported"].as_array().unwrap().contains(&json!("none"))
        );
        assert_eq!(document["scopes_supported"], json!(["notes:read"]));
        let head = client.at_root(Method::HEAD, path).send().await.expect_status(200);
        assert!(head.body().is_empty());
        client.at_root(Method::POST, path).send().await.expect_status(405);
    }
    let openid = get(&client, OPENID).await;
    assert_eq!(openid["id_token_signing_alg_values_supported"], json!([]));
    assert_eq!(openid["subject_types_supported"], json!(["public"]));
}

// covers: MD03, AUTH-47, AUTH-49, AUTH-90
#[tokio::test]
async fn a_path_has_its_documents_at_every_place_of_the_specification() {
    let (_server, client, _) = site("https://mcp.test/tenant1", provider()).await;
    for path in [
        "/.well-known/oauth-authorization-server/tenant1",
        "/.well-known/openid-configuration/tenant1",
        "/tenant1/.well-known/openid-configuration",
        "/tenant1/.well-known/oauth-authorization-server",
        OAUTH,
    ] {
        let document = get(&client, path).await;
        assert_eq!(document["issuer"], "https://mcp.test/tenant1", "{path}");
        assert_eq!(document["token_endpoint"], "https://mcp.test/tenant1/token", "{path}");
    }
    for path in
        ["/.well-known/oauth-authorization-server/tenant2", "/tenant2/.well-known/openid-configuration"]
    {
        client.at_root(Method::GET, path).send().await.expect_status(404);
    }
}

// covers: MD02
#[tokio::test]
async fn no_header_changes_the_document() {
    let (_server, client, _) = site("https://mcp.test", provider()).await;
    let plain = client.get(OAUTH).send().await.expect_status(200);
    for (name, value) in [
        ("x-forwarded-host", "evil.test"),
        ("x-forwarded-proto", "http"),
        ("forwarded", "host=evil.test;proto=http"),
        ("x-original-url", "/evil"),
    ] {
        let answer = client.get(OAUTH).header(name, value).send().await.expect_status(200);
        assert_eq!(answer.body(), plain.body(), "{name}");
    }
    let answer = client.get(OAUTH).replace_header("host", "evil.test").send().await;
    assert_eq!(answer.status(), 421);
    assert!(!answer.text().contains("evil.test"));
}

// covers: MD04
#[tokio::test]
async fn offline_access_is_offered_by_the_server_and_not_by_the_resource() {
    let (_server, client, _) = site("https://mcp.test", provider().refresh_needs_offline_access()).await;
    let document = get(&client, OAUTH).await;
    assert_eq!(document["scopes_supported"], json!(["notes:read", "offline_access"]));
    let resource = get(&client, "/.well-known/oauth-protected-resource/mcp").await;
    assert_eq!(resource["resource"], "https://mcp.test/mcp");
    assert_eq!(resource["authorization_servers"], json!(["https://mcp.test"]));
    assert!(!resource.to_string().contains("offline_access"));
}

// covers: MD06, AUTH-54, AUTH-55, SEC-07
#[tokio::test]
async fn everything_advertised_is_there() {
    let (_server, client, site) = site("https://mcp.test", provider()).await;
    let document = get(&client, OPENID).await;
    for (name, value) in document.as_object().unwrap() {
        if !name.ends_with("_endpoint") && name != "jwks_uri" {
            continue;
        }
        let path = value.as_str().unwrap().strip_prefix("https://mcp.test").unwrap();
        let route = site.routes().iter().find(|route| route.path == path);
        let route = route.unwrap_or_else(|| panic!("{name} is advertised and not there"));
        for method in &route.methods {
            let answer = client.request(method.clone(), path).send().await;
            assert!(![404, 405, 500, 501].contains(&answer.status()), "{name}: {}", answer.status());
        }
    }
    assert!(document.get("registration_endpoint").is_none(), "nobody can register");
    for grant in document["grant_types_supported"].as_array().unwrap() {
        let form = [("grant_type", grant.as_str().unwrap()), ("client_id", "nobody")];
        let answer = client.post("/token").form(form).send().await;
        assert!(!answer.text().contains("unsupported_grant_type"), "{grant}");
    }
    let answer = client.post("/token").form([("grant_type", "password")]).send().await;
    assert!(answer.text().contains("unsupported_grant_type"));
}

// covers: MD06, AUTH-54
#[tokio::test]
async fn every_way_to_prove_oneself_that_is_advertised_works_at_every_endpoint_that_takes_it() {
    let (_server, client, _) = site("https://mcp.test", provider().registration(Registration::open())).await;
    let document = get(&client, OAUTH).await;
    assert_eq!(document["registration_endpoint"], "https://mcp.test/register");
    for (endpoint, form) in [
        ("token", &[("grant_type", "refresh_token"), ("refresh_token", "mcp_rt_nothing")][..]),
        ("revocation", &[("token", "nothing")][..]),
        ("introspection", &[("token", "nothing")][..]),
    ] {
        let path = document[format!("{endpoint}_endpoint")].as_str().unwrap();
        let path = path.strip_prefix("https://mcp.test").unwrap();
        let methods = document[format!("{endpoint}_endpoint_auth_methods_supported")].as_array().unwrap();
        assert!(methods.len() >= 2);
        for method in methods {
            let key = SigningKey::generate(SigningAlgorithm::Es256);
            let mut metadata = json!({
                "redirect_uris": ["https://c.test/cb"], "token_endpoint_auth_method": method,
                "grant_types": ["authorization_code", "refresh_token"],
            });
            if method == "private_key_jwt" {
                metadata["jwks"] = json!({ "keys": [key.public_jwk()] });
            }
            let known = client.post("/register").json(&metadata).send().await.expect_status(201).json();
            assert_eq!(&known["token_endpoint_auth_method"], method);
            let (id, secret) = (known["client_id"].as_str().unwrap(), known["client_secret"].as_str());
            let mut form: Vec<(&str, String)> =
                form.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
            let mut request = client.post(path);
            match method.as_str().unwrap() {
                "none" => form.push(("client_id", id.to_owned())),
                "client_secret_basic" => {
                    let pair = Base64::encode_string(format!("{id}:{}", secret.unwrap()).as_bytes());
                    request = request.header("authorization", &format!("Basic {pair}"));
                }
                "client_secret_post" => {
                    form.push(("client_id", id.to_owned()));
                    form.push(("client_secret", secret.unwrap().to_owned()));
                }
                "private_key_jwt" => {
                    form.push(("client_assertion", assertion(&key, id)));
                    form.push(("client_assertion_type", ASSERTION.to_owned()));
                }
                other => panic!("{other} is advertised, and this test does not know it"),
            }
            let form = form.iter().map(|(name, value)| (*name, value.as_str()));
            let answer = request.form(form).send().await;
            let proven = answer.status() == 200 || answer.text().contains("invalid_grant");
            assert!(proven, "{method} at {endpoint}: {answer}");
        }
    }
}

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A client's proof of itself (RFC 7523 §2.2).
fn assertion(key: &SigningKey, client: &str) -> String {
    let now = SystemClock.now().as_secs();
    let claims = json!({
        "iss": client, "sub": client, "aud": "https://mcp.test", "jti": random_id(), "iat": now, "exp": now + 60,
    });
    let Value::Object(claims) = claims else { unreachable!() };
    key.jwt("client-authentication+jwt", claims).unwrap()
}
