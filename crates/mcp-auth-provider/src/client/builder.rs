//! The part of [`OAuthProvider`]'s choices that is about clients.

use std::path::PathBuf;

use super::{ClientMetadataDocuments, PreRegistered, Registration};
use crate::{OAuthProvider, ProviderDangerous};

impl OAuthProvider {
    /// A client that is known beforehand. Another of the same identifier is an error at start.
    #[must_use]
    pub fn client(self, client: PreRegistered) -> Self {
        self.with_clients(|clients| clients.known.push(client))
    }

    /// Clients in a file, read at start: TOML, or JSON if its name ends in `.json`.
    ///
    /// ```toml
    /// [[client]]
    /// client_id = "nightly-report"
    /// secret_file = "nightly-report.secret"             # beside this file; or secret_sha256 = "…"
    /// grant_types = ["client_credentials"]
    /// scope = "notes:read"                              # the most it may have
    /// resources = ["https://mcp.example.com/mcp"]       # where; everywhere unless said
    ///
    /// [[client]]
    /// client_id = "desktop"
    /// client_name = "Notes Desktop"
    /// redirect_uris = ["http://127.0.0.1/callback"]
    /// ```
    ///
    /// The other members are those of RFC 7591 §2. Without `token_endpoint_auth_method` it is the one that fits: a secret, keys
    /// in `jwks` or `jwks_uri`, or none.
    #[must_use]
    pub fn clients_from(self, path: impl Into<PathBuf>) -> Self {
        self.with_clients(|clients| clients.files.push(path.into()))
    }

    /// Whether and which clients may be known by the URL of their metadata. Unless said, every https URL may, where the
    /// feature `fetch` is on.
    #[must_use]
    pub fn client_metadata_documents(self, documents: ClientMetadataDocuments) -> Self {
        self.with_clients(|clients| clients.documents = documents)
    }

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

    /// Takes client assertions that are for the token endpoint's URL besides those for the issuer: for clients that go by the
    /// first edition of RFC 7523. An assertion that one server asked a client for can then be used at another (CVE-2025-27370).
    #[must_use]
    pub fn assertions_for_token_endpoint(self) -> Self {
        self.with_clients(|clients| clients.token_endpoint_audience = true)
    }
}

impl ProviderDangerous {
    /// Lets clients be known by URLs on this machine (`http://127.0.0.1:…/client.json`), for tests and examples. Whoever sends a
    /// browser to `/authorize` then makes the server ask what listens on its loopback.
    #[must_use]
    pub fn allow_loopback_client_metadata(self) -> OAuthProvider {
        self.0.with_clients(|clients| clients.loopback = true)
    }
}
