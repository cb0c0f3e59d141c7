//! MCP over streamable HTTP, of both eras.

use serde_json::{Value, json};

use super::{Answer, Client, RequestBuilder};

/// Which generation of MCP is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Era {
    /// 2025-11-25 and before: `initialize`, then a session.
    #[default]
    Sessions,
    /// 2026-07-28: every request stands alone (spec TR-02).
    Stateless,
}

impl Era {
    /// The protocol version.
    #[must_use]
    pub fn version(self) -> &'static str {
        match self {
            Self::Sessions => "2025-11-25",
            Self::Stateless => "2026-07-28",
        }
    }
}

/// A conversation with one MCP endpoint.
///
/// ```no_run
/// use mcp_auth_testkit::{Client, Era};
/// use serde_json::json;
///
/// # async fn example() {
/// let client = Client::new("http://127.0.0.1:8000");
/// let mut mcp = client.mcp("/mcp").bearer("a token");
/// mcp.open().await;
/// let answer = mcp.call("echo", json!({ "text": "hi" })).await.expect_status(200).message().await;
/// assert_eq!(answer["result"]["content"][0]["text"], "hi");
///
/// // The same without a session.
/// let mut mcp = client.mcp("/mcp").era(Era::Stateless).bearer("a token");
/// assert_eq!(mcp.call_text("echo", json!({ "text": "hi" })).await, "hi");
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Mcp {
    client: Client,
    path: String,
    era: Era,
    token: Option<String>,
    session: Option<String>,
    last_id: u64,
}

impl Mcp {
    pub(super) fn new(client: Client, path: &str) -> Self {
        Self { client, path: path.to_owned(), era: Era::default(), token: None, session: None, last_id: 0 }
    }

    /// Speaks this era; [`Era::Sessions`] unless said.
    pub fn era(mut self, era: Era) -> Self {
        self.era = era;
        self
    }

    /// Presents this token from now on.
    pub fn bearer(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// Presents no token from now on.
    pub fn without_token(mut self) -> Self {
        self.token = None;
        self
    }

    /// The session's id, once the server has given one.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// Takes over a session's id, as a thief would.
    pub fn with_session(mut self, id: &str) -> Self {
        self.session = Some(id.to_owned());
        self
    }

    /// Sends `initialize` and keeps the session's id, whatever the answer is.
    pub async fn initialize(&mut self) -> Answer {
        let params = json!({
            "protocolVersion": self.era.version(),
            "capabilities": {},
            "clientInfo": { "name": "mcp-auth-testkit", "version": env!("CARGO_PKG_VERSION") },
        });
        self.session = None;
        let answer = self.request("initialize", params).await;
        self.session = answer.header("mcp-session-id").map(str::to_owned);
        answer
    }

    /// Opens a session: `initialize`, then `notifications/initialized`. Returns the result of the former.
    ///
    /// # Panics
    /// When one of them is refused.
    pub async fn open(&mut self) -> Value {
        let message = self.initialize().await.expect_status(200).message().await;
        self.notify("notifications/initialized").await.expect_status(202);
        result(&message)
    }

    /// Sends any request.
    pub async fn request(&mut self, method: &str, params: Value) -> Answer {
        self.last_id += 1;
        let id = self.last_id;
        self.prepare(method, params, Some(id)).send().await
    }

    /// Sends a notification.
    pub async fn notify(&mut self, method: &str) -> Answer {
        self.prepare(method, json!({}), None).send().await
    }

    /// Calls a tool.
    pub async fn call(&mut self, tool: &str, arguments: Value) -> Answer {
        self.request("tools/call", json!({ "name": tool, "arguments": arguments })).await
    }

    /// Calls a tool and returns the text it answers.
    ///
    /// # Panics
    /// When the call is refused or answers something else.
    pub async fn call_text(&mut self, tool: &str, arguments: Value) -> String {
        let message = self.call(tool, arguments).await.expect_status(200).message().await;
        match result(&message)["content"][0]["text"].as_str() {
            Some(text) => text.to_owned(),
            None => panic!("{tool} answered no text: {message}"),
        }
    }

    /// The names of the tools the server lists.
    ///
    /// # Panics
    /// When the request is refused.
    pub async fn tools(&mut self) -> Vec<String> {
        let message = self.request("tools/list", json!({})).await.expect_status(200).message().await;
        let list = result(&message)["tools"].as_array().cloned().unwrap_or_default();
        list.iter().filter_map(|tool| tool["name"].as_str()).map(str::to_owned).collect()
    }

    /// Opens the stream on which a server of [`Era::Sessions`] speaks first (GET).
    pub async fn listen(&self) -> Answer {
        let request = self.client.get(&self.path).header("accept", "text/event-stream");
        self.dress(request).send().await
    }

    /// Ends the session (DELETE).
    pub async fn close(&self) -> Answer {
        self.dress(self.client.delete(&self.path)).send().await
    }

    /// A request ready to be sent, for tests that change something about it first.
    pub fn prepare(&self, method: &str, mut params: Value, id: Option<u64>) -> RequestBuilder {
        let mut request = self.dress(self.client.post(&self.path));
        if self.era == Era::Stateless {
            // Spec TR-09, TR-10, TR-16.
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": self.era.version(),
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo":
                    { "name": "mcp-auth-testkit", "version": env!("CARGO_PKG_VERSION") },
            });
            request = request.header("mcp-method", method);
            let name = match method {
                "tools/call" | "prompts/get" => params["name"].as_str(),
                "resources/read" => params["uri"].as_str(),
                _ => None,
            };
            if let Some(name) = name {
                request = request.header("mcp-name", &header_value(name));
            }
        }
        let mut message = json!({ "jsonrpc": "2.0", "method": method, "params": params });
        if let Some(id) = id {
            message["id"] = json!(id);
        }
        request.json(&message)
    }

    fn dress(&self, mut request: RequestBuilder) -> RequestBuilder {
        if let Some(token) = &self.token {
            request = request.bearer(token);
        }
        if let Some(session) = &self.session {
            request = request.header("mcp-session-id", session);
        }
        if self.era == Era::Stateless || self.session.is_some() {
            request = request.header("mcp-protocol-version", self.era.version());
        }
        request
    }
}

/// Names that a header cannot hold go as base64 (spec TR-11).
fn header_value(name: &str) -> String {
    use base64ct::{Base64, Encoding};
    let plain = !name.is_empty()
        && name.trim() == name
        && name.bytes().all(|b| matches!(b, 0x20..=0x7e))
        && !name.starts_with("=?base64?");
    if plain { name.to_owned() } else { format!("=?base64?{}?=", Base64::encode_string(name.as_bytes())) }
}

#[track_caller]
fn result(message: &Value) -> Value {
    match message.get("result") {
        Some(result) => result.clone(),
        None => panic!("the server answered {message}"),
    }
}
