//! The server under test: names as tokens, a few tools, prompts and resources.

use std::sync::Arc;

use mcp_auth_rmcp::{Caller, MaybeCaller, Running, Serve, serve};
use mcp_auth_testkit::Client;
use mcp_core::{
    AuthError, Authenticator, Credential, Identity, Policy, ProtectedResource, RequestHead, Scopes,
    async_trait,
};
use rmcp::handler::server::router::prompt::PromptRouter;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::model::{
    ListResourceTemplatesResult, ListResourcesResult, PaginatedRequestParams, PromptMessage,
    ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, Resource, ResourceContents,
    ResourceTemplate, Role, ServerCapabilities, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::{
    ErrorData, RoleServer, ServerHandler, prompt, prompt_handler, prompt_router, tool, tool_handler,
    tool_router,
};
use serde::Deserialize;
use tokio::sync::Semaphore;

/// The token `ada` is Ada's, and `ada.read.write` is Ada's with these scopes.
#[derive(Debug)]
pub(crate) struct Names;

#[async_trait]
impl Authenticator for Names {
    async fn authenticate(
        &self,
        request: &RequestHead<'_>,
        _: &ProtectedResource,
    ) -> Result<Identity, AuthError> {
        let Credential::Bearer(token) = request.credential()? else {
            return Err(AuthError::not_mine());
        };
        let (name, scopes) = token.split_once('.').unwrap_or((token, ""));
        Ok(Identity::new("https://idp.example.com", name)
            .scopes(Scopes::parse(&scopes.replace('.', " ")))
            .props(serde_json::json!({ "login": name }))
            .build())
    }
}

#[derive(Deserialize)]
struct User {
    login: String,
}

/// The handler. `gate` holds the tool `slow` back.
#[derive(Clone)]
pub(crate) struct Tools {
    pub(crate) gate: Arc<Semaphore>,
    pub(crate) begun: Arc<Semaphore>,
    tools: ToolRouter<Self>,
    prompts: PromptRouter<Self>,
}

#[tool_router]
impl Tools {
    pub(crate) fn new() -> Self {
        Self {
            gate: Arc::new(Semaphore::new(0)),
            begun: Arc::new(Semaphore::new(0)),
            tools: Self::tool_router(),
            prompts: Self::prompt_router(),
        }
    }

    #[tool(description = "The caller's login.")]
    async fn whoami(&self, Caller(user): Caller<User>) -> String {
        user.login
    }

    #[tool(description = "A greeting.")]
    async fn hello(&self, MaybeCaller(caller): MaybeCaller<Identity>) -> String {
        caller.map_or_else(|| "hello".to_owned(), |identity| format!("hello {}", identity.subject()))
    }

    #[tool(description = "For administrators.")]
    async fn admin(&self) -> String {
        "done".to_owned()
    }

    #[tool(description = "The headers that reached the tool.")]
    async fn headers(&self, context: RequestContext<RoleServer>) -> String {
        let head = context.extensions.get::<http::request::Parts>().unwrap();
        head.headers.keys().map(http::HeaderName::as_str).collect::<Vec<_>>().join(" ")
    }

    #[tool(description = "Panics.")]
    async fn broken(&self) -> String {
        panic!("as the test wants it");
    }

    #[tool(description = "Answers when the test says so.")]
    async fn slow(&self) -> String {
        self.begun.add_permits(1);
        self.gate.acquire().await.unwrap().forget();
        "at last".to_owned()
    }
}

#[prompt_router]
impl Tools {
    #[prompt(description = "Greets the caller.")]
    async fn greet(&self, Caller(user): Caller<User>) -> Vec<PromptMessage> {
        vec![PromptMessage::new_text(Role::User, format!("Greet {}!", user.login))]
    }

    #[prompt(description = "For administrators.")]
    async fn sudo(&self) -> Vec<PromptMessage> {
        vec![]
    }
}

#[tool_handler(router = self.tools)]
#[prompt_handler(router = self.prompts)]
impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        let capabilities =
            ServerCapabilities::builder().enable_tools().enable_prompts().enable_resources().build();
        ServerConfig::new(capabilities)
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Ok(ListResourcesResult::with_all_items(vec![
            Resource::new("note://open", "open"),
            Resource::new("note://closed", "closed"),
        ]))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(vec![
            ResourceTemplate::new("note://{name}", "any"),
            ResourceTemplate::new("vault://{name}", "vault"),
        ]))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let Caller(user) = Caller::<User>::from_context(&context)?;
        let text = format!("{} read by {}", request.uri, user.login);
        Ok(ReadResourceResult::new(vec![ResourceContents::text(text, request.uri)]).into())
    }
}

/// What `admin` and `sudo` and the closed note ask for.
pub(crate) fn rules() -> Policy {
    Policy::new()
        .tool("admin", "admin")
        .prompt("sudo", "admin")
        .resource("note://closed", "admin")
        .resources_under("vault://", "admin")
}

pub(crate) fn server(tools: Tools) -> Serve<Arc<Tools>> {
    serve(tools).at("http://127.0.0.1:0").auth(Names)
}

/// A running server with the rules, and a client of it.
pub(crate) async fn start() -> (Running, Client) {
    let running = server(Tools::new()).policy(rules()).start().await.unwrap();
    let client = Client::new(running.url().as_str());
    (running, client)
}

/// Waits until something that other tasks bring about has come true.
pub(crate) async fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    for _ in 0..500 {
        if check() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("never came true: {what}");
}
