//! A site inside axum.

use mcp_auth_testkit::{Client, Server};
use mcp_core::{Caller, Identity, Site};

use crate::support::{Tokens, caller};

#[derive(serde::Deserialize)]
struct Login {
    login: String,
}

async fn whoami(caller: Option<Caller<Identity>>) -> String {
    caller.map_or_else(|| "nobody".to_owned(), |Caller(identity)| identity.subject().to_string())
}

async fn login(Caller(user): Caller<Login>) -> String {
    user.login
}

#[tokio::test]
async fn handlers_know_their_caller() {
    let ada = crate::support::builder("ada", "").props(serde_json::json!({ "login": "ada99" })).build();
    let tokens = Tokens::default().with("ada", ada).with("bob", caller("bob", ""));
    let listener = Server::listener().await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let site = Site::new(&url)
        .resource("/whoami", axum::Router::new().route("/whoami", axum::routing::get(whoami)))
        .resource("/login", axum::Router::new().route("/login", axum::routing::get(login)))
        .auth(tokens)
        .build()
        .await
        .unwrap();
    let app = axum::Router::new()
        .route("/page", axum::routing::get(|| async { "a page" }))
        .merge(site.into_router());
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let client = Client::new(&url);
    client.get("/page").send().await.expect_status(200).expect_body("a page");
    client.get("/whoami").send().await.expect_status(401);
    client.get("/whoami").bearer("ada").send().await.expect_status(200).expect_body("ada");
    client.get("/login").bearer("ada").send().await.expect_status(200).expect_body("ada99");
    // Props of another shape are our mistake, not the caller's.
    client.get("/login").bearer("bob").send().await.expect_status(500);
    server.abort();
}

#[tokio::test]
async fn an_unguarded_handler_gets_no_caller() {
    let app = axum::Router::new().route("/whoami", axum::routing::get(whoami));
    let client = Client::in_memory("http://127.0.0.1:8000", app_service(app));
    client.get("/whoami").send().await.expect_status(500);
}

fn app_service(app: axum::Router) -> mcp_core::BoxService {
    mcp_core::BoxService::new(app)
}
