//! The registration endpoint (RFC 7591).

use http::Method;
use mcp_auth_provider::Registration;
use serde_json::{Value, json};

use super::stand::{Ground, Stand, basic, expect_error, expect_in, expect_out, public, with};

const TOKEN: &str = "Zk8Q0s5tq8V4vXo1cN2fYb3pLr7uWm9d";

async fn open() -> Stand {
    Stand::start(|provider| provider.registration(Registration::open())).await
}

// covers: AUTH-91, AUTH-92, AUTH-75, DR09
#[tokio::test]
async fn a_public_client_registers_and_is_known() {
    let stand = open().await;
    let asked = json!({
        "client_name": " Notes\u{202e} App ", "redirect_uris": ["http://127.0.0.1/cb", "https://c.test/cb"],
        "token_endpoint_auth_method": "none", "grant_types": ["authorization_code", "refresh_token", "urn:x"],
        "response_types": ["code"], "scope": "mcp:read admin", "application_type": "native",
        "client_uri": "https://c.test", "logo_uri": "https://c.test/logo.png", "software_version": "1.2",
        "client_id": "mine", "client_secret": "mine", "registration_access_token": "mine", "skip_consent": true,
        "trusted": true, "tenant": "other",
    });
    let answer = stand.register(&asked).await.expect_status(201);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let mut client = answer.json();
    let id = client["client_id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("mcp_c_"), "{id}");
    client.as_object_mut().unwrap().remove("client_id");
    assert_eq!(
        client,
        json!({
            "client_id_issued_at": 1_800_000_000, "client_name": "Notes App",
            "redirect_uris": ["http://127.0.0.1/cb", "https://c.test/cb"], "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
            "scope": "mcp:read", "application_type": "native", "client_uri": "https://c.test",
            "logo_uri": "https://c.test/logo.png", "software_version": "1.2",
        })
    );
    expect_in(&stand.try_in(&[("client_id", &id)]).await);
    expect_out(&stand.try_in(&[("client_id", "mine")]).await);
    expect_out(&stand.try_in(&[("client_id", &id.to_lowercase())]).await);
}

// covers: AUTH-92, DR13, TK09
#[tokio::test]
async fn a_confidential_client_gets_a_secret_once() {
    let stand = open().await;
    // RFC 7591 §2: without a method, it is HTTP Basic.
    let asked = json!({ "redirect_uris": ["https://c.test/cb"], "client_name": "Conf" });
    let one = stand.registered(&asked).await;
    let other = stand.registered(&asked).await;
    assert_eq!(one["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!(one["client_secret_expires_at"], 0);
    assert_eq!(one["grant_types"], json!(["authorization_code"]));
    assert_ne!(one["client_id"], other["client_id"], "confidential clients are never one");
    let text = |client: &Value, name: &str| client[name].as_str().unwrap().to_owned();
    let (id, secret) = (text(&one, "client_id"), text(&one, "client_secret"));
    assert!(secret.len() >= 43, "256 bits");
    expect_in(&stand.try_with(Some(&basic(&id, &secret)), &[]).await);
    expect_in(&stand.try_with(Some(&basic(&id, &secret)), &[("client_id", &id)]).await);
    expect_out(&stand.try_with(Some(&basic(&id, &text(&other, "client_secret"))), &[]).await);
    expect_out(&stand.try_with(Some(&basic(&text(&other, "client_id"), &secret)), &[]).await);
    expect_out(&stand.try_in(&[("client_id", &id), ("client_secret", &secret)]).await);
    assert!(!stand.events.text().contains(&secret));
}

// covers: DR01, DR02, DR03, PX12
#[tokio::test]
async fn redirect_uris_that_are_none_are_refused() {
    let stand = open().await;
    let many: Vec<String> = (0..200).map(|n| format!("https://c.test/{n}")).collect();
    let long = format!("https://c.test/{}", "a".repeat(8192));
    for uris in [
        json!([]),
        json!(null),
        json!("https://c.test/cb"),
        json!([1]),
        json!([["https://c.test/cb"]]),
        json!(["https://c.test/cb#f"]),
        json!(["javascript:alert(1)"]),
        json!(["https://*.c.test/cb"]),
        json!(["https://u:p@c.test/cb"]),
        json!(["http://c.test/cb"]),
        json!(["/cb"]),
        json!(["https://c.test/cb", "com.example.app:/cb"]),
        json!(["https://mcp.test/authorize"]),
        json!(["https://mcp.test/callback"]),
        json!(many),
        json!([long]),
    ] {
        let answer = stand.register(&with(public(), "redirect_uris", uris.clone())).await;
        expect_error(&answer, 400, "invalid_redirect_uri");
    }
    let web =
        with(with(public(), "application_type", "web"), "redirect_uris", json!(["http://localhost/cb"]));
    expect_error(&stand.register(&web).await, 400, "invalid_redirect_uri");
    let native = with(public(), "application_type", "native");
    let routable = with(native.clone(), "redirect_uris", json!(["http://c.test/cb"]));
    expect_error(&stand.register(&routable).await, 400, "invalid_redirect_uri");
    stand.registered(&with(native, "redirect_uris", json!(["http://localhost/cb"]))).await;
}

// covers: DR04, DR05, DR06, DR18, AUTH-94
#[tokio::test]
async fn metadata_that_cannot_be_is_refused() {
    let stand = open().await;
    let check = async |name: &str, value: Value, error: &str| {
        let answer = stand.register(&with(public(), name, value)).await;
        expect_error(&answer, 400, error);
    };
    let invalid = "invalid_client_metadata";
    check("grant_types", json!(["password"]), invalid).await;
    check("grant_types", json!(["client_credentials"]), invalid).await;
    check("grant_types", json!(["urn:ietf:params:oauth:grant-type:jwt-bearer"]), invalid).await;
    check("grant_types", json!(["refresh_token"]), invalid).await;
    check("grant_types", json!("authorization_code"), invalid).await;
    check("response_types", json!(["token"]), invalid).await;
    check("token_endpoint_auth_method", json!("tls_client_auth"), invalid).await;
    check("token_endpoint_auth_method", json!("private_key_jwt"), invalid).await;
    check("token_endpoint_auth_method", json!(["none"]), invalid).await;
    check("application_type", json!("browser"), invalid).await;
    check("client_name", json!("a".repeat(10_000)), invalid).await;
    check("client_name", json!({ "en": "Notes" }), invalid).await;
    check("logo_uri", json!("javascript:alert(1)"), invalid).await;
    check("logo_uri", json!("data:image/png;base64,x"), invalid).await;
    check("scope", json!("mcp:read \u{e9}"), invalid).await;
    check("dpop_bound_access_tokens", json!("yes"), invalid).await;
    check("jwks", json!({ "keys": [] }), invalid).await;
    check("jwks", json!([]), invalid).await;
    check(
        "jwks",
        json!({ "keys": [{ "kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr0" }] }),
        invalid,
    )
    .await;
    let private = json!({ "kty": "OKP", "crv": "Ed25519", "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
    check("jwks", json!({ "keys": [private] }), invalid).await;
    for uri in ["http://c.test/jwks", "https://10.0.0.1/jwks", "https://localhost/jwks", "https://[::1]/jwks"]
    {
        check("jwks_uri", json!(uri), invalid).await;
    }
    check("software_statement", json!("e30.e30.AA"), "unapproved_software_statement").await;
    check("software_statement", json!("unsigned"), "invalid_software_statement").await;
    check("software_statement", json!({}), "invalid_software_statement").await;
    let both = with(public(), "jwks_uri", "https://c.test/jwks");
    expect_error(&stand.register(&with(both, "jwks", json!({ "keys": [] }))).await, 400, invalid);
}

// covers: DR04
#[tokio::test]
async fn what_is_not_supported_is_dropped_where_something_is_left() {
    let stand = open().await;
    let asked =
        with(public(), "grant_types", json!(["implicit", "authorization_code", "client_credentials"]));
    let client = stand.registered(&with(asked, "response_types", json!(["token", "code"]))).await;
    assert_eq!(client["grant_types"], json!(["authorization_code"]));
    assert_eq!(client["response_types"], json!(["code"]));
    // A development build names its page on the user's machine.
    let client = stand.registered(&with(public(), "client_uri", "http://localhost:5173")).await;
    assert_eq!(client.get("client_uri"), None);
    let id = client["client_id"].as_str().unwrap();
    let answer = stand.client.post("/token").form([("grant_type", "client_credentials"), ("client_id", id)]);
    assert_eq!(answer.send().await.status(), 400);
}

// covers: DR07, DR08
#[tokio::test]
async fn bodies_that_are_no_metadata_are_refused() {
    let stand = open().await;
    let post =
        |kind: &str, body: String| stand.client.post("/register").header("content-type", kind).body(body);
    let deep = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    let twice = r#"{"redirect_uris":["https://c.test/cb"],"redirect_uris":["https://evil.test/cb"]}"#;
    for body in ["null", "[]", "\"x\"", "", "{", "1", twice, "{} {}", r#"{"__proto__":{"redirect_uris":[]}}"#]
    {
        let answer = post("application/json", body.to_owned()).send().await;
        assert_eq!(answer.status(), 400, "{body}: {answer}");
        assert!(answer.json()["error"].as_str().unwrap().starts_with("invalid_"), "{answer}");
    }
    assert_eq!(post("application/json", deep).send().await.status(), 413);
    assert_eq!(
        post("application/json", format!("{}1{}", "[".repeat(20_000), "]".repeat(20_000)))
            .send()
            .await
            .status(),
        400
    );
    let large = with(public(), "contacts", json!(["a".repeat(5_000_000)])).to_string();
    assert_eq!(post("application/json", large).send().await.status(), 413);
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        expect_error(&post(kind, public().to_string()).send().await, 415, "invalid_client_metadata");
    }
    let zipped = post("application/json", public().to_string()).header("content-encoding", "gzip");
    expect_error(&zipped.send().await, 415, "invalid_client_metadata");
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        stand.client.request(method, "/register").send().await.expect_status(405);
    }
    stand.registered(&public()).await;
}

// covers: DR10
#[tokio::test]
async fn an_initial_access_token_counts_in_the_header_only() {
    let registration = Registration::with_initial_access_token(TOKEN).unwrap();
    let stand = Stand::start(|provider| provider.registration(registration)).await;
    let post = |path: &str| stand.client.post(path).json(&public());
    expect_error(&post("/register").send().await, 401, "invalid_token");
    expect_error(&post("/register").bearer("wrong").send().await, 401, "invalid_token");
    expect_error(&post(&format!("/register?access_token={TOKEN}")).send().await, 401, "invalid_token");
    let in_body = with(public(), "access_token", TOKEN);
    expect_error(&stand.client.post("/register").json(&in_body).send().await, 401, "invalid_token");
    let basic = post("/register").header("authorization", &format!("Basic {TOKEN}"));
    expect_error(&basic.send().await, 401, "invalid_token");
    let twice = post("/register").bearer(TOKEN).bearer("x");
    expect_error(&twice.send().await, 400, "invalid_request");
    let refused = post("/register").send().await;
    assert_eq!(refused.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
    post("/register").bearer(TOKEN).send().await.expect_status(201);
    assert!(!stand.events.text().contains(TOKEN));
}

// covers: AUTH-89, AUTH-54
#[tokio::test]
async fn without_registration_there_is_no_endpoint_and_no_word_of_it() {
    let stand = Stand::start(|provider| provider).await;
    stand.register(&public()).await.expect_status(404);
    let metadata = stand.client.get("/.well-known/oauth-authorization-server").send().await.json();
    assert_eq!(metadata.get("registration_endpoint"), None);
    let stand = open().await;
    let metadata = stand.client.get("/.well-known/oauth-authorization-server").send().await.json();
    assert_eq!(metadata["registration_endpoint"], "https://mcp.test/register");
    assert!(!stand.site.routes().iter().any(|route| route.path.contains("/register/client")));
}

#[tokio::test]
async fn a_policy_has_the_last_word() {
    let registration = Registration::open().policy(|request| {
        assert_eq!(request.address, Some([192, 0, 2, 1].into()));
        request.redirect_uris.iter().all(|uri| uri.starts_with("https://c.test/"))
    });
    let stand = Stand::start(|provider| provider.registration(registration)).await;
    stand.registered(&public()).await;
    let other = with(public(), "redirect_uris", json!(["https://d.test/cb"]));
    expect_error(&stand.register(&other).await, 400, "invalid_client_metadata");
}

#[tokio::test]
async fn a_store_that_fails_is_no_verdict() {
    use mcp_store::testkit::{Call, Fault};
    let ground = Ground::new();
    let stand = ground.stand(|provider| provider.registration(Registration::open())).await;
    ground.store.fail_next(Call::Commit, Fault::Unavailable);
    expect_error(&stand.register(&public()).await, 503, "temporarily_unavailable");
    let id = stand.registered(&public()).await["client_id"].as_str().unwrap().to_owned();
    ground.store.fail_next(Call::Get, Fault::Unavailable);
    let answer = stand.try_in(&[("client_id", &id)]).await;
    expect_error(&answer, 503, "temporarily_unavailable");
    assert!(answer.header("retry-after").is_some());
    expect_in(&stand.try_in(&[("client_id", &id)]).await);

    // The answer to the commit is lost, and the client is there: it is told so.
    let confidential = with(public(), "token_endpoint_auth_method", "client_secret_post");
    ground.store.fail_after(1, Call::Commit, Fault::LostAnswer);
    let client = stand.registered(&confidential).await;
    let text = |name: &str| client[name].as_str().unwrap();
    let form = [("client_id", text("client_id")), ("client_secret", text("client_secret"))];
    expect_in(&stand.try_in(&form).await);
}
