//! Deny by default: without a token, every route that is not named here answers 401.

use http::Method;
use mcp_auth_testkit::Client;
use mcp_core::Access;

/// What needs no token, by name. Whatever is added to it is added on purpose.
const PUBLIC: [&str; 4] = [
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-protected-resource/mcp",
    "/.well-known/oauth-protected-resource/sse",
    "/healthz",
];

#[tokio::test]
async fn every_other_route_wants_a_token() {
    let settings = crate::settings::Settings {
        bind: "127.0.0.1:8000".to_owned(),
        public_url: "http://127.0.0.1:8000".to_owned(),
        token: Some("a-token".to_owned()),
        bare: false,
    };
    let fixtures = crate::server::Everything::new().unwrap();
    let site = crate::serve::server(fixtures, &settings).into_service().await.unwrap();
    let client = Client::in_memory("http://127.0.0.1:8000", site.clone());
    let mut public: Vec<_> = site.routes().iter().filter(|route| route.access != Access::Protected).collect();
    public.sort_by(|a, b| a.path.cmp(&b.path));
    assert_eq!(public.iter().map(|route| route.path.as_str()).collect::<Vec<_>>(), PUBLIC);
    let mut walked = 0;
    for route in site.routes().iter().filter(|route| route.access == Access::Protected) {
        for method in [Method::GET, Method::POST, Method::DELETE, Method::PUT, Method::PATCH, Method::HEAD] {
            let answer = client.at_root(method.clone(), &route.path).send().await;
            assert_eq!(answer.status(), 401, "{method} {}", route.path);
            walked += 1;
        }
    }
    assert_eq!(walked, 18, "/mcp, /sse and /messages");
}
