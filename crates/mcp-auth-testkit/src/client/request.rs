//! A request being put together.

use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderName, HeaderValue, Method, Request};
use mcp_core::{Body, BoxError};
use serde::Serialize;
use url::Url;

use super::{Answer, Client};

/// A request being put together; [`send`](Self::send) sends it.
#[derive(Debug)]
#[must_use = "a request is sent by `send`"]
pub struct RequestBuilder {
    client: Client,
    request: Request<Body>,
}

impl RequestBuilder {
    #[track_caller]
    pub(super) fn new(client: Client, method: Method, target: String) -> Self {
        let target = if target.is_empty() { "/".to_owned() } else { target };
        let request = Request::builder()
            .method(method)
            .uri(&target)
            .header(HOST, client.authority())
            .body(Body::empty());
        match request {
            Ok(request) => Self { client, request },
            Err(error) => panic!("{target:?} is no request target: {error}"),
        }
    }

    /// The URL it is for.
    #[track_caller]
    pub(super) fn target_url(&self) -> Url {
        match self.client.url().join(&self.request.uri().to_string()) {
            Ok(url) => url,
            Err(error) => panic!("{} is no request target: {error}", self.request.uri()),
        }
    }

    /// Adds a header, beside those of the same name.
    ///
    /// # Panics
    /// When name or value cannot stand in a header.
    #[track_caller]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            (Ok(name), Ok(value)) => {
                self.request.headers_mut().append(name, value);
                self
            }
            _ => panic!("{name}: {value:?} is no header"),
        }
    }

    /// Takes every header of this name out, `host` for one, which is set from the start.
    pub fn without_header(mut self, name: &str) -> Self {
        self.request.headers_mut().remove(name);
        self
    }

    /// Puts this value in place of all headers of the name.
    #[track_caller]
    pub fn replace_header(self, name: &str, value: &str) -> Self {
        self.without_header(name).header(name, value)
    }

    /// Presents a bearer token (RFC 6750 §2.1).
    #[track_caller]
    pub fn bearer(self, token: &str) -> Self {
        self.header(AUTHORIZATION.as_str(), &format!("Bearer {token}"))
    }

    /// Presents a DPoP-bound token and its proof (RFC 9449 §7.1).
    #[track_caller]
    pub fn dpop(self, token: &str, proof: &str) -> Self {
        self.header(AUTHORIZATION.as_str(), &format!("DPoP {token}")).header("dpop", proof)
    }

    /// Takes any value as a JSON body.
    ///
    /// # Panics
    /// When the value has no JSON form.
    #[track_caller]
    pub fn json(self, value: &(impl Serialize + ?Sized)) -> Self {
        match serde_json::to_string(value) {
            Ok(text) => self.header(CONTENT_TYPE.as_str(), "application/json").body(text),
            Err(error) => panic!("no JSON: {error}"),
        }
    }

    /// Takes parameters as a form body.
    #[track_caller]
    pub fn form<'a>(self, parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        self.header(CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded").body(text)
    }

    /// Takes a body as it is.
    pub fn body(mut self, body: impl Into<Body>) -> Self {
        *self.request.body_mut() = body.into();
        self
    }

    /// Sends the request and takes the answer: whole, or up to its headers if it is an event stream.
    ///
    /// # Panics
    /// When there is no answer within 30 seconds.
    pub async fn send(self) -> Answer {
        match self.try_send().await {
            Ok(answer) => answer,
            Err(error) => panic!("no answer: {error}"),
        }
    }

    /// As [`send`](Self::send), for tests in which there may be no answer.
    ///
    /// # Errors
    /// When there is no answer within 30 seconds.
    pub async fn try_send(self) -> Result<Answer, BoxError> {
        let line = format!("{} {}", self.request.method(), self.request.uri());
        let exchange = async {
            let response = self.client.exchange(self.request).await?;
            Answer::read(line, response).await
        };
        // Real time: it only keeps a hanging server from hanging the test.
        tokio::time::timeout(PATIENCE, exchange).await?
    }
}

/// How long a test waits for anything.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
