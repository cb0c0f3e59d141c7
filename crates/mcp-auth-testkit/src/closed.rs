//! Deny by default, checked route by route.

use http::Method;
use mcp_core::{Access, Site};

use crate::Client;

/// Walks every route of a site: those named here are all that needs no token, and every other refuses every method with
/// this status. Gives the number of requests it made.
///
/// A route that is added later fails the test until somebody names it, so that nothing is opened by accident.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), mcp_core::ConfigError> {
/// use mcp_auth_testkit::{Client, expect_closed};
/// use mcp_core::{Body, BoxService, NoAuth, Site};
///
/// let mcp = BoxService::from_fn(|_| async { http::Response::new(Body::empty()) });
/// let site = Site::new("http://127.0.0.1:8000").resource("/mcp", mcp).auth(NoAuth::new()).build().await?;
/// // Open to this machine, so it is a neighbour who must be refused.
/// let neighbour = ([192, 0, 2, 7], 40_000).into();
/// let client = Client::in_memory("http://127.0.0.1:8000", site.clone()).from_address(neighbour);
/// assert_eq!(expect_closed(&client, &site, &["/healthz"], 403).await, 6);
/// # Ok(())
/// # }
/// ```
///
/// # Panics
/// When another route is public, one of these is not, or a protected one answers anything else.
pub async fn expect_closed(client: &Client, site: &Site, public: &[&str], status: u16) -> usize {
    let is_open = |access: Access| access != Access::Protected;
    let mut found: Vec<&str> =
        site.routes().iter().filter(|route| is_open(route.access)).map(|route| route.path.as_str()).collect();
    let mut named = public.to_vec();
    found.sort_unstable();
    named.sort_unstable();
    assert_eq!(found, named, "the routes that need no token are not those that were named");
    let mut requests = 0;
    for route in site.routes().iter().filter(|route| !is_open(route.access)) {
        for method in [Method::GET, Method::POST, Method::DELETE, Method::PUT, Method::PATCH, Method::HEAD] {
            let answer = client.at_root(method.clone(), &route.path).send().await;
            assert_eq!(answer.status(), status, "{method} {}", route.path);
            requests += 1;
        }
    }
    requests
}
