//! Clients that the operator wrote down, by hand and in files.

use std::fs;
use std::path::Path;

use mcp_auth_provider::{GrantType, OAuthProvider, PreRegistered};
use serde_json::json;

use super::stand::{Ground, Stand, basic, expect_in, expect_out};

const SECRET: &str = "q3Yc0Zs6m1F8uKb2Tn9wXr5vJd7hLp4e";

async fn refused(change: impl FnOnce(OAuthProvider) -> OAuthProvider) -> String {
    Ground::new().try_stand(change).await.err().expect("it must not start").to_string()
}

// covers: TK28
#[tokio::test]
async fn what_cannot_be_a_client_is_refused_at_start_in_a_sentence() {
    let conf = || PreRegistered::with_secret("conf", SECRET).unwrap();
    let cases = [
        (PreRegistered::public(""), "identifier"),
        (PreRegistered::public("b\u{fc}cher").redirect_uri("https://c.test/cb"), "identifier"),
        (PreRegistered::public("job"), "secret or keys"),
        (PreRegistered::public("job").grants([GrantType::TokenExchange]), "secret or keys"),
        (PreRegistered::public("p").redirect_uri("http://c.test/cb"), "https"),
        (conf().grants([GrantType::AuthorizationCode]), "redirect_uris"),
        (conf().resource("https://mcp.test/other"), "no resource of this site"),
        (conf().member("token_endpoint_auth_method", "none"), "could not show"),
        (PreRegistered::with_keys("k", json!({ "keys": [] })), "no key"),
        (PreRegistered::with_keys_at("k", "http://keys.test/jwks"), "jwks_uri"),
        (PreRegistered::public("p").redirect_uri("https://c.test/cb").member("logo_uri", 1), "text"),
    ];
    for (client, word) in cases {
        let shown = format!("{client:?}");
        let error = refused(|provider| provider.client(client)).await;
        assert!(error.contains(word), "{shown}: {error}");
    }
    let twice = refused(|provider| provider.client(conf()).client(conf())).await;
    assert!(twice.contains("another of the same name"), "{twice}");
    assert!(PreRegistered::with_secret("conf", "password").is_err());
    assert!(!format!("{:?}", conf()).contains(SECRET));
}

#[tokio::test]
async fn an_operator_may_send_users_back_to_the_server_itself() {
    let client = PreRegistered::public("own").redirect_uri("https://mcp.test/app/callback");
    Ground::new().stand(|provider| provider.client(client)).await;
}

fn write(folder: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}

#[tokio::test]
async fn clients_stand_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "job.secret", &format!("{SECRET}\n"));
    let toml = write(
        folder.path(),
        "clients.toml",
        r#"
        [[client]]
        client_id = "job"
        secret_file = "job.secret"
        grant_types = ["authorization_code", "client_credentials"]
        redirect_uris = ["https://c.test/cb"]
        scope = "mcp:read"
        resources = ["https://mcp.test/mcp"]

        [[client]]
        client_id = "desktop"
        client_name = "Notes Desktop"
        redirect_uris = ["http://127.0.0.1/callback"]
        "#,
    );
    let hash = "22a4f17fbb9aa1bc8e5db6ac1d3f0c1a7d5d1ef0ab2d4a3d2ca4b7b2e19d8f55";
    let json = write(
        folder.path(),
        "more.json",
        &json!({ "client": [{ "client_id": "hashed", "secret_sha256": hash,
            "redirect_uris": ["https://c.test/cb"], "token_endpoint_auth_method": "client_secret_post" }] })
        .to_string(),
    );
    let stand = Stand::start(|provider| provider.clients_from(toml).clients_from(json)).await;
    expect_in(&stand.try_with(Some(&basic("job", SECRET)), &[]).await);
    expect_in(&stand.try_in(&[("client_id", "desktop")]).await);
    expect_out(&stand.try_in(&[("client_id", "hashed"), ("client_secret", hash)]).await);
}

#[tokio::test]
async fn slips_of_the_pen_are_found() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "short.secret", "password");
    let entry = |lines: &str| {
        format!("[[client]]\nclient_id = \"a\"\nredirect_uris = [\"https://c.test/cb\"]\n{lines}")
    };
    let cases = [
        ("x = 1".to_owned(), "[[client]]"),
        ("[[client]]\nclient_name = \"A\"".to_owned(), "no client_id"),
        (entry("redirect_uri = \"https://c.test/cb\""), "\"redirect_uri\" means nothing"),
        (entry("client_secret = \"s\""), "secret_file"),
        (entry("secret_file = \"missing\""), "cannot be read"),
        (entry("secret_file = \"short.secret\""), "256"),
        (entry("secret_sha256 = \"abc\""), "64 hexadecimal"),
        (
            entry("secret_sha256 = \"+f+f+f+f+f+f+f+f+f+f+f+f+f+f+f+f+f+f+f+f+f+f+f+f+f+f+f+f+f+f+f+f\""),
            "64 hexadecimal",
        ),
        (entry("resources = \"https://mcp.test/mcp\""), "list of texts"),
        (entry("scope = [\"mcp:read\"]"), "text"),
        ("[[client]\n".to_owned(), "no TOML"),
        (format!("other = 1\n{}", entry("")), "nothing beside"),
    ];
    for (text, word) in cases {
        let path = write(folder.path(), "clients.toml", &text);
        let error = refused(|provider| provider.clients_from(path)).await;
        assert!(error.contains(word), "{text}: {error}");
    }
    let json = write(folder.path(), "a.json", r#"{"client":[{"client_id":"a","client_id":"b"}]}"#);
    assert!(refused(|provider| provider.clients_from(json)).await.contains("twice"));
    let gone = folder.path().join("gone.toml");
    assert!(refused(|provider| provider.clients_from(gone)).await.contains("cannot be read"));
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_others_may_write_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "clients.toml", "client = []");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    assert!(refused(|provider| provider.clients_from(path)).await.contains("chmod"));
}
