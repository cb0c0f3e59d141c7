//! The question, and what comes back for it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request, StatusCode, Uri};
use mcp_core::{ConfigError, Timestamp, random_id};
use mcp_outbound::{HttpClient, Limits, OutboundError};
use serde_json::{Map, Value};

use super::client_auth::{ClientAuth, encode};
use crate::strict_json;

/// Where to ask, and how.
pub(super) struct Endpoint {
    pub(super) url: String,
    pub(super) auth: Option<ClientAuth>,
    /// Whom an assertion of ours is made for.
    pub(super) audience: String,
    pub(super) deadline: Duration,
    pub(super) client: Arc<dyn HttpClient>,
}

/// Why there is no answer that could be believed.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// The question could not be put together.
    Unasked,
    Outbound(OutboundError),
    Status(StatusCode),
    /// 200, and not what RFC 7662 §2.2 says.
    Garbage(&'static str),
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("introspection: ")?;
        match self {
            Self::Unasked => f.write_str("the question could not be put together"),
            Self::Outbound(error) => error.fmt(f),
            Self::Status(status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)) => {
                write!(f, "the endpoint answered {status}: it refuses this server's credentials")
            }
            Self::Status(status) => write!(f, "the endpoint answered {status}"),
            Self::Garbage(what) => write!(f, "the endpoint's answer {what}"),
        }
    }
}

impl Endpoint {
    /// Asks about a token. The answer is a JSON object; what it says is not looked at here.
    ///
    /// # Cancel safety
    /// Dropping the future abandons the question.
    pub(super) async fn ask(&self, token: &str, now: Timestamp) -> Result<Map<String, Value>, NoAnswer> {
        let request = self.request(token, now).ok_or(NoAnswer::Unasked)?;
        let response = self.client.execute(request).await.map_err(NoAnswer::Outbound)?;
        if response.status() != StatusCode::OK {
            return Err(NoAnswer::Status(response.status()));
        }
        if response.body().len() > LARGEST {
            return Err(NoAnswer::Garbage("is too large"));
        }
        strict_json::object(response.body())
            .ok_or(NoAnswer::Garbage("is no JSON object, or has a member twice"))
    }

    fn request(&self, token: &str, now: Timestamp) -> Option<Request<Bytes>> {
        let mut body = format!("token={}&token_type_hint=access_token", encode(token));
        let mut header = None;
        if let Some(auth) = &self.auth {
            header = auth.header();
            for (name, value) in auth.parameters(&self.audience, now)? {
                body.push_str(&format!("&{name}={}", encode(&value)));
            }
        }
        let mut request = Request::post(&self.url)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .extension(Limits::new().with_max_body(LARGEST).with_deadline(self.deadline))
            .body(Bytes::from(body))
            .ok()?;
        if let Some(header) = header {
            request.headers_mut().insert(AUTHORIZATION, header);
        }
        Some(request)
    }

    /// Asks about a token that does not exist. An endpoint that is out of reach is no error; one that answers wrongly is.
    pub(super) async fn probe(&self, now: Timestamp) -> Result<(), ConfigError> {
        let wrong =
            |what: &str| Err(ConfigError::new(format!("the introspection endpoint {:?} {what}", self.url)));
        match self.ask(&random_id(), now).await {
            Ok(answer) => match answer.get("active") {
                Some(Value::Bool(false)) => Ok(()),
                Some(Value::Bool(true)) => wrong("says that a made-up token is active: ask another one"),
                _ => {
                    wrong("does not say whether a token is active: write the issuer's introspection_endpoint")
                }
            },
            Err(NoAnswer::Status(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)) => {
                wrong("refuses this server's credentials: check client id, secret and method with the issuer")
            }
            Err(NoAnswer::Status(status))
                if status.is_redirection()
                    || status == StatusCode::NOT_FOUND
                    || status == StatusCode::METHOD_NOT_ALLOWED =>
            {
                wrong("is not there: write the introspection_endpoint of the issuer's metadata")
            }
            Err(NoAnswer::Garbage(what)) => wrong(&format!(
                "gave an answer that {what}: write the introspection_endpoint of the issuer's metadata"
            )),
            Err(NoAnswer::Outbound(error)) if error.is_blocked() => wrong(
                "is at an address that is not public: open it with OutboundClient::builder().dangerous() and http_client()",
            ),
            Err(why) => {
                tracing::warn!("{why}; tokens are answered 503 until it can be asked");
                Ok(())
            }
        }
    }
}

/// Scheme, host and port of an endpoint: https, or http on loopback, where the client decides whether it may be reached.
pub(super) fn origin(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
    let loopback = matches!(authority.host(), "127.0.0.1" | "[::1]" | "localhost");
    let fits = (scheme == "https" || (scheme == "http" && loopback))
        && !authority.as_str().contains('@')
        && !url.contains('#');
    fits.then(|| format!("{scheme}://{authority}"))
}

/// The largest answer, in bytes.
const LARGEST: usize = 64 * 1024;
