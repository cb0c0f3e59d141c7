//! The chain before an endpoint: routes, challenges, metadata, CORS, proxies.

use http::Method;
use mcp_core::{Access, Body, BoxService, Endpoint, Route};
use serde_json::json;

use crate::support::{Tokens, caller, mirror, serve};

fn tokens() -> Tokens {
    Tokens::default().with("good", caller("ada", "files:read"))
}

// covers: AUTH-06, AUTH-12, AUTH-13, AUTH-14, AUTH-15, AUTH-18, AUTH-19, AUTH-34, RS11
#[tokio::test]
async fn challenges_whoever_has_no_good_token_on_every_method() {
    let served = serve("", |site| {
        site.resource(Endpoint::at("/mcp").basic_scopes("files:read"), mirror()).auth(tokens())
    })
    .await;
    let metadata = format!("{}/.well-known/oauth-protected-resource/mcp", served.url);
    for method in [Method::GET, Method::POST, Method::DELETE, Method::PUT, Method::HEAD, Method::PATCH] {
        let answer = served.client.request(method.clone(), "/mcp").send().await.expect_status(401);
        answer.expect_challenge(|c| {
            c.scheme("Bearer").no_error().scopes("files:read").has("resource_metadata", &metadata)
        });
        let answer = served.client.request(method.clone(), "/mcp").bearer("bad").send().await;
        answer.expect_status(401).expect_challenge(|c| {
            c.scheme("Bearer").error("invalid_token").has("resource_metadata", &metadata)
        });
        served.client.request(method, "/mcp").bearer("good").send().await.expect_status(200);
    }
    let answer = served.client.post("/mcp").bearer("bad").send().await;
    answer
        .expect_header("cache-control", "no-store")
        .expect_json("/error", "invalid_token")
        .expect_json("/error_description", "the token is unknown");
}

// covers: AUTH-05, AUTH-07, RS12
#[tokio::test]
async fn takes_a_token_from_the_authorization_header_and_nowhere_else() {
    let served = serve("", |site| site.resource("/mcp", mirror()).auth(tokens())).await;
    let post = || served.client.post("/mcp");
    post().header("authorization", "bearer good").send().await.expect_status(200);
    post().header("authorization", "BEARER  good").send().await.expect_status(200);
    let refused = [
        post().header("authorization", "Bearer"),
        post().header("authorization", "Bearer "),
        post().header("authorization", "Basic Z29vZDo="),
        post().header("authorization", "good"),
        post().header("authorization", "Bearer good, Bearer good"),
        post().header("authorization", "Bearer good").header("authorization", "Bearer good"),
        post().header("authorization", &format!("Bearer {}", "a".repeat(20_000))),
        served.client.post("/mcp?access_token=good"),
        post().form([("access_token", "good")]),
        post().header("cookie", "access_token=good"),
    ];
    for request in refused {
        let line = format!("{request:?}");
        let answer = request.send().await;
        assert_eq!(answer.status(), 401, "{line}");
    }
}

// covers: AUTH-10, AUTH-11, AUTH-20, SEC-02
#[tokio::test]
async fn passes_the_caller_on_and_not_the_token() {
    let served = serve("", |site| site.resource("/mcp", mirror()).auth(tokens())).await;
    let answer = served.client.post("/mcp").bearer("good").header("dpop", "proof").send().await;
    let seen = answer.expect_json("/caller", "ada").json();
    assert_eq!(seen["headers"].get("authorization"), None);
    assert_eq!(seen["headers"].get("dpop"), None);
    assert!(!seen.to_string().contains("good"));
    let events = format!("{:?}", served.events.0.lock().unwrap());
    assert!(events.contains("ada") && !events.contains("good"), "{events}");
}

// covers: AUTH-03, AUTH-23, AUTH-32, AUTH-33, AUTH-35, AUTH-36, AUTH-38, AUTH-39, MD04, U-12
#[tokio::test]
async fn serves_the_document_of_each_resource_where_clients_look() {
    let served = serve("", |site| {
        site.resource(Endpoint::at("/mcp").named("Files").basic_scopes("files:read offline_access"), mirror())
            .resource("/admin", mirror())
            .auth(tokens())
    })
    .await;
    let get = |path: &'static str| served.client.get(path).send();
    let document = get("/.well-known/oauth-protected-resource/mcp").await.expect_status(200);
    let expected = json!({
        "resource": format!("{}/mcp", served.url),
        "authorization_servers": ["https://idp.example.com"],
        "scopes_supported": ["files:read"],
        "bearer_methods_supported": ["header"],
        "resource_name": "Files",
    });
    assert_eq!(document.expect_header("content-type", "application/json").json(), expected);
    assert_eq!(get("/.well-known/oauth-protected-resource").await.json(), expected);
    let other = get("/.well-known/oauth-protected-resource/admin").await;
    other.expect_json("/resource", format!("{}/admin", served.url));
    get("/.well-known/oauth-protected-resource/other").await.expect_status(404);
    // Only read, never written.
    let answer = served.client.post("/.well-known/oauth-protected-resource/mcp").send().await;
    answer.expect_status(405).expect_header("allow", "GET");
}

// covers: MD02
#[tokio::test]
async fn builds_no_url_from_what_a_peer_says() {
    let served = serve("", |site| site.resource("/mcp", mirror()).auth(tokens())).await;
    let plain = served.client.get("/.well-known/oauth-protected-resource/mcp").send().await.json();
    let spoofed = served.client.get("/.well-known/oauth-protected-resource/mcp");
    let spoofed = spoofed
        .header("x-forwarded-host", "evil.test")
        .header("x-forwarded-proto", "https")
        .header("forwarded", "host=evil.test;proto=https");
    assert_eq!(spoofed.send().await.expect_status(200).json(), plain);
    let rebound = served.client.get("/.well-known/oauth-protected-resource/mcp");
    rebound.replace_header("host", "evil.test").send().await.expect_status(421);
}

// covers: RS18
#[tokio::test]
async fn repeats_nothing_a_peer_sent() {
    let served = serve("", |site| site.resource("/mcp", mirror()).auth(tokens())).await;
    let request = served.client.post("/mcp?x='evil'").bearer("evil-token");
    let request = request.header("x-request-id", "evil-id\"").header("mcp-session-id", "evil-session");
    let answer = request.send().await.expect_status(401);
    assert!(!format!("{:?} {}", answer.headers(), answer.text()).contains("evil"));
}

// covers: TR-04, TR-05, TR-20, TK34, SSE-03
#[tokio::test]
async fn refuses_foreign_hosts_and_pages_before_it_looks_at_tokens() {
    let served = serve("", |site| {
        site.resource("/mcp", mirror()).auth(tokens()).allow_origin("https://app.example.com")
    })
    .await;
    let post = || served.client.post("/mcp").bearer("good");
    post().replace_header("host", "evil.test").send().await.expect_status(421);
    post().without_header("host").send().await.expect_status(400);
    post().header("host", "evil.test").send().await.expect_status(400);
    for origin in ["https://evil.test", "null"] {
        let answer = post().header("origin", origin).send().await.expect_status(403);
        // The code is outside everything JSON-RPC and MCP keep for themselves.
        answer.expect_no_header("access-control-allow-origin").expect_json("/error/code", -31403);
    }
    post().send().await.expect_status(200);
    let answer = post().header("origin", "https://app.example.com").send().await.expect_status(200);
    answer
        .expect_header("access-control-allow-origin", "https://app.example.com")
        .expect_header("vary", "Origin");
    // A page's preflight is refused the same way, and so are its requests without a token.
    let preflight = served.client.preflight("/mcp", "https://evil.test", "POST").send().await;
    preflight.expect_status(403).expect_no_header("access-control-allow-origin");
    let events = served.events.0.lock().unwrap();
    assert!(events.iter().any(|event| event.kind.as_str() == "guard"));
}

// covers: AUTH-45
#[tokio::test]
async fn lets_pages_sign_in_and_keep_a_session() {
    let served = serve("", |site| {
        site.resource("/mcp", mirror()).auth(tokens()).allow_origin("https://app.example.com")
    })
    .await;
    let preflight = served.client.preflight("/mcp", "https://app.example.com", "POST");
    let preflight = preflight.header("access-control-request-headers", "mcp-param-city, x-evil").send().await;
    let allowed = preflight.header("access-control-allow-headers").unwrap().to_ascii_lowercase();
    for header in
        ["authorization", "content-type", "mcp-session-id", "mcp-protocol-version", "mcp-param-city"]
    {
        assert!(allowed.contains(header), "{header} is not in {allowed}");
    }
    assert!(!allowed.contains("x-evil"));
    assert!(preflight.header("access-control-allow-credentials").is_none());
    let preflight = preflight.expect_status(204);
    assert!(preflight.header("access-control-allow-methods").unwrap().contains("DELETE"));

    let answer = served.client.post("/mcp").header("origin", "https://app.example.com").send().await;
    let exposed = answer.header("access-control-expose-headers").unwrap().to_owned();
    assert!(exposed.contains("WWW-Authenticate") && exposed.contains("Mcp-Session-Id"), "{exposed}");
    answer.expect_status(401).expect_header("access-control-allow-origin", "https://app.example.com");

    let document = served.client.get("/.well-known/oauth-protected-resource/mcp");
    let document = document.header("origin", "https://anywhere.test").send().await.expect_status(200);
    document.expect_header("access-control-allow-origin", "*");
    let path = "/.well-known/oauth-protected-resource/mcp";
    let preflight = served.client.preflight(path, "https://anywhere.test", "GET");
    let preflight = preflight.header("access-control-request-headers", "mcp-protocol-version").send().await;
    preflight.expect_status(204).expect_header("access-control-allow-origin", "*");
}

// covers: FT09
#[tokio::test]
async fn leads_almost_right_paths_nowhere() {
    let served = serve("", |site| site.resource("/mcp", mirror()).auth(tokens())).await;
    for path in
        ["/mcp/", "//mcp", "/MCP", "/mcp%2f", "/%6dcp", "/mcp/x", "/x/../mcp", "/mcp;x", "/", "/mcp.json"]
    {
        let answer = served.client.at_root(Method::POST, path).bearer("good").send().await;
        assert_eq!(answer.status(), 404, "{path}");
    }
    served.client.post("/mcp?x=1").bearer("good").send().await.expect_status(200);
}

#[tokio::test]
async fn answers_behind_a_proxy_that_strips_its_path_and_one_that_does_not() {
    let served = serve("/tools", |site| site.resource("/mcp", mirror()).auth(tokens())).await;
    let resource = format!("{}/mcp", served.url);
    let metadata = format!("{}/.well-known/oauth-protected-resource/mcp", served.url);
    for path in ["/tools/mcp", "/mcp"] {
        let answer = served.client.at_root(Method::POST, path).send().await.expect_status(401);
        answer.expect_challenge(|c| c.has("resource_metadata", &metadata));
        served.client.at_root(Method::POST, path).bearer("good").send().await.expect_status(200);
    }
    for path in [
        "/.well-known/oauth-protected-resource/tools/mcp",
        "/tools/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-protected-resource",
        "/tools/.well-known/oauth-protected-resource",
    ] {
        let document = served.client.at_root(Method::GET, path).send().await.expect_status(200);
        document.expect_json("/resource", resource.clone());
    }
}

#[tokio::test]
async fn opens_nothing_but_what_is_named_here() {
    let own = BoxService::from_fn(|_| async { http::Response::new(Body::from("hello")) });
    let served = serve("", |site| {
        site.resource("/mcp", mirror())
            .resource("/sse", mirror())
            .belongs("/messages", "/sse")
            .public(Route::new("/about", [Method::GET], Access::Public, own))
            .auth(tokens())
    })
    .await;
    let open: Vec<&str> = served
        .site
        .routes()
        .iter()
        .filter(|route| route.access != Access::Protected)
        .map(|route| route.path.as_str())
        .collect();
    let mut expected = vec![
        "/about",
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-protected-resource/sse",
        "/healthz",
    ];
    let mut open_sorted = open.clone();
    open_sorted.sort_unstable();
    expected.sort_unstable();
    assert_eq!(open_sorted, expected);
    for route in served.site.routes().iter().filter(|route| route.access == Access::Protected) {
        for method in [Method::GET, Method::POST, Method::DELETE, Method::PUT] {
            let answer = served.client.at_root(method, &route.path).send().await;
            assert_eq!(answer.status(), 401, "{}", route.path);
        }
    }
}

#[tokio::test]
async fn gives_each_endpoint_its_own_audience_and_parts_that_of_their_whole() {
    let served = serve("", |site| {
        site.resource("/mcp", mirror()).resource("/sse", mirror()).belongs("/messages", "/sse").auth(tokens())
    })
    .await;
    for (path, resource) in [("/mcp", "/mcp"), ("/sse", "/sse"), ("/messages", "/sse")] {
        let metadata = format!("{}/.well-known/oauth-protected-resource{resource}", served.url);
        let answer = served.client.post(path).send().await;
        answer.expect_challenge(|c| c.has("resource_metadata", &metadata));
    }
}

#[tokio::test]
async fn answers_probes_under_any_name() {
    let served = serve("", |site| site.resource("/mcp", mirror()).auth(tokens())).await;
    let probe = served.client.get("/healthz").replace_header("host", "10.1.2.3:8000").send().await;
    probe.expect_status(200).expect_body("ok");
}

// covers: KR04
#[tokio::test]
async fn says_to_come_back_when_it_cannot_tell() {
    let tokens = tokens();
    let served = serve("", |site| site.resource("/mcp", mirror()).auth(tokens.clone())).await;
    tokens.go_down(true);
    let answer = served.client.post("/mcp").bearer("good").send().await;
    answer.expect_status(503).expect_header("retry-after", "7").expect_no_challenge();
    tokens.go_down(false);
    served.client.post("/mcp").bearer("good").send().await.expect_status(200);
}

// covers: LG03
#[tokio::test]
async fn refuses_guesses_from_one_place_and_never_a_good_caller_there() {
    use mcp_core::limits::{Limits, Rate};
    let limits = Limits::new().failures_per_address(Rate::per_minute(20));
    let served = serve("", |site| site.resource("/mcp", mirror()).auth(tokens()).limits(limits)).await;
    served.client.post("/mcp").bearer("good").send().await.expect_status(200);
    let mut refused = 0;
    for n in 0..60 {
        let guess = served.client.post("/mcp").bearer(&format!("guess-{n}"));
        // A header that anybody can write does not make it another address.
        let answer = guess.header("x-forwarded-for", &format!("198.51.100.{n}")).send().await;
        refused += u32::from(answer.status() == 429 && answer.header("retry-after").is_some());
        served.client.post("/mcp").bearer("good").send().await.expect_status(200);
    }
    assert!(refused >= 30, "{refused}");
}

// covers: AUTH-35, AUTH-39, U-12
#[tokio::test]
async fn an_endpoint_at_the_root_keeps_its_own_document() {
    for first in ["/", "/x"] {
        let second = if first == "/" { "/x" } else { "/" };
        let served =
            serve("", |site| site.resource(first, mirror()).resource(second, mirror()).auth(tokens())).await;
        for (path, resource) in [("/", served.url.clone()), ("/x", format!("{}/x", served.url))] {
            let answer = served.client.post(path).send().await.expect_status(401);
            let place = answer.challenges()[0].param("resource_metadata").unwrap().to_owned();
            let document = served.client.get(place.strip_prefix(&served.url).unwrap()).send().await;
            document.expect_json("/resource", resource);
        }
    }
}

// covers: AUTH-45
#[tokio::test]
async fn lets_pages_see_that_there_is_nothing() {
    let served = serve("", |site| site.resource("/mcp", mirror()).auth(tokens())).await;
    let probe = served.client.get("/.well-known/oauth-authorization-server");
    let answer = probe.header("origin", "https://anywhere.test").send().await.expect_status(404);
    answer.expect_header("access-control-allow-origin", "*");
}

/// Takes keys from a header of its own.
#[derive(Debug)]
struct Keys;

#[mcp_core::async_trait]
impl mcp_core::Authenticator for Keys {
    async fn authenticate(
        &self,
        request: &mcp_core::RequestHead<'_>,
        _: &mcp_core::ProtectedResource,
    ) -> Result<mcp_core::Identity, mcp_core::AuthError> {
        match request.headers().get("x-api-key") {
            Some(key) if key == "right" => Ok(caller("ada", "")),
            Some(_) => Err(mcp_core::AuthError::invalid_token("the key is unknown")),
            None => Err(mcp_core::AuthError::missing()),
        }
    }

    fn credential_headers(&self) -> Vec<http::HeaderName> {
        vec![http::HeaderName::from_static("x-api-key")]
    }
}

// covers: LG03
#[tokio::test]
async fn guesses_at_keys_in_a_header_lock_nobody_else_out() {
    use mcp_core::limits::{Limits, Rate};
    let limits = Limits::new().failures_per_credential(Rate::per_minute(3));
    let served = serve("", |site| site.resource("/mcp", mirror()).auth(Keys).limits(limits)).await;
    let post = |key: &str| served.client.post("/mcp").header("x-api-key", key).send();
    for n in 0..20 {
        post(&format!("guess-{n}")).await.expect_status(401);
    }
    let seen = post("right").await.expect_status(200).json();
    assert_eq!(seen["headers"].get("x-api-key"), None);
    let mut refused = 0;
    for _ in 0..20 {
        refused += u32::from(post("the same").await.status() == 429);
    }
    assert!(refused >= 10, "{refused}");
}

// covers: KR04
#[tokio::test]
async fn one_authenticator_that_cannot_tell_does_not_shut_out_the_callers_of_another() {
    let down = tokens();
    down.go_down(true);
    let other = Tokens::default().with("key", caller("bob", ""));
    let either = mcp_core::AnyOf::new().or(down).or(other);
    let served = serve("", |site| site.resource("/mcp", mirror()).auth(either)).await;
    let post = |token: &'static str| served.client.post("/mcp").bearer(token).send();
    post("key").await.expect_status(200).expect_json("/caller", "bob");
    // It may be good for the one that is down.
    post("good").await.expect_status(503).expect_header("retry-after", "7").expect_no_challenge();
}
