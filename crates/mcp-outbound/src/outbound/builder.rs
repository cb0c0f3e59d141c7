//! Setting an [`OutboundClient`] up.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::cidr::Cidr;
use super::config_error::OutboundConfigError;
use super::dangerous::Dangerous;
use super::guard::GuardedResolver;
use super::keep_alive::KeepAlive;
use super::policy::AddressPolicy;
use super::resolve::{Resolve, SystemResolver};
use super::{Inner, OutboundClient};

/// Collects the settings of an [`OutboundClient`]; made by [`OutboundClient::builder`].
///
/// Mistakes are reported by [`build`](Self::build), all setters just take what they get.
#[must_use]
pub struct OutboundClientBuilder {
    user_agent: String,
    max_body: usize,
    max_header_bytes: usize,
    max_headers: usize,
    deadline: Duration,
    connect_timeout: Duration,
    max_concurrent: usize,
    max_idle_per_host: usize,
    resolver: Arc<dyn Resolve>,
    root_certificates: Vec<Vec<u8>>,
    pub(super) policy: AddressPolicy,
    pub(super) mistakes: Vec<String>,
}

impl OutboundClientBuilder {
    pub(super) fn new() -> Self {
        Self {
            user_agent: concat!("mcp-outbound/", env!("CARGO_PKG_VERSION")).to_owned(),
            max_body: 1024 * 1024,
            max_header_bytes: 32 * 1024,
            max_headers: 100,
            deadline: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            max_concurrent: 64,
            max_idle_per_host: 8,
            resolver: Arc::new(SystemResolver),
            root_certificates: Vec::new(),
            policy: AddressPolicy::default(),
            mistakes: Vec::new(),
        }
    }

    /// The `User-Agent` of requests that bring none. Default: this crate's name and version.
    pub fn user_agent(mut self, value: impl Into<String>) -> Self {
        self.user_agent = value.into();
        self
    }

    /// The largest answer body in bytes, as they come over the wire. Default: 1 MiB.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// The largest sum of an answer's header names and values in bytes. Default: 32 KiB.
    pub fn max_header_bytes(mut self, bytes: usize) -> Self {
        self.max_header_bytes = bytes;
        self
    }

    /// The largest number of an answer's headers. Default: 100.
    pub fn max_headers(mut self, headers: usize) -> Self {
        self.max_headers = headers;
        self
    }

    /// The time for a whole exchange, waiting for a free slot and reading the body included. Default: 10 s.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The time for looking up the name, TCP and TLS. Default: 5 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How many exchanges may be under way at a time; more wait, within their deadline. Default: 64.
    ///
    /// Requests to hosts named by strangers (client metadata) should have a client of their own, so that slow ones
    /// cannot hold up the key sets of your issuers.
    pub fn max_concurrent(mut self, exchanges: usize) -> Self {
        self.max_concurrent = exchanges;
        self
    }

    /// How many idle connections one host may keep; 0 closes each after its answer. Default: 8.
    ///
    /// At most 32 hosts keep any, each for 15 s, whatever is set here.
    pub fn max_idle_per_host(mut self, connections: usize) -> Self {
        self.max_idle_per_host = connections;
        self
    }

    /// Looks names up by `resolver` instead of the operating system. Its answers are judged just the same.
    pub fn resolver(mut self, resolver: impl Resolve) -> Self {
        self.resolver = Arc::new(resolver);
        self
    }

    /// Trusts one more certificate authority (or several, one after another in `pem`), beside the system's.
    ///
    /// On Linux and other Unixes the system's authorities are read once, by [`build`](Self::build), from the usual
    /// places or, if set, only from the file in `SSL_CERT_FILE` and the folders in `SSL_CERT_DIR`. On macOS, Windows
    /// and Android the platform verifies and these variables mean nothing.
    pub fn with_root_certificate(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.root_certificates.push(pem.as_ref().to_owned());
        self
    }

    /// Refuses these blocks too, public or not: your own public ranges, your network's NAT64 prefix. They win over
    /// everything that [`dangerous`](Self::dangerous) opens.
    pub fn refuse_addresses<S: AsRef<str>>(mut self, blocks: impl IntoIterator<Item = S>) -> Self {
        for block in blocks {
            match Cidr::parse(block.as_ref()) {
                Ok(block) => self.policy.refused.push(block),
                Err(mistake) => self.mistakes.push(mistake),
            }
        }
        self
    }

    /// The door to settings that weaken the guard.
    pub fn dangerous(self) -> Dangerous {
        Dangerous::new(self)
    }

    /// Makes the client. Reads the system's certificate authorities; opens no connection.
    ///
    /// # Errors
    ///
    /// [`OutboundConfigError`], a sentence that says what to write instead.
    pub fn build(self) -> Result<OutboundClient, OutboundConfigError> {
        self.check()?;
        let policy = Arc::new(self.policy);
        let guard = GuardedResolver { policy: Arc::clone(&policy), resolver: self.resolver };
        let mut roots = Vec::new();
        for pem in &self.root_certificates {
            let found = reqwest::Certificate::from_pem_bundle(pem).unwrap_or_default();
            if found.is_empty() {
                return Err(OutboundConfigError::new(
                    "with_root_certificate() got no PEM certificate: pass the text from -----BEGIN CERTIFICATE----- on",
                ));
            }
            roots.extend(found);
        }
        // Whatever a feature of reqwest that another crate turns on would add to each client is turned off by name.
        let mut http = reqwest::Client::builder()
            .user_agent(self.user_agent)
            .dns_resolver(guard)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .http1_only()
            .http1_max_headers(self.max_headers)
            .connect_timeout(self.connect_timeout)
            .pool_max_idle_per_host(self.max_idle_per_host)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .tls_backend_rustls()
            .https_only(!policy.loopback);
        if !roots.is_empty() {
            http = http.tls_certs_merge(roots);
        }
        let http = http.build().map_err(|cause| {
            OutboundConfigError::new(
                "no TLS client: install the system's certificate authorities (package ca-certificates), name them in \
                 SSL_CERT_FILE, or pass them to with_root_certificate(); a User-Agent must be visible ASCII",
            )
            .because(cause.without_url())
        })?;
        let places = if self.max_idle_per_host == 0 { 0 } else { IDLE_HOSTS };
        Ok(OutboundClient {
            inner: Arc::new(Inner {
                http,
                policy,
                max_body: self.max_body,
                max_header_bytes: self.max_header_bytes,
                deadline: self.deadline,
                slots: Semaphore::new(self.max_concurrent),
                keep_alive: KeepAlive::new(places, IDLE_TIMEOUT + self.deadline),
            }),
        })
    }

    fn check(&self) -> Result<(), OutboundConfigError> {
        if let Some(mistake) = self.mistakes.first() {
            return Err(OutboundConfigError::new(mistake));
        }
        if self.policy.allowed.iter().any(|block| block.is_everything()) {
            return Err(OutboundConfigError::new(
                "allow_addresses() was given every address: name the blocks your issuers live in",
            ));
        }
        if self.deadline.is_zero() || self.connect_timeout.is_zero() {
            return Err(OutboundConfigError::new(
                "a time limit of zero lets nothing through: write at least 1 s",
            ));
        }
        if self.max_headers == 0 || self.max_header_bytes == 0 {
            return Err(OutboundConfigError::new(
                "a header limit of zero lets no answer through: leave the default",
            ));
        }
        if !(1..=Semaphore::MAX_PERMITS).contains(&self.max_concurrent) {
            return Err(OutboundConfigError::new(
                "max_concurrent() must be at least 1: write how many may run at a time",
            ));
        }
        Ok(())
    }
}

impl fmt::Debug for OutboundClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboundClientBuilder").field("policy", &self.policy).finish_non_exhaustive()
    }
}

const IDLE_TIMEOUT: Duration = Duration::from_secs(15);
const IDLE_HOSTS: usize = 32;
