//! The life of a token that somebody signed in for: at the server, at others, and its end.

use base64ct::{Base64, Encoding};
use mcp_auth_provider::{JwtTokens, OAuthProvider, OwnerSignIn, PreRegistered, ResourceServer};
use serde_json::{Value, json};

use crate::browser::form::Form;
use crate::browser::world::{Authz, CALLBACK, RS, World, code};

const PASSWORD: &str = "correct horse battery staple";
const SECRET: &str = "q3Yc0Zs6m1F8uKb2Tn9wXr5vJd7hLp4e";

async fn world(jwt: bool) -> World {
    World::of(move || {
        // A resource server that may ask, and get no token itself.
        let server = PreRegistered::with_secret("notes-server", SECRET).unwrap().grants([]);
        let provider = OAuthProvider::new(OwnerSignIn::with_password(PASSWORD).name("Ada"))
            .client(server)
            .resource_server(ResourceServer::new("notes-server").resource(RS));
        if jwt { provider.jwt_access_tokens(JwtTokens::es256()) } else { provider }
    })
    .await
}

/// Signs in, consents and redeems the code.
async fn tokens(world: &World, client: &str) -> Value {
    let browser = world.browser();
    let page = browser.open(&Authz::of(client).path()).await.expect_status(200);
    let answer = browser.post(&Form::of(&page.text()).with("password", PASSWORD)).await.expect_status(303);
    let page = browser.follow(answer).await.expect_status(200);
    let answer = browser.post(&Form::of(&page.text()).with("action", "allow")).await;
    world.redeem(client, &code(&answer)).await.expect_status(200).json()
}

async fn introspect(world: &World, token: &str) -> Value {
    let basic = format!("Basic {}", Base64::encode_string(format!("notes-server:{SECRET}").as_bytes()));
    let request = world.client.post("/introspect").header("authorization", &basic);
    request.form([("token", token)]).send().await.expect_status(200).json()
}

async fn status(world: &World, token: &str) -> u16 {
    world.client.post("/mcp").bearer(token).json(&json!({})).send().await.status()
}

async fn revoke(world: &World, client: &str, token: &str) {
    let form = [("token", token), ("client_id", client), ("token_type_hint", "access_token")];
    world.client.post("/revoke").form(form).send().await.expect_status(200).expect_body("");
}

// covers: RV05, RV07, IN04
#[tokio::test]
async fn from_consent_to_revocation() {
    for jwt in [false, true] {
        let world = world(jwt).await;
        let client = world.register("Notes", &[CALLBACK]).await;
        let first = tokens(&world, &client).await;
        let (access, refresh) =
            (first["access_token"].as_str().unwrap(), first["refresh_token"].as_str().unwrap());
        assert_eq!(access.split('.').count() == 3, jwt);
        assert_eq!(status(&world, access).await, 200);
        let said = introspect(&world, access).await;
        assert_eq!(said["active"], true);
        assert_eq!((&said["aud"], &said["client_id"]), (&json!(RS), &json!(client)));
        assert_eq!(said["scope"], first["scope"]);
        assert_eq!(introspect(&world, refresh).await, json!({ "active": false }));

        revoke(&world, &client, access).await;
        assert_eq!(status(&world, access).await, 401);
        assert_eq!(introspect(&world, access).await, json!({ "active": false }));
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh), ("client_id", &client)];
        let second = world.client.post("/token").form(form).send().await.expect_status(200).json();
        let access = second["access_token"].as_str().unwrap();
        assert_eq!(status(&world, access).await, 200);

        revoke(&world, &client, second["refresh_token"].as_str().unwrap()).await;
        assert_eq!(status(&world, access).await, 401);
        assert_eq!(introspect(&world, access).await, json!({ "active": false }));
        let operator = world.provider.operator("admin").unwrap();
        assert!(operator.grants_of_client(&client, None).await.unwrap().grants.is_empty());
    }
}

#[tokio::test]
async fn another_process_with_the_same_store_knows_tokens_and_keys() {
    let mut world = world(true).await;
    let client = world.register("Notes", &[CALLBACK]).await;
    let given = tokens(&world, &client).await;
    let access = given["access_token"].as_str().unwrap();
    let before = world.client.get("/jwks").send().await.expect_status(200).json();
    world.restart().await;
    assert_eq!(world.client.get("/jwks").send().await.expect_status(200).json(), before);
    assert_eq!(status(&world, access).await, 200);
    let operator = world.provider.operator("admin").unwrap();
    let grants = operator.grants_of_user("owner", None).await.unwrap().grants;
    assert_eq!((grants.len(), &*grants[0].client_id), (1, &*client));
    assert!(operator.end_grant(&grants[0].id).await.unwrap());
    assert_eq!(status(&world, access).await, 401);
}
