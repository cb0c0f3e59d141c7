//! Key sets of clients, at URLs that they named.
//!
//! | | |
//! |---|---|
//! | size | 64 KiB, 20 keys; one bad key costs that key |
//! | lifetime | `Cache-Control: max-age` between 1 minute and 1 hour, 10 minutes where it is not said |
//! | unknown `kid` | fetches, as does a set that has gone stale: 3 at once, then 1 per 30 s and URL (attacks choice 11) |
//! | host down | the old keys serve for an hour longer, then 503 |

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mcp_auth_jwt::assertion::{BadSignature, PlausibleAssertion, PublicKeys, VerifiedAssertion};
use mcp_core::limits::Rate;
use mcp_core::{Clock, Timestamp};
use mcp_outbound::HttpClient;
use quick_cache::sync::Cache;
use serde_json::Value;

use super::fetch::{FetchError, Fetcher, Whom};
use super::flights::Flights;
use super::freshness::Bounds;

const MAX_SET: usize = 64 * 1024;
const ROOM: usize = 1024;
const BOUNDS: Bounds = Bounds {
    least: Duration::from_secs(60),
    usual: Duration::from_secs(600),
    most: Duration::from_secs(3600),
};
const STALE: Duration = Duration::from_secs(3600);
const EACH_URL: (u32, Duration) = (3, Duration::from_secs(30));

/// Key sets that are known at the moment.
#[derive(Clone, Debug)]
pub(super) struct KeySets(Arc<Inner>);

struct Inner {
    fetcher: Fetcher,
    clock: Arc<dyn Clock>,
    known: Cache<String, Known>,
    flights: Flights<Result<Known, FetchError>>,
}

#[derive(Clone)]
struct Known {
    keys: Arc<PublicKeys>,
    fetched_at: Timestamp,
    fresh_until: Timestamp,
}

impl Known {
    /// Also not if the clock was set back since.
    fn is_fresh(&self, now: Timestamp) -> bool {
        self.fetched_at <= now && now < self.fresh_until
    }
}

/// Why an assertion could not be verified.
#[derive(Debug)]
pub(super) enum KeyError {
    /// It is no good, or the keys are not.
    Wrong(&'static str),
    /// Nobody can tell for so long.
    Later(Duration),
}

impl KeySets {
    pub(super) fn new(http: Arc<dyn HttpClient>, clock: Arc<dyn Clock>) -> Self {
        let (burst, every) = EACH_URL;
        Self(Arc::new(Inner {
            fetcher: Fetcher::new(http, Rate::new(1, every).burst(burst)),
            clock,
            known: Cache::new(ROOM),
            flights: Flights::new(),
        }))
    }

    /// Checks a signature by the keys at this URL, fetching them where that may help.
    pub(super) async fn verify(
        &self,
        url: &str,
        assertion: &PlausibleAssertion<'_>,
        address: Option<IpAddr>,
    ) -> Result<VerifiedAssertion, KeyError> {
        const WRONG: &str = "the signature of the assertion is wrong";
        let known = self.0.known.get(url);
        if let Some(known) = &known
            && known.is_fresh(self.0.clock.now())
        {
            match assertion.verify(&known.keys) {
                Ok(verified) => return Ok(verified),
                Err(BadSignature::UnknownKey) => {}
                Err(_) => return Err(KeyError::Wrong(WRONG)),
            }
        }
        let error = match self.fetch(url, address).await {
            Ok(fetched) => {
                return assertion.verify(&fetched.keys).map_err(|_| KeyError::Wrong(WRONG));
            }
            Err(error) => error,
        };
        // Good old keys are better than none, for a while; but only a host that answers can say that a key is unknown.
        let now = self.0.clock.now();
        if let Some(known) = known.filter(|known| now < known.fresh_until + STALE)
            && let Ok(verified) = assertion.verify(&known.keys)
            && !matches!(error, FetchError::Wrong(_))
        {
            return Ok(verified);
        }
        Err(match error {
            FetchError::Wrong(why) => KeyError::Wrong(why),
            FetchError::Down => KeyError::Later(EACH_URL.1),
            FetchError::Later(wait) => KeyError::Later(wait),
        })
    }

    async fn fetch(&self, url: &str, address: Option<IpAddr>) -> Result<Known, FetchError> {
        let inner = &self.0;
        if !inner.flights.is_under_way(url) {
            let now = inner.clock.now();
            inner.fetcher.admit(now, address, inner.whom(url)).map_err(|_| FetchError::Later(EACH_URL.1))?;
        }
        let (inner, name) = (self.0.clone(), url.to_owned());
        let fetch = || async move { inner.fetch(&name).await };
        self.0.flights.join(url, fetch).await.unwrap_or(Err(FetchError::Down))
    }
}

impl Inner {
    async fn fetch(&self, url: &str) -> Result<Known, FetchError> {
        let (body, headers) = self.fetcher.get(url, self.whom(url), MAX_SET, self.clock.now()).await?;
        let keys = serde_json::from_slice::<Value>(&body)
            .ok()
            .and_then(|set| PublicKeys::lenient(&set))
            .ok_or(FetchError::Wrong("what is at the jwks_uri is no JWK set"))?;
        let fetched_at = self.clock.now();
        let fresh_until = fetched_at + BOUNDS.lifetime(&headers);
        let known = Known { keys: Arc::new(keys), fetched_at, fresh_until };
        self.known.insert(url.to_owned(), known.clone());
        Ok(known)
    }

    /// Whose budget a fetch is taken from.
    fn whom<'a>(&self, url: &'a str) -> Whom<'a> {
        if self.known.get(url).is_some() { Whom::Known(url) } else { Whom::Stranger(url) }
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeySets({})", self.known.len())
    }
}
