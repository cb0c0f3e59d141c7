//! An answer, and what a test has to say about it.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt;
use mcp_core::{Body, BoxError};
use serde_json::Value;

use super::Events;
use crate::Challenge;

/// What came back. Its assertions return the answer, to be chained.
#[derive(Debug)]
pub struct Answer {
    request: String,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    events: Option<Events>,
}

impl Answer {
    pub(super) async fn read(request: String, response: Response<Body>) -> Result<Self, BoxError> {
        let (parts, body) = response.into_parts();
        let streams = parts
            .headers
            .get(CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"));
        let (body, events) = if streams {
            (Bytes::new(), Some(Events::new(body)))
        } else {
            (body.collect().await?.to_bytes(), None)
        };
        Ok(Self { request, status: parts.status, headers: parts.headers, body, events })
    }

    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// All headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// A header as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body, empty for an event stream.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not JSON.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("{self}: the body is not JSON: {error}"),
        }
    }

    /// The event stream.
    ///
    /// # Panics
    /// When the answer is none.
    #[must_use]
    #[track_caller]
    pub fn events(mut self) -> Events {
        match self.events.take() {
            Some(events) => events,
            None => panic!("{self} is no event stream"),
        }
    }

    /// The JSON-RPC response in the answer, be it the body or an event of the stream.
    ///
    /// # Panics
    /// When there is none.
    pub async fn message(mut self) -> Value {
        let Some(mut events) = self.events.take() else {
            return self.json();
        };
        while let Some(event) = events.next().await {
            if let Ok(message) = serde_json::from_str::<Value>(&event.data)
                && message.get("method").is_none()
                && message.get("id").is_some()
            {
                return message;
            }
        }
        panic!("{self}: the stream ended without a response");
    }

    /// Asserts the status.
    #[track_caller]
    pub fn expect_status(self, expected: u16) -> Self {
        assert_eq!(self.status(), expected, "the status of {self}");
        self
    }

    /// Asserts that there is one `WWW-Authenticate` header, and what its first challenge says.
    #[track_caller]
    pub fn expect_challenge(self, check: impl for<'c> FnOnce(&'c Challenge) -> &'c Challenge) -> Self {
        let headers: Vec<_> = self.headers.get_all(WWW_AUTHENTICATE).iter().collect();
        assert_eq!(headers.len(), 1, "the number of WWW-Authenticate headers of {self}");
        match self.challenges().first() {
            Some(challenge) => check(challenge),
            None => panic!("{self} has no challenge"),
        };
        self
    }

    /// Asserts that nobody is asked to sign in.
    #[track_caller]
    pub fn expect_no_challenge(self) -> Self {
        self.expect_no_header("www-authenticate")
    }

    /// Every challenge of the answer.
    ///
    /// # Panics
    /// When one cannot be read.
    #[must_use]
    #[track_caller]
    pub fn challenges(&self) -> Vec<Challenge> {
        let mut list = Vec::new();
        for value in self.headers.get_all(WWW_AUTHENTICATE) {
            let text = value.to_str().unwrap_or_default();
            match Challenge::parse(text) {
                Ok(challenges) => list.extend(challenges),
                Err(error) => panic!("WWW-Authenticate {text:?}: {error}"),
            }
        }
        list
    }

    /// Asserts a header's value.
    #[track_caller]
    pub fn expect_header(self, name: &str, value: &str) -> Self {
        assert_eq!(self.header(name), Some(value), "the header {name} of {self}");
        self
    }

    /// Asserts that a header is absent.
    #[track_caller]
    pub fn expect_no_header(self, name: &str) -> Self {
        assert!(!self.headers.contains_key(name), "{self} has the header {name}");
        self
    }

    /// Asserts the whole body.
    #[track_caller]
    pub fn expect_body(self, expected: &str) -> Self {
        assert_eq!(self.text(), expected, "the body of {self}");
        self
    }

    /// Asserts a member of a JSON body, by JSON pointer (RFC 6901).
    #[track_caller]
    pub fn expect_json(self, pointer: &str, expected: impl Into<Value>) -> Self {
        assert_eq!(self.json().pointer(pointer), Some(&expected.into()), "{pointer} of {self}");
        self
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} → {}", self.request, self.status)?;
        for name in ["www-authenticate", "location", "retry-after"] {
            if let Some(value) = self.header(name) {
                write!(f, " {name}: {value}")?;
            }
        }
        if !self.body.is_empty() {
            let text: String = self.text().chars().take(500).collect();
            write!(f, " {text}")?;
        }
        Ok(())
    }
}
