//! Deny by default: whoever is not on this machine gets nothing but the health probe.

use http::Method;
use mcp_auth_testkit::Client;
use mcp_core::Access;

/// What needs no token, by name. Whatever is added to it is added on purpose.
const PUBLIC: [&str; 1] = ["/healthz"];

#[tokio::test]
async fn nobody_else_on_the_network_gets_in() {
    let settings = crate::Settings {
        bind: "127.0.0.1:8000".to_owned(),
        public_url: "http://127.0.0.1:8000".to_owned(),
        allow_origins: Vec::new(),
    };
    let site = crate::server(settings).into_service().await.unwrap();
    let neighbour = "192.0.2.7:40000".parse().unwrap();
    let client = Client::in_memory("http://127.0.0.1:8000", site.clone()).from_address(neighbour);
    let mut public: Vec<_> = site.routes().iter().filter(|route| route.access != Access::Protected).collect();
    public.sort_by(|a, b| a.path.cmp(&b.path));
    assert_eq!(public.iter().map(|route| route.path.as_str()).collect::<Vec<_>>(), PUBLIC);
    let mut walked = 0;
    for route in site.routes().iter().filter(|route| route.access == Access::Protected) {
        for method in [Method::GET, Method::POST, Method::DELETE, Method::PUT, Method::PATCH, Method::HEAD] {
            let answer = client.at_root(method.clone(), &route.path).send().await;
            assert_eq!(answer.status(), 403, "{method} {}", route.path);
            walked += 1;
        }
    }
    assert_eq!(walked, 18, "/mcp, /sse and /messages");
}
