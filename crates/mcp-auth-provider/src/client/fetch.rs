//! Fetching JSON from URLs that strangers chose: documents of clients, and their key sets.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, Request, StatusCode};
use mcp_core::Timestamp;
use mcp_core::limits::{Limits as Rates, Rate};
use mcp_outbound::{HttpClient, Limits};

use super::quota::block;

/// The time for one fetch, from the first look-up of the name to the last byte.
const DEADLINE: Duration = Duration::from_secs(10);
/// How many fetches strangers may cause in all: so many at once, and so many a second. What was good before has as many of
/// its own.
const ALL: (u32, u32) = (50, 10);
/// How many fetches one address may cause: so many at once, then one in such a time; of what was good before as many again.
/// Names cost nothing, so without this one peer could use up what there is for all.
const EACH_ADDRESS: (u32, Duration) = (10, Duration::from_secs(5));
/// How many of these from one host or URL that is not known to be good: fewer than the host has, so that no one address can
/// deny it to others.
const EACH_ADDRESS_AND_HOST: (u32, Duration) = (5, Duration::from_secs(30));
/// How many hosts, URLs and addresses are remembered.
const ROOM: usize = 4096;

/// A way to other hosts, for URLs of strangers' choice only.
#[derive(Clone)]
pub(super) struct Fetcher {
    http: Arc<dyn HttpClient>,
    addresses: Rates,
    pairs: Rates,
    each: Rates,
    strangers: Rates,
    known: Rates,
}

/// Whose budget a fetch is taken from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Whom<'a> {
    /// That of this host or URL, and of all strangers.
    Stranger(&'a str),
    /// That of this URL, which was good before, and of all such: strangers cannot use it up.
    Known(&'a str),
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
            addresses: rates(ROOM, every(EACH_ADDRESS)),
            pairs: rates(ROOM, every(EACH_ADDRESS_AND_HOST)),
            each: rates(ROOM, each),
            strangers: rates(1, Rate::per_second(ALL.1).burst(ALL.0)),
            known: rates(1, Rate::per_second(ALL.1).burst(ALL.0)),
        }
    }

    /// Counts a fetch that a peer at this address is about to cause. To be asked before all else, and not of those who only
    /// wait for a fetch that is under way. An address that is not known is not counted: it would be everybody's.
    ///
    /// # Errors
    /// How long to wait, when it caused too many.
    pub(super) fn admit(
        &self,
        now: Timestamp,
        address: Option<IpAddr>,
        whom: Whom<'_>,
    ) -> Result<(), Duration> {
        let Some(address) = address.map(block) else { return Ok(()) };
        match whom {
            Whom::Stranger(host) => {
                self.addresses.admit(now, &address.to_string())?;
                self.pairs.admit(now, &format!("{address} {host}"))
            }
            // Apart: many may share an address, and one of them ask for strangers without end.
            Whom::Known(_) => self.addresses.admit(now, &format!("known {address}")),
        }
    }

    fn admit_for_all(&self, now: Timestamp, whom: Whom<'_>) -> Result<(), Duration> {
        match whom {
            Whom::Stranger(host) => {
                self.each.admit(now, host)?;
                self.strangers.admit(now, "all")
            }
            Whom::Known(url) => {
                self.each.admit(now, url)?;
                self.known.admit(now, "all")
            }
        }
    }

    /// Fetches a document of at most so many bytes.
    pub(super) async fn get(
        &self,
        url: &str,
        whom: Whom<'_>,
        most: usize,
        now: Timestamp,
    ) -> Result<(Bytes, HeaderMap), FetchError> {
        self.admit_for_all(now, whom).map_err(FetchError::Later)?;
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

fn rates(room: usize, rate: Rate) -> Rates {
    Rates::new().capacity(room).requests_per_principal(rate)
}

fn every((burst, span): (u32, Duration)) -> Rate {
    Rate::new(1, span).burst(burst)
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
