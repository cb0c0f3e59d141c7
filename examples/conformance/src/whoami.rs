//! The tool every client can try first.

use mcp_auth_rmcp::MaybeCaller;
use mcp_core::Identity;
use rmcp::service::RequestContext;
use rmcp::{RoleServer, tool, tool_router};

use crate::server::Everything;

#[tool_router(router = whoami_tools, vis = "pub(crate)")]
impl Everything {
    #[tool(description = "Says who is calling.")]
    async fn whoami(&self, context: RequestContext<RoleServer>) -> String {
        // Not an argument, because the bare server has no caller to give.
        match MaybeCaller::<Identity>::from_context(&context) {
            Ok(MaybeCaller(Some(caller))) => {
                let client = caller.client().map_or("unknown", |client| client.as_str());
                format!("sub: {}\nclient_id: {client}\nscopes: {}", caller.subject(), caller.scopes())
            }
            Ok(MaybeCaller(None)) => "somebody who did not sign in".to_owned(),
            Err(_) => "nobody asked".to_owned(),
        }
    }
}
