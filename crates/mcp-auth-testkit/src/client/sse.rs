//! The HTTP+SSE transport of 2024-11-05 (spec SSE-01, SSE-02).

use serde_json::{Value, json};

use super::{Answer, Client, Events};

/// A session about to be opened.
#[derive(Clone, Debug)]
#[must_use = "a session is opened by `open`"]
pub struct SseBuilder {
    client: Client,
    path: String,
    token: Option<String>,
}

impl SseBuilder {
    pub(super) fn new(client: Client, path: &str) -> Self {
        Self { client, path: path.to_owned(), token: None }
    }

    /// Presents this token, at the stream and at every message.
    pub fn bearer(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// Asks for the stream and takes the answer, whatever it is.
    pub async fn get(&self) -> Answer {
        let mut request = self.client.get(&self.path).header("accept", "text/event-stream");
        if let Some(token) = &self.token {
            request = request.bearer(token);
        }
        request.send().await
    }

    /// Opens the stream and reads where messages go.
    ///
    /// # Panics
    /// When the stream is refused or does not begin with an `endpoint` event on the same origin.
    pub async fn open(self) -> Sse {
        let mut events = self.get().await.expect_status(200).events();
        let first = events.next().await.unwrap_or_default();
        assert_eq!(first.name, "endpoint", "the first event");
        let stream = self.client.request(http::Method::GET, &self.path).target_url();
        let endpoint = match stream.join(&first.data) {
            Ok(endpoint) => endpoint,
            Err(error) => panic!("the endpoint {:?} is no URL: {error}", first.data),
        };
        assert_eq!(endpoint.origin(), stream.origin(), "the endpoint's origin");
        let endpoint = match endpoint.query() {
            Some(query) => format!("{}?{query}", endpoint.path()),
            None => endpoint.path().to_owned(),
        };
        Sse { client: self.client, token: self.token, endpoint, events, last_id: 0 }
    }
}

/// An open session.
#[derive(Debug)]
pub struct Sse {
    client: Client,
    token: Option<String>,
    endpoint: String,
    events: Events,
    last_id: u64,
}

impl Sse {
    /// Path and query messages are posted to, counted from the root of the host.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Presents this token with the messages from now on.
    pub fn set_bearer(&mut self, token: &str) {
        self.token = Some(token.to_owned());
    }

    /// Posts any message.
    pub async fn post(&self, message: &Value) -> Answer {
        let mut request = self.client.at_root(http::Method::POST, &self.endpoint).json(message);
        if let Some(token) = &self.token {
            request = request.bearer(token);
        }
        request.send().await
    }

    /// The next message on the stream, or nothing when it has ended.
    ///
    /// # Panics
    /// When what comes is not a message.
    pub async fn next(&mut self) -> Option<Value> {
        let event = self.events.next().await?;
        assert_eq!(event.name, "message", "the event {event:?}");
        match serde_json::from_str(&event.data) {
            Ok(message) => Some(message),
            Err(error) => panic!("{event:?} is not JSON: {error}"),
        }
    }

    /// Opens the conversation: `initialize`, then `notifications/initialized`. Returns the result of the former.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn initialize(&mut self) -> Value {
        let params = json!({
            "protocolVersion": "2024-11-05",
            "capabilities": {},
            "clientInfo": { "name": "mcp-auth-testkit", "version": env!("CARGO_PKG_VERSION") },
        });
        let message = self.request("initialize", params).await;
        self.post(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))
            .await
            .expect_status(202);
        message["result"].clone()
    }

    /// Posts a request and waits for its response on the stream.
    ///
    /// # Panics
    /// When the request is refused or the stream ends.
    pub async fn request(&mut self, method: &str, params: Value) -> Value {
        self.last_id += 1;
        let id = self.last_id;
        self.post(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))
            .await
            .expect_status(202);
        while let Some(message) = self.next().await {
            if message["id"] == json!(id) && message.get("method").is_none() {
                return message;
            }
        }
        panic!("the stream ended before {method} was answered");
    }

    /// Calls a tool and waits for its response on the stream.
    ///
    /// # Panics
    /// As [`request`](Self::request).
    pub async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.request("tools/call", json!({ "name": tool, "arguments": arguments })).await
    }
}
