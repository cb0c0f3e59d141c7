//! What an operator said of clients.

use std::path::PathBuf;

use super::documents::ClientMetadataDocuments;
use super::known::PreRegistered;
use super::registration::Registration;

/// What an operator said of clients.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClientsConfig {
    /// Whether clients may register themselves, and how.
    pub(super) registration: Option<Registration>,
    /// Whether URLs may be clients, and which.
    pub(super) documents: ClientMetadataDocuments,
    /// Whether such URLs may be on this machine. Dangerous.
    pub(super) loopback: bool,
    /// Clients known beforehand.
    pub(super) known: Vec<PreRegistered>,
    /// Files with more of them.
    pub(super) files: Vec<PathBuf>,
    /// Whether redirect URIs may have schemes like `com.example.app:`.
    pub(super) private_use: bool,
    /// Whether assertions may be for the token endpoint instead of the issuer.
    pub(super) token_endpoint_audience: bool,
}
