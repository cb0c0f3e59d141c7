//! Set-ups that cannot be safe are refused at start, in a sentence that says what to write instead.

use std::net::SocketAddr;

use mcp_auth_testkit::Client;
use mcp_core::policy::Policy;
use mcp_core::{AnyOf, NoAuth, SecretKey, Site, SiteBuilder};

use crate::support::{Tokens, caller, mirror};

async fn check(set_up: SiteBuilder, words: &[&str]) {
    let sentence = set_up.build().await.expect_err("this set-up must be refused").to_string();
    for word in words {
        assert!(sentence.contains(word), "{word:?} is not in: {sentence}");
    }
}

fn site(url: &str) -> SiteBuilder {
    Site::new(url).resource("/mcp", mirror())
}

// covers: AUTH-02, TR-06
#[tokio::test]
async fn no_authentication_is_for_loopback_unless_said_aloud() {
    check(
        site("https://mcp.example.com").auth(NoAuth::new()),
        &["NoAuth::public()", "https://mcp.example.com"],
    )
    .await;
    let everywhere: SocketAddr = "0.0.0.0:8000".parse().unwrap();
    let exposed = site("http://127.0.0.1:8000").listener(everywhere).auth(NoAuth::new());
    check(exposed, &["NoAuth::public()", "0.0.0.0:8000", "127.0.0.1"]).await;
    assert!(site("https://mcp.example.com").auth(NoAuth::public()).build().await.is_ok());
}

#[tokio::test]
async fn no_authentication_refuses_peers_from_elsewhere() {
    let local = site("http://127.0.0.1:8000").auth(NoAuth::new()).build().await.unwrap();
    let client = Client::in_memory("http://127.0.0.1:8000", local.clone());
    client.post("/mcp").send().await.expect_status(200);
    let neighbour = client.clone().from_address("192.0.2.7:5000".parse().unwrap());
    neighbour.post("/mcp").send().await.expect_status(403).expect_no_challenge();
    // A tunnel on this machine that passes on for the world.
    for (header, from) in [
        ("x-forwarded-for", "198.51.100.7"),
        ("x-forwarded-for", "127.0.0.1, 198.51.100.7"),
        ("x-forwarded-for", "198.51.100.7, 127.0.0.1"),
        ("forwarded", "for=198.51.100.7;proto=https"),
        // Or says that it does, and not for whom.
        ("forwarded", "for=unknown"),
        ("forwarded", "for=_x, for=127.0.0.1"),
        ("forwarded", "proto=https"),
        ("forwarded", "for=[::1]"),
        ("x-forwarded-for", "fe80::1%eth0"),
        ("x-forwarded-for", "127.0.0.1, unknown"),
        ("x-forwarded-for", "unknown, 127.0.0.1"),
        ("x-forwarded-for", "localhost"),
        ("x-forwarded-for", ""),
        ("forwarded", ""),
    ] {
        let answer = client.post("/mcp").header(header, from).send().await;
        assert_eq!(answer.status(), 403, "{header}: {from}");
    }
    let both = client.post("/mcp").header("x-forwarded-for", "127.0.0.1");
    both.header("forwarded", "for=198.51.100.7").send().await.expect_status(403);
    for (header, from) in [
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-for", "127.0.0.1:5000, ::1"),
        ("x-forwarded-for", "::ffff:127.0.0.1"),
        ("forwarded", r#"for="[::1]:5000";proto=http, for=127.0.0.1"#),
    ] {
        client.post("/mcp").header(header, from).send().await.expect_status(200);
    }
    let unknown = http::Request::post("/mcp").header("host", "127.0.0.1:8000").body(mcp_core::Body::empty());
    let answer = tower_service::Service::call(&mut local.clone(), unknown.unwrap()).await.unwrap();
    assert_eq!(answer.status(), 403);
}

// covers: AUTH-55
#[tokio::test]
async fn tokens_do_not_travel_on_plain_http() {
    let tokens = || Tokens::default().with("t", caller("ada", ""));
    check(site("http://mcp.example.com").auth(tokens()), &["plain http", "https"]).await;
    check(site("ftp://mcp.example.com").auth(tokens()), &["https"]).await;
    check(site("https://user@mcp.example.com").auth(tokens()), &["user"]).await;
    check(site("https://mcp.example.com/?x").auth(tokens()), &["query"]).await;
    check(site("mcp.example.com").auth(tokens()), &["https://mcp.example.com"]).await;
}

#[tokio::test]
async fn somebody_must_say_who_may_come_in() {
    check(site("https://mcp.example.com"), &[".auth("]).await;
    check(Site::new("https://mcp.example.com").auth(NoAuth::public()), &[".resource("]).await;
    check(site("https://mcp.example.com").auth(AnyOf::new()), &[".or("]).await;
    let open_door = AnyOf::new().or(Tokens::default()).or(NoAuth::public());
    check(site("https://mcp.example.com").auth(open_door), &["allow_anonymous_tool"]).await;
}

#[tokio::test]
async fn pages_of_everybody_do_not_meet_an_open_server() {
    let site = site("http://127.0.0.1:8000").auth(NoAuth::new()).allow_any_origin();
    check(site, &["allow_origin(", "web page"]).await;
}

#[tokio::test]
async fn paths_origins_and_hosts_are_written_plainly() {
    let site = || site("https://mcp.example.com").auth(NoAuth::public());
    check(site().resource("/mcp", mirror()), &["/mcp", "two routes"]).await;
    check(site().resource("mcp", mirror()), &["/mcp"]).await;
    check(site().resource("/a//b", mirror()), &["/a//b"]).await;
    check(site().resource("/a%20b", mirror()), &["/a%20b"]).await;
    check(site().belongs("/messages", "/sse"), &["/sse", ".resource("]).await;
    check(site().allow_origin("https://app.example.com/page"), &["without a path"]).await;
    check(site().allow_origin("*"), &["https://app.example.com"]).await;
    check(site().allow_host("*.example.com"), &["mcp.internal:8000"]).await;
}

// covers: SEC-07
#[tokio::test]
async fn clients_are_not_sent_just_anywhere() {
    #[derive(Debug)]
    struct Odd(&'static str);
    #[mcp_core::async_trait]
    impl mcp_core::Authenticator for Odd {
        async fn authenticate(
            &self,
            _: &mcp_core::RequestHead<'_>,
            _: &mcp_core::ProtectedResource,
        ) -> Result<mcp_core::Identity, mcp_core::AuthError> {
            Err(mcp_core::AuthError::missing())
        }
        fn metadata(&self, _: &mcp_core::ProtectedResource) -> mcp_core::ResourceMetadata {
            mcp_core::ResourceMetadata::issued_by([mcp_core::Issuer::new(self.0)])
        }
    }
    for issuer in ["javascript:alert(1)", "http://idp.example.com", "idp"] {
        check(site("https://mcp.example.com").auth(Odd(issuer)), &[issuer, "https"]).await;
    }
}

#[test]
fn secrets_are_long_and_made() {
    let sentence = |bytes: &[u8]| SecretKey::new(bytes).unwrap_err().to_string();
    assert!(sentence(b"secret").contains("at least 256"), "{}", sentence(b"secret"));
    assert!(sentence(&[0; 32]).contains("all zeros"));
    assert!(sentence(b"a-string-secret-at-least-256-bits-long").contains("everybody knows"));
}

// covers: AUTH-30
#[tokio::test]
async fn an_open_server_leads_nobody_in_circles() {
    let policy = Policy::new().tool("secret", "demo:secret");
    let site = site("http://127.0.0.1:8000").auth(NoAuth::new()).policy(policy).build().await.unwrap();
    let client = Client::in_memory("http://127.0.0.1:8000", site);
    let call = serde_json::json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "secret" } });
    client.post("/mcp").json(&call).send().await.expect_status(403).expect_no_challenge();
}

#[tokio::test]
async fn a_protected_route_is_not_mounted_without_protection() {
    use mcp_core::{Access, Route};
    let route = || Route::new("/admin", [http::Method::GET], Access::Protected, mirror());
    let tokens = || Tokens::default().with("t", caller("ada", ""));
    let by_operator = site("https://mcp.example.com").auth(tokens()).public(route());
    check(by_operator, &["/admin", ".resource(", "Access::Protected"]).await;
}

#[tokio::test]
async fn nothing_else_stands_where_clients_look_for_metadata() {
    use mcp_core::{Access, Route};
    let path = "/.well-known/oauth-protected-resource/mcp";
    let route = Route::new(path, [http::Method::GET], Access::Public, mirror());
    let set_up = site("https://mcp.example.com").auth(Tokens::default()).public(route);
    check(set_up, &[path, "two routes"]).await;
}
