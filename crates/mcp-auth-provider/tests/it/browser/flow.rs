//! From `/authorize` to a token.

use mcp_auth_provider::{OAuthProvider, OwnerSignIn};

use super::form::Form;
use super::world::{Authz, CALLBACK, World, code, said, value};

const PASSWORD: &str = "correct horse battery staple";

#[tokio::test]
async fn an_owner_signs_in_consents_and_the_client_gets_a_token() {
    let world = World::of(|| OAuthProvider::new(OwnerSignIn::with_password(PASSWORD).name("Ada"))).await;
    let client = world.register("Notes <App>", &[CALLBACK]).await;
    let browser = world.browser();

    let page = browser.open(&Authz::of(&client).with("scope", "mcp:read mcp:write").path()).await;
    let form = Form::of(&page.expect_status(200).text());
    assert_eq!(form.action, "/sign-in");
    let wrong = browser.post(&form.clone().with("password", "something else")).await.expect_status(403);
    assert!(wrong.text().contains("not the password"));
    let answer = browser.post(&form.with("password", PASSWORD)).await.expect_status(303);

    let page = browser.follow(answer).await.expect_status(200);
    let html = page.text();
    assert!(html.contains("Notes &lt;App&gt;"), "{html}");
    assert!(html.contains("Ada") && html.contains("Change your notes") && html.contains("c.test"), "{html}");
    let form = Form::of(&html).without("scope:mcp:write").with("action", "allow");
    let answer = browser.post(&form).await;
    assert_eq!(value(&said(&answer), "state"), Some("s1"));

    let tokens = world.redeem(&client, &code(&answer)).await.expect_status(200).json();
    assert_eq!(tokens["scope"], "mcp:read");
    assert!(tokens["refresh_token"].is_string());
    let token = tokens["access_token"].as_str().unwrap();
    let call = world.client.post("/mcp").bearer(token).json(&serde_json::json!({})).send().await;
    call.expect_status(200).expect_json("/sub", "owner");
}
