//! What an audit event says.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{Identity, Timestamp};

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// Who sent a request.
    Authentication,
    /// Whether a known caller may do what it asks.
    Authorization,
    /// A session of one principal used by another.
    Session,
    /// A long stream ended because its caller's credential did.
    StreamEnded,
    /// A request refused before anybody looked at its credential: Host, Origin, load.
    Guard,
    /// A signing or verification key came or went.
    Key,
    /// A credential was handed out, changed or taken back.
    Credential,
    /// The audit trail itself: begun, continued, events lost.
    Trail,
    /// An event of another crate, by its own name.
    Other(String),
}

impl EventKind {
    /// The name in records.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Authentication => "authentication",
            Self::Authorization => "authorization",
            Self::Session => "session",
            Self::StreamEnded => "stream_ended",
            Self::Guard => "guard",
            Self::Key => "key",
            Self::Credential => "credential",
            Self::Trail => "trail",
            Self::Other(name) => name,
        }
    }
}

/// How it was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// Let through.
    Allowed,
    /// Refused, by the caller's fault.
    Denied,
    /// Not decided, by ours.
    Failed,
}

impl Outcome {
    /// The name in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }
}

/// One decision. It has no place for a token, a secret or a code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AuditEvent {
    /// When.
    #[serde(with = "millis")]
    pub at: Timestamp,
    /// What was decided.
    pub kind: EventKind,
    /// How.
    pub outcome: Outcome,
    /// The id that ties together what belongs to one request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Who vouches for the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The caller's application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// What the credential is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_id: Option<String>,
    /// Where the request came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The resource or route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// What was asked for: a JSON-RPC method, a tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Why, in the project's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl AuditEvent {
    /// An event without particulars.
    #[must_use]
    pub fn new(at: Timestamp, kind: EventKind, outcome: Outcome) -> Self {
        Self {
            at,
            kind,
            outcome,
            request_id: None,
            issuer: None,
            subject: None,
            client: None,
            token_id: None,
            address: None,
            resource: None,
            action: None,
            reason: None,
        }
    }

    /// Names the caller.
    #[must_use]
    pub fn by(mut self, identity: &Identity) -> Self {
        self.issuer = Some(identity.issuer().to_string());
        self.subject = Some(identity.subject().to_string());
        self.client = identity.client().map(ToString::to_string);
        self.token_id = identity.token_id().map(ToString::to_string);
        self
    }

    /// Names the resource or route.
    #[must_use]
    pub fn on(mut self, resource: impl Into<String>) -> Self {
        self.resource = Some(resource.into());
        self
    }

    /// Names what was asked for.
    #[must_use]
    pub fn doing(mut self, action: impl Into<String>) -> Self {
        self.action = Some(action.into());
        self
    }

    /// Names where the request came from.
    #[must_use]
    pub fn from_address(mut self, address: Option<IpAddr>) -> Self {
        self.address = address;
        self
    }

    /// Ties the event to a request.
    #[must_use]
    pub fn in_request(mut self, id: Option<String>) -> Self {
        self.request_id = id;
        self
    }

    /// Says why.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// One structured `tracing` event. Fields are `Debug`-formatted, which escapes line breaks and control characters
    /// (attacks AU02).
    pub(super) fn trace(&self) {
        macro_rules! emit {
            ($level:ident) => {
                tracing::$level!(
                    target: "mcp::audit",
                    kind = self.kind.as_str(),
                    outcome = self.outcome.as_str(),
                    request_id = ?self.request_id,
                    issuer = ?self.issuer,
                    subject = ?self.subject,
                    client = ?self.client,
                    address = ?self.address,
                    resource = ?self.resource,
                    action = ?self.action,
                    reason = ?self.reason,
                )
            };
        }
        match self.outcome {
            Outcome::Allowed => emit!(debug),
            Outcome::Denied => emit!(info),
            Outcome::Failed => emit!(warn),
        }
    }
}

mod millis {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::Timestamp;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
    pub(super) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(at.as_millis())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        u64::deserialize(deserializer).map(Timestamp::from_millis)
    }
}
