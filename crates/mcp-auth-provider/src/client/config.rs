//! What an operator said of clients.

use super::registration::Registration;

/// What an operator said of clients.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClientsConfig {
    /// Whether clients may register themselves, and how.
    pub(super) registration: Option<Registration>,
    /// Whether redirect URIs may have schemes like `com.example.app:`.
    pub(super) private_use: bool,
}
