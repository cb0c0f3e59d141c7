//! The part of [`OAuthProvider`]'s choices that is about clients.

use super::Registration;
use crate::OAuthProvider;

impl OAuthProvider {
    /// Lets clients register themselves (RFC 7591). Without, they cannot, and the metadata names no registration endpoint: the
    /// MCP specification deprecates it in favour of metadata documents (AUTH-89), but many clients know nothing else.
    #[must_use]
    pub fn registration(self, registration: Registration) -> Self {
        self.with_clients(|clients| clients.registration = Some(registration))
    }

    /// Lets native clients be sent back to by schemes of their own, such as `com.example.app:/callback` (RFC 8252 §7.1). Another
    /// application on the same device may claim the same scheme, so the MCP specification leaves no room for them (AUTH-97).
    #[must_use]
    pub fn private_use_redirects(self) -> Self {
        self.with_clients(|clients| clients.private_use = true)
    }
}
