//! Clients known by the URL of their metadata (draft-ietf-oauth-client-id-metadata-document).

mod config;
mod read;
mod url;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use http::HeaderMap;
use mcp_core::limits::Rate;
use mcp_core::{Clock, PublicUrl, SiteContext, Timestamp};
use mcp_outbound::HttpClient;
use quick_cache::sync::Cache;

pub use self::config::ClientMetadataDocuments;
pub(super) use self::url::looks_like_one;

use super::fetch::{FetchError, Fetcher, Whom};
use super::flights::Flights;
use super::freshness::Bounds;
use super::{Client, ClientError};

/// The most bytes a document may have (AUTH-84).
const MAX_DOCUMENT: usize = 5 * 1024;
/// How many documents are kept.
const ROOM: usize = 1024;
/// How many URLs are remembered to have had a good one, by their digest.
const SEEN: usize = 16_384;
const BOUNDS: Bounds = Bounds {
    least: Duration::from_secs(30),
    usual: Duration::from_secs(300),
    most: Duration::from_secs(24 * 3600),
};
/// How much longer a document serves whose host is down.
const STALE: Duration = Duration::from_secs(3600);
/// How often one host is asked: ten times at once, then every 5 s. Errors are not kept (AUTH-85), so this is what keeps them
/// from being asked for again and again.
const EACH_HOST: (u32, Duration) = (10, Duration::from_secs(5));

/// All documents that are known at the moment.
#[derive(Clone, Debug)]
pub(super) struct Documents(Arc<Inner>);

struct Inner {
    config: ClientMetadataDocuments,
    fetcher: Fetcher,
    site: PublicUrl,
    clock: Arc<dyn Clock>,
    loopback: bool,
    private_use: bool,
    known: Cache<String, Known>,
    seen: Cache<[u8; 32], ()>,
    flights: Flights<Result<Arc<Client>, ClientError>>,
}

#[derive(Clone)]
struct Known {
    client: Arc<Client>,
    fetched_at: Timestamp,
    fresh_until: Timestamp,
}

impl Known {
    /// Also not if the clock was set back since.
    fn is_fresh(&self, now: Timestamp) -> bool {
        self.fetched_at <= now && now < self.fresh_until
    }
}

impl Documents {
    pub(super) fn new(
        config: &ClientMetadataDocuments,
        http: Arc<dyn HttpClient>,
        site: &SiteContext,
        loopback: bool,
        private_use: bool,
    ) -> Self {
        let (burst, every) = EACH_HOST;
        Self(Arc::new(Inner {
            config: config.clone(),
            fetcher: Fetcher::new(http, Rate::new(1, every).burst(burst)),
            site: site.url().clone(),
            clock: site.clock().clone(),
            loopback,
            private_use,
            known: Cache::new(ROOM),
            seen: Cache::new(SEEN),
            flights: Flights::new(),
        }))
    }

    /// The client with this URL, for a peer at this address.
    pub(super) async fn find(&self, id: &str, address: Option<IpAddr>) -> Result<Arc<Client>, ClientError> {
        let inner = &self.0;
        if let Some(known) = inner.known.get(id)
            && known.is_fresh(inner.clock.now())
        {
            return Ok(known.client);
        }
        let url = url::read(id, inner.loopback).map_err(ClientError::Invalid)?;
        if !inner.config.trusts(&url) {
            return Err(ClientError::Invalid("this server does not trust clients at that URL"));
        }
        let host = url.host_str().unwrap_or_default().to_owned();
        // Not inside the flight: others who join it would share what this address is told.
        if !inner.flights.is_under_way(id) {
            let now = inner.clock.now();
            if let Err(wait) = inner.fetcher.admit(now, address, inner.whom(id, &host)) {
                tracing::info!(?address, ?wait, "an address names too many clients by URL");
                return inner.last(id, now);
            }
        }
        let (inner, id) = (self.0.clone(), id.to_owned());
        let fetch = || {
            let id = id.clone();
            async move { inner.fetch(&id, &host).await }
        };
        self.0.flights.join(&id, fetch).await.unwrap_or(Err(ClientError::Unavailable))
    }
}

impl Inner {
    async fn fetch(&self, id: &str, host: &str) -> Result<Arc<Client>, ClientError> {
        let known = self.known.get(id);
        // Somebody else may just have brought it.
        if let Some(known) = &known
            && known.is_fresh(self.clock.now())
        {
            return Ok(known.client.clone());
        }
        let fetched = self.fetcher.get(id, self.whom(id, host), MAX_DOCUMENT, self.clock.now()).await;
        let now = self.clock.now();
        match fetched {
            Ok((body, headers)) => self.install(id, &body, &headers, now),
            Err(FetchError::Wrong(why)) => Err(self.withdraw(id, why)),
            Err(FetchError::Down | FetchError::Later(_)) => self.last(id, now),
        }
    }

    /// The last document of a URL, where it cannot be fetched again just now.
    fn last(&self, id: &str, now: Timestamp) -> Result<Arc<Client>, ClientError> {
        match self.known.get(id) {
            Some(known) if now < known.fresh_until + STALE => Ok(known.client),
            _ => Err(ClientError::Unavailable),
        }
    }

    /// Whose budget a fetch is taken from.
    fn whom<'a>(&self, id: &'a str, host: &'a str) -> Whom<'a> {
        match self.seen.get(&digest_of(id)) {
            Some(()) => Whom::Known(id),
            None => Whom::Stranger(host),
        }
    }

    fn install(
        &self,
        id: &str,
        body: &Bytes,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Arc<Client>, ClientError> {
        match read::client(self, id, body, now) {
            Ok(client) => {
                let client = Arc::new(client);
                let fresh_until = now + BOUNDS.lifetime(headers);
                self.seen.insert(digest_of(id), ());
                self.known
                    .insert(id.to_owned(), Known { client: client.clone(), fetched_at: now, fresh_until });
                Ok(client)
            }
            Err(why) => Err(self.withdraw(id, why)),
        }
    }

    /// What was known before is not so any more. An invalid document is never kept (AUTH-85).
    fn withdraw(&self, id: &str, why: &'static str) -> ClientError {
        tracing::info!(client = ?id, why, "a client's metadata document cannot be used");
        self.known.remove(id);
        self.seen.remove(&digest_of(id));
        ClientError::Invalid(why)
    }
}

fn digest_of(id: &str) -> [u8; 32] {
    digest(&SHA256, id.as_bytes()).as_ref().try_into().unwrap_or_default()
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Documents").field("config", &self.config).finish_non_exhaustive()
    }
}
