//! A client on the official Rust SDK that signs in through your browser: `rmcp_client http://127.0.0.1:8000/mcp`.
//!
//! It prints `open URL` when you have to look at a page, and what the tools say. First it asks who you are, then it writes a
//! note, for which it needs more than it was given, and at last it refreshes its tokens and asks again.
#![expect(clippy::print_stdout, reason = "it talks to whoever started it")]

use std::error::Error;

use rmcp::model::CallToolRequestParams;
use rmcp::service::RunningService;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::auth::{AuthClient, AuthorizationCallback, AuthorizationRequest, OAuthState};
use rmcp::transport::streamable_http_client::{InsufficientScopeError, StreamableHttpClientTransportConfig};
use rmcp::{RoleClient, ServiceExt};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

type Failed = Box<dyn Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failed> {
    let url = std::env::args().nth(1).ok_or("which server? http://127.0.0.1:8000/mcp")?;
    let waiting = TcpListener::bind("127.0.0.1:0").await?;
    let redirect = format!("http://{}/callback", waiting.local_addr()?);

    let mut oauth = OAuthState::new(&url, None).await?;
    oauth.start_authorization(AuthorizationRequest::new(&redirect).with_client_name("rmcp client")).await?;
    println!("open {}", oauth.get_authorization_url().await?);
    oauth.handle_callback_url(&come_back(&waiting, &redirect).await?).await?;
    let manager = oauth.into_authorization_manager().ok_or("it is not signed in")?;

    let signed_in = AuthClient::new(reqwest::Client::new(), manager);
    let server = connect(&url, &signed_in).await?;
    println!("whoami: {}", call(&server, CallToolRequestParams::new("whoami")).await?);

    let note = CallToolRequestParams::new("add_note");
    let note = note.with_arguments(json!({ "text": "bread" }).as_object().cloned().unwrap_or_default());
    let refused = call(&server, note.clone()).await.err().ok_or("it could write without being allowed to")?;
    let needed = scope_needed(&*refused).ok_or("it was refused for another reason")?.to_owned();
    {
        let manager = signed_in.auth_manager.lock().await;
        println!("open {}", manager.request_scope_upgrade(&needed).await?);
        let back = AuthorizationCallback::from_redirect_url(&come_back(&waiting, &redirect).await?)?;
        let (code, state, issuer) = (back.code, back.csrf_token, back.issuer);
        manager.exchange_code_for_token_with_issuer(&code, &state, issuer.as_deref()).await?;
    }
    // Another grant, with another token: a session belongs to who opened it, and that is the same client and user.
    println!("add_note: {}", call(&server, note).await?);

    signed_in.auth_manager.lock().await.refresh_token().await?;
    let server = connect(&url, &signed_in).await?;
    println!("refreshed: {}", call(&server, CallToolRequestParams::new("whoami")).await?);
    Ok(())
}

async fn connect(
    url: &str,
    signed_in: &AuthClient<reqwest::Client>,
) -> Result<RunningService<RoleClient, ()>, Failed> {
    let config = StreamableHttpClientTransportConfig::with_uri(url);
    Ok(().serve(StreamableHttpClientTransport::with_client(signed_in.clone(), config)).await?)
}

async fn call(
    server: &RunningService<RoleClient, ()>,
    tool: CallToolRequestParams,
) -> Result<String, Failed> {
    let result = server.call_tool(tool).await?;
    let texts = result.content.iter().filter_map(|block| block.as_text()).map(|text| text.text.as_str());
    Ok(texts.collect::<Vec<_>>().join("\n"))
}

/// What the challenge asks for, wherever in the error it is.
fn scope_needed<'e>(mut error: &'e (dyn Error + 'static)) -> Option<&'e str> {
    loop {
        if let Some(refused) = error.downcast_ref::<InsufficientScopeError>() {
            return refused.get_required_scope();
        }
        error = error.source()?;
    }
}

/// Waits until the browser comes back, and gives the address it came by.
async fn come_back(waiting: &TcpListener, redirect: &str) -> Result<String, Failed> {
    loop {
        let (mut socket, _) = waiting.accept().await?;
        let mut line = String::new();
        BufReader::new(&mut socket).read_line(&mut line).await?;
        socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nDone.").await?;
        // A browser asks for an icon, too.
        let target = line.split(' ').nth(1).unwrap_or_default();
        if let Some(query) = target.strip_prefix("/callback") {
            return Ok(format!("{redirect}{query}"));
        }
    }
}
