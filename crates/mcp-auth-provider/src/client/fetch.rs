//! Fetching JSON from URLs that strangers chose: documents of clients, and their key sets.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, Request, StatusCode};
use mcp_core::Timestamp;
use mcp_core::limits::{Limits as Rates, Rate};
use mcp_outbound::{HttpClient, Limits};

/// The time for one fetch, from the first look-up of the name to the last byte.
const DEADLINE: Duration = Duration::from_secs(10);
/// How many fetches strangers may cause in all: so many at once, and so many a second.
const ALL: (u32, u32) = (50, 10);
/// How many hosts and URLs are remembered.
const ROOM: usize = 4096;

/// A way to other hosts, for URLs of strangers' choice only.
#[derive(Clone)]
pub(super) struct Fetcher {
    http: Arc<dyn HttpClient>,
    each: Rates,
    all: Rates,
}

/// Why there is no document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FetchError {
    /// The host answered, and not with one; or it is none that we go to. Why, in words for the client's maker, who learns
    /// nothing of our network by them.
    Wrong(&'static str),
    /// The host did not answer.
    Down,
    /// It was asked often enough; it may be asked again after this time.
    Later(Duration),
}

impl Fetcher {
    /// A way on which each host or URL is asked at this rate, and all together at a rate of ours.
    pub(super) fn new(http: Arc<dyn HttpClient>, each: Rate) -> Self {
        Self {
            http,
            each: Rates::new().capacity(ROOM).requests_per_principal(each),
            all: Rates::new().capacity(1).requests_per_principal(Rate::per_second(ALL.1).burst(ALL.0)),
        }
    }

    /// Fetches a document of at most so many bytes. `whom` is whose budget it is taken from.
    pub(super) async fn get(
        &self,
        url: &str,
        whom: &str,
        most: usize,
        now: Timestamp,
    ) -> Result<(Bytes, HeaderMap), FetchError> {
        self.each.admit(now, whom).and_then(|()| self.all.admit(now, "all")).map_err(FetchError::Later)?;
        let request = Request::get(url)
            .header(ACCEPT, "application/json")
            .extension(Limits::new().with_max_body(most).with_deadline(DEADLINE))
            .body(Bytes::new())
            .map_err(|_| FetchError::Wrong("the URL cannot be fetched"))?;
        let answer = self.http.execute(request).await.map_err(|error| {
            tracing::info!(%error, "what a client named cannot be fetched");
            if error.is_too_large() {
                FetchError::Wrong("what is at the URL is too large")
            } else if error.is_blocked() || error.is_invalid_request() {
                FetchError::Wrong("the URL is none that this server fetches from")
            } else {
                FetchError::Down
            }
        })?;
        let (head, body) = answer.into_parts();
        match head.status {
            StatusCode::OK => {}
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                return Err(FetchError::Down);
            }
            // Redirects among them: they are not followed.
            _ => return Err(FetchError::Wrong("the URL does not answer 200")),
        }
        if body.len() > most {
            return Err(FetchError::Wrong("what is at the URL is too large"));
        }
        if !is_json(&head.headers) {
            return Err(FetchError::Wrong("what is at the URL is not application/json"));
        }
        Ok((body, head.headers))
    }
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fetcher")
    }
}

/// `application/json`, or `application/…+json` (AUTH-79).
fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    essence == "application/json"
        || essence
            .strip_prefix("application/")
            .and_then(|subtype| subtype.strip_suffix("+json"))
            .is_some_and(|name| !name.is_empty() && !name.contains('/'))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    // covers: AUTH-79, CI03
    #[test]
    fn json_is_said_to_be_json() {
        let check = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_TYPE, HeaderValue::from_static(value));
            }
            is_json(&headers)
        };
        for good in ["application/json", "Application/JSON; charset=utf-8", "application/client+json"] {
            assert!(check(&[good]), "{good}");
        }
        for bad in ["text/html", "text/json", "application/jsonp", "application/+json", "text/html+json", ""]
        {
            assert!(!check(&[bad]), "{bad}");
        }
        assert!(!check(&[]));
        assert!(!check(&["application/json", "text/html"]));
    }
}
