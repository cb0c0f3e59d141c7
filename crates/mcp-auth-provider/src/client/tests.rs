//! Clients and what hangs on them, in a running server.

use http::Method;
use serde_json::json;

use crate::Registration;
use crate::testing::Running;

// covers: DR17
#[tokio::test]
async fn what_was_granted_to_a_client_ends_with_it() {
    let running = Running::start(|provider| provider.registration(Registration::open().manageable())).await;
    let metadata = json!({
        "redirect_uris": ["https://c.test/cb"], "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
    });
    let register = || running.http.post("/register").json(&metadata).send();
    let (doomed, other) = (register().await.json(), register().await.json());
    let engine = running.engine();
    let find = async |client: &serde_json::Value| {
        engine.clients.find(engine, client["client_id"].as_str().unwrap(), None).await.unwrap()
    };
    let (client, another) = (find(&doomed).await, find(&other).await);
    let (tokens, theirs) = (running.tokens(&client, "ada").await, running.tokens(&another, "ada").await);
    let code = running.code(&client, "bob").await;
    assert_eq!(running.status("/mcp", &tokens.access_token).await, 200);

    let path = doomed["registration_client_uri"].as_str().unwrap().strip_prefix(&running.url).unwrap();
    let token = doomed["registration_access_token"].as_str().unwrap();
    running.http.request(Method::DELETE, path).bearer(token).send().await.expect_status(204);

    assert_eq!(running.status("/mcp", &tokens.access_token).await, 401);
    assert_eq!(running.status("/mcp", &theirs.access_token).await, 200);
    let id = client.id.as_str();
    let refresh = tokens.refresh_token.unwrap();
    for form in [
        [("client_id", id), ("grant_type", "refresh_token"), ("refresh_token", &*refresh)],
        [("client_id", id), ("grant_type", "authorization_code"), ("code", &*code)],
    ] {
        let answer = running.http.post("/token").form(form).send().await;
        answer.expect_status(401).expect_json("/error", "invalid_client");
    }
    // Not even a client of the same name, if there could be one, would have them.
    assert!(crate::grant::page_of_client(engine, &client.id, None).await.unwrap().0.is_empty());
    assert_eq!(crate::grant::page_of_client(engine, &another.id, None).await.unwrap().0.len(), 1);
}
