//! What the process's environment changes, and what it must not. Each test runs itself again in a process of its own,
//! because the environment of a running one is shared.

use std::process::Command;

use mcp_outbound::HttpClient;

use crate::support::{Trap, get, loopback_client};
use crate::tls::{on_premises, serve_tls};

/// Runs the test called `name` alone, with `variables` set, and says whether it passed.
async fn passes_with(name: &'static str, variables: Vec<(&'static str, String)>) -> bool {
    let child = tokio::task::spawn_blocking(move || {
        Command::new(std::env::current_exe().unwrap())
            .args([name, "--exact", "--nocapture"])
            .envs(variables)
            .output()
            .unwrap()
    });
    let output = child.await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("running 1 test"), "{text}");
    output.status.success()
}

#[expect(clippy::disallowed_methods, reason = "the child reads what its parent tells it")]
fn told(variable: &str) -> Option<String> {
    std::env::var(variable).ok()
}

// covers: PX-14
#[tokio::test]
async fn a_proxy_of_the_environment_is_ignored() {
    if let Some(port) = told("OUTBOUND_TEST_TARGET") {
        let error = loopback_client().execute(get(&format!("http://127.0.0.1:{port}/"))).await.unwrap_err();
        assert!(error.is_exchange(), "{error:?}");
        return;
    }
    let proxy = Trap::at("127.0.0.1:0").await;
    let target = Trap::at("127.0.0.1:0").await;
    let mut variables =
        vec![("OUTBOUND_TEST_TARGET", target.port().to_string()), ("NO_PROXY", String::new())];
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        variables.push((name, format!("http://{}", proxy.address)));
    }
    assert!(passes_with("environment::a_proxy_of_the_environment_is_ignored", variables).await);
    assert_eq!((proxy.visitors().await, target.visitors().await), (0, 1));
}

/// Holds where the platform's verifier reads files: Linux and the other free Unixes.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn ssl_cert_file_names_the_authorities() {
    if let Some(port) = told("OUTBOUND_TEST_TLS") {
        let client = on_premises().build().unwrap();
        let answer = client.execute(get(&format!("https://idp.example.com:{port}/"))).await.unwrap();
        assert_eq!(answer.body(), "ok");
        return;
    }
    let (address, pem) = serve_tls().await;
    let folder = tempfile::tempdir().unwrap();
    let run = async |pem: &str| {
        let file = folder.path().join("roots.pem");
        std::fs::write(&file, pem).unwrap();
        let variables = vec![
            ("OUTBOUND_TEST_TLS", address.port().to_string()),
            ("SSL_CERT_FILE", file.to_string_lossy().into_owned()),
        ];
        passes_with("environment::ssl_cert_file_names_the_authorities", variables).await
    };
    assert!(run(&pem).await);
    let (_, stranger) = serve_tls().await;
    assert!(!run(&stranger).await, "only the authorities in the file are believed");
}
