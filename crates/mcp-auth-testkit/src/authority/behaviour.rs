//! What an endpoint of the authority does instead of answering rightly.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use mcp_core::Body;
use tokio::sync::watch;

/// An endpoint of a [`TokenAuthority`](super::TokenAuthority).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Endpoint {
    /// The key set (RFC 7517 §5).
    Jwks,
    /// `/.well-known/openid-configuration` (OpenID Connect Discovery 1.0 §4).
    OpenidConfiguration,
    /// `/.well-known/oauth-authorization-server` (RFC 8414 §3).
    AuthorizationServer,
    /// Introspection (RFC 7662 §2).
    Introspection,
}

/// How an endpoint answers.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Behaviour {
    /// As it should.
    #[default]
    Normal,
    /// With this status and no body.
    Status(u16),
    /// 200 and this body, whatever it is.
    Body(String),
    /// 302 to this address.
    Redirect(String),
    /// 200 and this many bytes of JSON that never become a document.
    Endless(usize),
    /// It closes the connection without a word.
    HangUp,
}

impl Behaviour {
    /// 200 and a web page, as a login wall or a captive portal would answer.
    #[must_use]
    pub fn garbage() -> Self {
        Self::Body("<!doctype html><title>Welcome</title>".to_owned())
    }

    /// 404: the endpoint is not there.
    #[must_use]
    pub fn absent() -> Self {
        Self::Status(404)
    }

    /// The answer, `None` for hanging up; `normal` makes the right one.
    pub(super) fn answer(
        &self,
        normal: impl FnOnce() -> http::Response<Body>,
    ) -> Option<http::Response<Body>> {
        let mut response = http::Response::new(Body::empty());
        match self {
            Self::Normal => return Some(normal()),
            Self::HangUp => return None,
            Self::Status(status) => {
                *response.status_mut() =
                    StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            }
            Self::Body(text) => *response.body_mut() = Body::from(text.clone()),
            Self::Redirect(to) => {
                *response.status_mut() = StatusCode::FOUND;
                if let Ok(to) = to.parse() {
                    response.headers_mut().insert(http::header::LOCATION, to);
                }
            }
            Self::Endless(bytes) => {
                let mut text = b"{\"keys\":[\"".to_vec();
                text.resize(*bytes, b'x');
                *response.body_mut() = Body::from(text);
            }
        }
        Some(response)
    }
}

/// A request an endpoint has got.
#[derive(Clone)]
#[non_exhaustive]
pub struct Recorded {
    /// Its method.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Recorded {
    /// A header as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body's form parameters, in their order (`application/x-www-form-urlencoded`).
    #[must_use]
    pub fn form(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(&self.body).into_owned().collect()
    }
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.target)
    }
}

/// Keeps the requests of one endpoint waiting until it is released or dropped: slowness without a timer.
#[derive(Debug)]
#[must_use = "requests go on when it is dropped"]
pub struct Hold(pub(super) watch::Sender<bool>);

impl Hold {
    /// Lets the waiting requests go on, and all that come later.
    pub fn release(self) {}
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}
