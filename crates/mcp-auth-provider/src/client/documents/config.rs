//! Whose metadata documents are believed.
//!
//! ```
//! use mcp_auth_provider::ClientMetadataDocuments;
//!
//! // Of clients that are known, and nobody else.
//! let some = ClientMetadataDocuments::from_hosts(["claude.ai", "chatgpt.com", "vscode.dev"]);
//! // Of everybody who has a place on the web, but for one.
//! let most = ClientMetadataDocuments::open().policy(|url| url.host_str() != Some("evil.example.com"));
//! let none = ClientMetadataDocuments::off();
//! # let _ = (some, most, none);
//! ```

use std::fmt;
use std::sync::Arc;

use mcp_outbound::HttpClient;
use url::Url;

/// Whether clients may be known by the URL of their metadata (draft-ietf-oauth-client-id-metadata-document), and which.
///
/// On by default and open to every https URL, as the MCP specification asks (AUTH-76): the user is shown which host it is.
/// What is fetched is fetched through [`mcp_outbound`]: from public addresses only, without redirects, at most 5 KiB, within
/// 10 seconds. A document is kept for as long as its `Cache-Control` says, at least 30 seconds and at most a day; 5 minutes
/// where it says nothing. While its host cannot be reached or answers 5xx, the last one serves for an hour longer, so that an
/// outage signs nobody out; one that answers anything else has withdrawn it.
///
/// Each address that asks (an IPv6 /64 is one) may cause ten fetches at once and then one every 5 seconds, and fewer of them
/// from one host; what was fetched before costs nothing while it is fresh. Above that it is answered 503.
#[derive(Clone)]
#[must_use]
pub struct ClientMetadataDocuments {
    pub(in crate::client) offered: bool,
    pub(in crate::client) hosts: Option<Vec<String>>,
    pub(in crate::client) policy: Option<Policy>,
    pub(in crate::client) keys_anywhere: bool,
    pub(in crate::client) http: Option<Arc<dyn HttpClient>>,
}

pub(in crate::client) type Policy = Arc<dyn Fn(&Url) -> bool + Send + Sync>;

impl Default for ClientMetadataDocuments {
    fn default() -> Self {
        Self::open()
    }
}

impl ClientMetadataDocuments {
    /// Every https URL may be a client.
    pub fn open() -> Self {
        Self { offered: true, hosts: None, policy: None, keys_anywhere: false, http: None }
    }

    /// No URL may.
    pub fn off() -> Self {
        Self { offered: false, ..Self::open() }
    }

    /// Only URLs on these hosts, compared without case and without port.
    pub fn from_hosts<S: Into<String>>(hosts: impl IntoIterator<Item = S>) -> Self {
        let hosts = hosts.into_iter().map(|host| host.into().to_ascii_lowercase()).collect();
        Self { hosts: Some(hosts), ..Self::open() }
    }

    /// Asks this function before anything is fetched; `false` refuses the client (AUTH-87).
    pub fn policy(mut self, policy: impl Fn(&Url) -> bool + Send + Sync + 'static) -> Self {
        self.policy = Some(Arc::new(policy));
        self
    }

    /// Believes documents whose `jwks_uri` is on another host than they are.
    pub fn key_sets_anywhere(mut self) -> Self {
        self.keys_anywhere = true;
        self
    }

    /// Fetches through this client, for documents and key sets: one with a certificate authority of your own, or that speaks
    /// to an egress proxy. It takes over the duties that [`HttpClient`] names.
    pub fn http_client(mut self, client: impl HttpClient) -> Self {
        self.http = Some(Arc::new(client));
        self
    }

    /// Whether this URL may be a client's.
    pub(in crate::client) fn trusts(&self, url: &Url) -> bool {
        let named = self.hosts.as_ref().is_none_or(|hosts| {
            url.host_str().is_some_and(|host| hosts.iter().any(|own| own.eq_ignore_ascii_case(host)))
        });
        named && self.policy.as_ref().is_none_or(|policy| policy(url))
    }
}

impl fmt::Debug for ClientMetadataDocuments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientMetadataDocuments")
            .field("offered", &self.offered)
            .field("hosts", &self.hosts)
            .finish_non_exhaustive()
    }
}
