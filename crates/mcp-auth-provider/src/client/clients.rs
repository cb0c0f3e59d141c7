//! All clients of a server: found by their identifier, wherever they are written down.

use std::net::IpAddr;
use std::sync::Arc;

use http::request::Parts;
use mcp_core::{ConfigError, SiteContext};
use mcp_store::StoreError;

use super::config::ClientsConfig;
use super::guesses::Guesses;
use super::metadata::Rules;
use super::quota::Quota;
use super::registration::Registration;
use super::stored::{self, Lease};
use super::{Client, ClientError, ClientOrigin};
use crate::engine::Engine;

/// The longest identifier that is looked for: that of a URL.
const MAX_ID: usize = 2048;

/// All clients of a server.
#[derive(Debug)]
pub(crate) struct Clients {
    site: SiteContext,
    private_use: bool,
    registration: Option<Registrar>,
    pub(super) guesses: Guesses,
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
        Ok(Self {
            site: site.clone(),
            private_use: config.private_use,
            registration,
            guesses: Guesses::new(),
        })
    }

    /// How clients may prove themselves (`token_endpoint_auth_methods_supported`): what `authenticate` understands.
    pub(crate) fn auth_methods(&self) -> Vec<&'static str> {
        vec!["none", "client_secret_basic", "client_secret_post"]
    }

    /// What their assertions may be signed with (`token_endpoint_auth_signing_alg_values_supported`).
    pub(crate) fn assertion_algorithms(&self) -> Vec<&'static str> {
        mcp_auth_jwt::Algorithm::ASYMMETRIC.into_iter().map(mcp_auth_jwt::Algorithm::name).collect()
    }

    /// Whether the URL of a metadata document is an identifier.
    pub(crate) fn takes_documents(&self) -> bool {
        false
    }

    /// The client with this identifier.
    pub(crate) async fn find(&self, engine: &Engine, id: &str) -> Result<Arc<Client>, ClientError> {
        self.look_up(engine, id).await.map(|found| found.client)
    }

    pub(super) async fn look_up(&self, engine: &Engine, id: &str) -> Result<Found, ClientError> {
        if id.len() > MAX_ID {
            return Err(ClientError::Unknown);
        }
        match stored::load(engine, id).await {
            Ok(Some((record, lease))) => Ok(Found { client: Arc::new(record.client), lease: Some(lease) }),
            Ok(None) => Err(ClientError::Unknown),
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// Registration, if it is offered: then there is an endpoint for it, and the metadata says where.
    pub(crate) fn registrar(&self) -> Option<&Registrar> {
        self.registration.as_ref()
    }

    /// What metadata of this origin may say here.
    pub(crate) fn rules(&self, origin: ClientOrigin) -> Rules<'_> {
        Rules {
            origin,
            site: self.site.url(),
            private_use: self.private_use,
            key_sets: false,
            loopback: false,
        }
    }

    /// Where a request comes from, as far as it is known and proxies are trusted.
    pub(crate) fn address(&self, head: &Parts) -> Option<IpAddr> {
        self.site.client_address(&head.extensions, &head.headers)
    }
}

fn unavailable(error: &StoreError) -> ClientError {
    tracing::warn!(error = %error, "the store did not say whether there is such a client");
    ClientError::Unavailable
}
