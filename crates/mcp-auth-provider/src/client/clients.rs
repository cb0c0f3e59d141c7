//! All clients of a server: found by their identifier, wherever they are written down.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use mcp_core::{ConfigError, SiteContext};
use mcp_outbound::HttpClient;
use mcp_store::StoreError;

use super::assertion::Shown;
use super::config::ClientsConfig;
use super::documents::{self, Documents};
use super::file;
use super::guesses::Guesses;
use super::key_sets::KeySets;
use super::metadata::Rules;
use super::quota::Quota;
use super::registration::{self, Registration};
use super::stored::{self, Lease};
use super::{Client, ClientError, ClientOrigin};
use crate::engine::Engine;

/// The longest identifier that is looked for: that of a URL.
const MAX_ID: usize = 2048;

/// All clients of a server.
#[derive(Debug)]
pub(crate) struct Clients {
    site: SiteContext,
    known: HashMap<String, Arc<Client>>,
    documents: Option<Documents>,
    key_sets: Option<KeySets>,
    registration: Option<Registrar>,
    private_use: bool,
    loopback: bool,
    pub(super) token_endpoint_audience: bool,
    pub(super) guesses: Guesses,
    pub(super) shown: Shown,
}

/// Registration, where it is offered.
#[derive(Debug)]
pub(crate) struct Registrar {
    pub(crate) config: Registration,
    pub(crate) quota: Quota,
}

/// A client that was found, and how long it will be.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) client: Arc<Client>,
    /// Only of one that registered itself: it is forgotten when nobody uses it.
    pub(super) lease: Option<Lease>,
}

impl Clients {
    /// Checks the configuration.
    pub(crate) fn start(config: &ClientsConfig, site: &SiteContext) -> Result<Self, ConfigError> {
        let registration = match &config.registration {
            None => None,
            Some(registration) => {
                registration.check()?;
                Some(Registrar { quota: Quota::new(registration), config: registration.clone() })
            }
        };
        let http = outbound(config)?;
        let key_sets = http.clone().map(|http| KeySets::new(http, site.clock().clone()));
        let documents = http
            .filter(|_| config.documents.offered)
            .map(|http| Documents::new(&config.documents, http, site, config.loopback, config.private_use));
        let mut clients = Self {
            site: site.clone(),
            known: HashMap::new(),
            documents,
            key_sets,
            registration,
            private_use: config.private_use,
            loopback: config.loopback,
            token_endpoint_audience: config.token_endpoint_audience,
            guesses: Guesses::new(),
            shown: Shown::new(),
        };
        clients.add_known(config)?;
        Ok(clients)
    }

    fn add_known(&mut self, config: &ClientsConfig) -> Result<(), ConfigError> {
        let mut known = config.known.clone();
        for path in &config.files {
            known.extend(file::read(path)?);
        }
        for entry in &known {
            let client = entry.build(self.rules(ClientOrigin::Operator), &self.site)?;
            let id = client.id.to_string();
            if self.known.insert(id, Arc::new(client)).is_some() {
                return Err(entry.wrong("there is another of the same name"));
            }
        }
        Ok(())
    }

    /// How clients may prove themselves (`token_endpoint_auth_methods_supported`): what `authenticate` understands.
    pub(crate) fn auth_methods(&self) -> Vec<&'static str> {
        vec!["none", "client_secret_basic", "client_secret_post", "private_key_jwt"]
    }

    /// What their assertions may be signed with (`token_endpoint_auth_signing_alg_values_supported`).
    pub(crate) fn assertion_algorithms(&self) -> Vec<&'static str> {
        mcp_auth_jwt::Algorithm::ASYMMETRIC.into_iter().map(mcp_auth_jwt::Algorithm::name).collect()
    }

    /// Whether the URL of a metadata document is an identifier: then the metadata says so (AUTH-52).
    pub(crate) fn takes_documents(&self) -> bool {
        self.documents.is_some()
    }

    /// The client with this identifier, for a peer at this address: it pays for what has to be fetched.
    pub(crate) async fn find(
        &self,
        engine: &Engine,
        id: &str,
        address: Option<IpAddr>,
    ) -> Result<Arc<Client>, ClientError> {
        self.look_up(engine, id, address).await.map(|found| found.client)
    }

    /// Looks among those the operator named, then among URLs, then among those that registered (AUTH-76).
    pub(super) async fn look_up(
        &self,
        engine: &Engine,
        id: &str,
        address: Option<IpAddr>,
    ) -> Result<Found, ClientError> {
        if id.len() > MAX_ID {
            return Err(ClientError::Unknown);
        }
        if let Some(client) = self.known.get(id) {
            return Ok(Found { client: client.clone(), lease: None });
        }
        if documents::looks_like_one(id) {
            let Some(documents) = &self.documents else { return Err(ClientError::Unknown) };
            return documents.find(id, address).await.map(|client| Found { client, lease: None });
        }
        match stored::load(engine, id).await {
            Ok(Some((record, lease))) => Ok(Found { client: Arc::new(record.client), lease: Some(lease) }),
            Ok(None) => Err(ClientError::Unknown),
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// Whether the operator named this client.
    pub(super) fn is_known(&self, id: &str) -> bool {
        self.known.contains_key(id)
    }

    /// For how long a client that registered itself is kept without being used; also where no others may register any more.
    pub(super) fn unused_for(&self) -> Duration {
        self.registration.as_ref().map_or(registration::UNUSED_FOR, |registrar| registrar.config.unused_for)
    }

    /// Registration, if it is offered: then there is an endpoint for it, and the metadata says where.
    pub(crate) fn registrar(&self) -> Option<&Registrar> {
        self.registration.as_ref()
    }

    pub(super) fn key_sets(&self) -> Option<&KeySets> {
        self.key_sets.as_ref()
    }

    /// What metadata of this origin may say here.
    pub(crate) fn rules(&self, origin: ClientOrigin) -> Rules<'_> {
        Rules {
            origin,
            site: self.site.url(),
            private_use: self.private_use,
            key_sets: self.key_sets.is_some(),
            loopback: self.loopback,
        }
    }

    /// Where a request comes from, as far as it is known and proxies are trusted.
    pub(crate) fn address(&self, head: &Parts) -> Option<IpAddr> {
        self.site.client_address(&head.extensions, &head.headers)
    }
}

/// The way to URLs that strangers choose, if there is one.
fn outbound(config: &ClientsConfig) -> Result<Option<Arc<dyn HttpClient>>, ConfigError> {
    if let Some(http) = &config.documents.http {
        return Ok(Some(http.clone()));
    }
    default_outbound(config.loopback)
}

/// A client of its own, so that slow strangers cannot hold up anything else, and without connections that stay open.
#[cfg(feature = "fetch")]
fn default_outbound(loopback: bool) -> Result<Option<Arc<dyn HttpClient>>, ConfigError> {
    let builder = mcp_outbound::OutboundClient::builder().max_concurrent(32).max_idle_per_host(0);
    let builder = if loopback { builder.dangerous().allow_loopback() } else { builder };
    match builder.build() {
        Ok(client) => Ok(Some(Arc::new(client))),
        Err(error) => Err(ConfigError::new(error.to_string()).because(error)),
    }
}

#[cfg(not(feature = "fetch"))]
fn default_outbound(_: bool) -> Result<Option<Arc<dyn HttpClient>>, ConfigError> {
    Ok(None)
}

fn unavailable(error: &StoreError) -> ClientError {
    tracing::warn!(error = %error, "the store did not say whether there is such a client");
    ClientError::Unavailable
}
