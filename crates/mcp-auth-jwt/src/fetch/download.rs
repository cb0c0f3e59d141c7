//! One look at an issuer: its metadata where needed, then its keys.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::ACCEPT;
use http::{Request, Response, StatusCode};
use mcp_core::{ConfigError, Issuer};
use mcp_outbound::{HttpClient, Limits};

use super::{discovery, document};
use crate::issuer::Source;
use crate::keys::RawKey;

/// Where an issuer's keys are.
pub(crate) struct Origin {
    issuer: Issuer,
    place: Place,
    client: Arc<dyn HttpClient>,
}

enum Place {
    Jwks(String),
    /// Metadata locations, in order.
    Metadata(Vec<String>),
}

/// What was found.
pub(crate) struct Download {
    pub(crate) keys: Vec<RawKey>,
    pub(crate) lifetime: Duration,
}

/// Why nothing was.
#[derive(Debug)]
pub(crate) struct DownloadError {
    /// Whether the issuer answered, and not with what is needed. Otherwise it may do so later.
    pub(crate) wrong: bool,
    sentence: String,
}

impl Origin {
    pub(crate) fn new(
        issuer: &Issuer,
        source: &Source,
        client: Arc<dyn HttpClient>,
    ) -> Result<Self, ConfigError> {
        let place = match source {
            Source::Jwks(url) if discovery::is_guarded(url) => Place::Jwks(url.clone()),
            Source::Jwks(url) => {
                return Err(ConfigError::new(format!(
                    "the JWKS URL {url:?} is no absolute URL with https: write it like https://idp.example.com/jwks"
                )));
            }
            Source::Discovery | Source::Fixed(_) => Place::Metadata(discovery::locations(issuer)?),
        };
        Ok(Self { issuer: issuer.clone(), place, client })
    }

    /// Fetches the keys. `known` is the URL that the metadata named the last time.
    pub(crate) async fn download(&self, known: &mut Option<String>) -> Result<Download, DownloadError> {
        let url = match (&self.place, &*known) {
            (Place::Jwks(url), _) | (_, Some(url)) => url.clone(),
            (Place::Metadata(locations), None) => {
                let found = self.discover(locations).await?;
                known.insert(found).clone()
            }
        };
        let answer = self.get(&url).await?;
        if answer.status() != StatusCode::OK {
            return Err(self.bad_status(&url, answer.status()));
        }
        let keys = document::keys(answer.body())
            .map_err(|what| self.error(true, format_args!("the keys at {url} {what}")))?;
        Ok(Download { keys, lifetime: document::lifetime(answer.headers()) })
    }

    /// The first document that is the issuer's own. Others in its way (a web page for every path, a stale proxy) are
    /// passed over, and named when there is none.
    async fn discover(&self, locations: &[String]) -> Result<String, DownloadError> {
        let mut worst: Option<DownloadError> = None;
        for url in locations {
            let problem = match self.get(url).await {
                Ok(answer) if answer.status() == StatusCode::OK => {
                    match discovery::keys_url(answer.body(), &self.issuer) {
                        Ok(keys) => return Ok(keys),
                        Err(what) => self.error(true, format_args!("the metadata at {url} {what}")),
                    }
                }
                Ok(answer) => self.bad_status(url, answer.status()),
                Err(error) if error.wrong => error,
                // All locations are on one host: when it does not answer, waiting for it once is enough.
                Err(error) => return Err(error),
            };
            // One that may answer later outweighs those that answered wrongly; a document outweighs a 404.
            let weight = |error: &DownloadError| (!error.wrong, !error.sentence.contains(" answers 404"));
            if worst.as_ref().is_none_or(|before| weight(&problem) > weight(before)) {
                worst = Some(problem);
            }
        }
        Err(worst.unwrap_or_else(|| self.error(true, format_args!("it has no metadata"))))
    }

    async fn get(&self, url: &str) -> Result<Response<Bytes>, DownloadError> {
        let request = Request::get(url)
            .header(ACCEPT, "application/json")
            .extension(Limits::new().with_max_body(MAX_BODY).with_deadline(DEADLINE))
            .body(Bytes::new());
        let Ok(request) = request else {
            return Err(self.error(true, format_args!("{url:?} is no URL")));
        };
        self.client.execute(request).await.map_err(|error| {
            let wrong = error.is_blocked() || error.is_invalid_request() || error.is_too_large();
            let hint = if error.is_blocked() {
                "; an issuer on your own network is reached by http_client() with an OutboundClient whose builder \
                 opened it by dangerous()"
            } else {
                ""
            };
            self.error(wrong, format_args!("{url} cannot be fetched: {error}{hint}"))
        })
    }

    fn bad_status(&self, url: &str, status: StatusCode) -> DownloadError {
        let later = status.is_server_error()
            || status == StatusCode::TOO_MANY_REQUESTS
            || status == StatusCode::REQUEST_TIMEOUT;
        self.error(!later, format_args!("{url} answers {status}"))
    }

    fn error(&self, wrong: bool, what: fmt::Arguments<'_>) -> DownloadError {
        DownloadError {
            wrong,
            sentence: format!("the keys of the issuer {:?} cannot be had: {what}", self.issuer.as_str()),
        }
    }
}

impl DownloadError {
    pub(crate) fn no_usable_key(issuer: &Issuer) -> Self {
        Self {
            wrong: true,
            sentence: format!(
                "the keys of the issuer {:?} are of no use: none fits the algorithms allowed; name those it signs by in \
                 algorithms()",
                issuer.as_str()
            ),
        }
    }
}

impl fmt::Display for DownloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

const MAX_BODY: usize = 512 * 1024;
const DEADLINE: Duration = Duration::from_secs(5);
