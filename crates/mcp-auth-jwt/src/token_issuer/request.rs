//! What a token is asked for, and what comes of it.

use std::fmt;
use std::time::Duration;

use mcp_core::{Audience, ClientId, Scopes, Subject, Timestamp, TokenId};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

/// What a token shall say. It always has a subject, an audience and an end.
#[derive(Clone, Debug)]
#[must_use = "a token is made by TokenIssuer::mint"]
pub struct TokenRequest {
    pub(super) subject: Subject,
    pub(super) audience: Vec<Audience>,
    pub(super) client: Option<ClientId>,
    pub(super) scopes: Scopes,
    pub(super) lifetime: Duration,
    pub(super) claims: Map<String, Value>,
}

impl TokenRequest {
    /// A token that names `subject` and is good at `audience`: a resource's identifier, such as
    /// `https://mcp.example.com/mcp`. It lives for five minutes unless more is said.
    pub fn new(subject: impl Into<Subject>, audience: impl Into<Audience>) -> Self {
        Self {
            subject: subject.into(),
            audience: vec![audience.into()],
            client: None,
            scopes: Scopes::none(),
            lifetime: Duration::from_secs(300),
            claims: Map::new(),
        }
    }

    /// One more resource it is good at. Whoever gets it at one of them can use it at the others.
    pub fn also_for(mut self, audience: impl Into<Audience>) -> Self {
        self.audience.push(audience.into());
        self
    }

    /// The application it is for (`client_id`); the subject itself unless said.
    pub fn client(mut self, client: impl Into<ClientId>) -> Self {
        self.client = Some(client.into());
        self
    }

    /// What it allows; nothing but coming in unless said.
    pub fn scopes(mut self, scopes: impl Into<Scopes>) -> Self {
        self.scopes = scopes.into();
        self
    }

    /// How long it lives, from 1 second up to the issuer's longest.
    pub fn lifetime(mut self, span: Duration) -> Self {
        self.lifetime = span;
        self
    }

    /// Adds a claim of your own. Those that RFC 7519, RFC 9068 and RFC 7800 define cannot be set so.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }
}

/// A token that was just made. It is a secret: `Debug` does not show it.
#[derive(Clone)]
pub struct MintedToken {
    pub(super) text: Zeroizing<String>,
    pub(super) expires_at: Timestamp,
    pub(super) id: TokenId,
}

impl MintedToken {
    /// The token. Whoever sees it can use it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// When it ends.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// What it is called (`jti`).
    #[must_use]
    pub fn id(&self) -> &TokenId {
        &self.id
    }
}

impl fmt::Debug for MintedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MintedToken")
            .field("id", &self.id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}
