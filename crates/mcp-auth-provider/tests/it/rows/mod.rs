//! What the token endpoint, the redirects and the consent page owe their clients, row by row of the requirements.

mod answers;
mod at_rest;
mod codes;
mod consent;
mod issuers;
mod keys;
mod load;
mod machines;
mod refreshing;
mod resources;
mod token_endpoint;

use base64ct::{Base64, Encoding};
use mcp_auth_provider::{OAuthProvider, PreRegistered, ResourceServer};
use mcp_auth_testkit::Answer;
use serde_json::{Value, json};

use crate::browser::form::Form;
use crate::browser::scripted::Scripted;
use crate::browser::world::{Authz, CALLBACK, RS, VERIFIER, World, code};

const SECRET: &str = "q3Yc0Zs6m1F8uKb2Tn9wXr5vJd7hLp4e";

/// A server whose users say a name, with a resource server that may ask what tokens are worth.
async fn world() -> World {
    world_with(Scripted::local(), |provider| provider).await
}

async fn world_with(
    sign_in: Scripted,
    change: impl Fn(OAuthProvider) -> OAuthProvider + Send + Sync + 'static,
) -> World {
    World::of(move || {
        let asks = ResourceServer::new("notes-server").resource(RS).resource("https://mcp.test/other");
        let provider = OAuthProvider::new(sign_in.clone())
            .client(PreRegistered::with_secret("notes-server", SECRET).unwrap().grants([]))
            .resource_server(asks);
        change(provider)
    })
    .await
}

/// Signs in as ada, allows everything that is ticked, and gives the redirect to the client.
async fn through(world: &World, request: &Authz) -> Answer {
    let browser = world.browser();
    let page = browser.open(&request.clone().with("prompt", "consent").path()).await.expect_status(200);
    let answer = browser.post(&Form::of(&page.text()).with("name", "ada")).await;
    let page = browser.follow(answer).await.expect_status(200);
    browser.post(&Form::of(&page.text()).with("action", "allow")).await
}

/// A code for a client.
async fn code_for(world: &World, client: &str) -> String {
    code(&through(world, &Authz::of(client)).await)
}

/// Asks the token endpoint.
async fn ask(world: &World, form: &[(&str, &str)]) -> Answer {
    world.client.post("/token").form(form.iter().copied()).send().await
}

/// Redeems a code as a client that does everything right, except for what is `otherwise`; an empty value says nothing.
async fn redeem(world: &World, client: &str, code: &str, otherwise: &[(&str, &str)]) -> Answer {
    let right = [
        ("grant_type", "authorization_code"),
        ("client_id", client),
        ("code", code),
        ("code_verifier", VERIFIER),
        ("redirect_uri", CALLBACK),
    ];
    let kept = right.into_iter().filter(|(name, _)| !otherwise.iter().any(|(other, _)| other == name));
    ask(world, &kept.chain(otherwise.iter().copied()).collect::<Vec<_>>()).await
}

/// Tokens of a new grant for a client.
async fn tokens(world: &World, client: &str) -> Value {
    redeem(world, client, &code_for(world, client).await, &[]).await.expect_status(200).json()
}

/// Refreshes as a client; `more` is said besides.
async fn refresh(world: &World, client: &str, token: &str, more: &[(&str, &str)]) -> Answer {
    let form = [("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token)];
    ask(world, &[&form, more].concat()).await
}

/// What the resource server is told of a token.
async fn introspect(world: &World, token: &str) -> Value {
    let basic = format!("Basic {}", Base64::encode_string(format!("notes-server:{SECRET}").as_bytes()));
    let request = world.client.post("/introspect").header("authorization", &basic);
    request.form([("token", token)]).send().await.expect_status(200).json()
}

/// What a resource answers who comes with a token.
async fn call(world: &World, path: &str, token: &str) -> Answer {
    world.client.post(path).bearer(token).json(&json!({})).send().await
}

/// A member that is a text.
#[track_caller]
fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    match value[name].as_str() {
        Some(text) => text,
        None => panic!("no text {name} in {value}"),
    }
}
