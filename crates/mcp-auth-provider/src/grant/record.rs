//! What is stored of a grant, in its partition. Each is sealed by the vault; tokens are named by their SHA-256 only.
//!
//! | name | record | until |
//! |---|---|---|
//! | `grant` | [`GrantRecord`] | its end; while its code waits, as long as the code |
//! | `code.<hash>` | [`CodeRecord`] | the code's end; once used, an hour, to notice a replay |
//! | `device.<hash>` | [`DeviceRecord`](super::DeviceRecord) | an hour after the device code's end, or after its use |
//! | `answered` | [`Answered`], for requests that were kept before a browser came | two hours |
//! | `access.<hash>` | [`AccessRecord`] | the token's end |
//! | `refresh.<hash>` | [`RefreshRecord`] | the token's end, used or not, to notice its reuse |
//! | `answer.<hash>` | the answer to the refresh with that token, sealed by it | the replay window |

use mcp_core::{ClientId, Scopes, Timestamp};
use mcp_store::Name;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::as_text;
use crate::wire::CodeChallenge;

/// What a user allowed a client; or a client itself, where no user is.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct GrantRecord {
    #[serde(default)]
    pub(crate) kind: GrantKind,
    #[serde(with = "as_text::client_id")]
    pub(crate) client: ClientId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client_name: Option<String>,
    pub(crate) subject: String,
    #[serde(with = "as_text::scopes")]
    pub(crate) scopes: Scopes,
    pub(crate) resources: Vec<String>,
    #[serde(with = "as_text::millis")]
    pub(crate) created_at: Timestamp,
    #[serde(with = "as_text::millis")]
    pub(crate) authenticated_at: Timestamp,
    /// When it ends, however often it is refreshed.
    #[serde(with = "as_text::millis")]
    pub(crate) expires_at: Timestamp,
    /// Whether a refresh token goes with it.
    pub(crate) refreshable: bool,
    /// What tools may know, sealed under the grant's own key; empty if nothing.
    #[serde(with = "as_text::bytes", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) props: Vec<u8>,
    /// What the sign-in needs at a refresh.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(crate) memory: Value,
    /// Why it has ended, if it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended: Option<String>,
}

/// How a user answered a request that was kept before any browser came with it.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Answered {
    /// Whether there is a grant now, which a device may poll for.
    pub(crate) granted: bool,
    /// The key of that grant, until the device does: nobody has a token that could wrap it.
    #[serde(with = "as_text::bytes", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) key: Vec<u8>,
}

/// How a grant came to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GrantKind {
    /// A user signed in and consented.
    #[default]
    User,
    /// A client has it for itself. Found without the lists: its partition is derived from the client.
    Client,
    /// Another identity provider asserted it.
    Assertion,
}

/// A code, waiting or used.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct CodeRecord {
    /// Where the browser was sent back to.
    pub(crate) redirect_uri: String,
    pub(crate) challenge: CodeChallenge,
    /// The thumbprint of the key it is bound to (RFC 9449 §10).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) jkt: Option<String>,
    /// The grant's key, wrapped by the code.
    #[serde(with = "as_text::bytes", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) key: Vec<u8>,
    /// When it was redeemed, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) used_at: Option<u64>,
}

/// An access token.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct AccessRecord {
    #[serde(with = "as_text::scopes")]
    pub(crate) scopes: Scopes,
    pub(crate) resource: String,
    #[serde(with = "as_text::millis")]
    pub(crate) issued_at: Timestamp,
    #[serde(with = "as_text::millis")]
    pub(crate) expires_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) jkt: Option<String>,
    /// The grant's key, wrapped by the token.
    #[serde(with = "as_text::bytes", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) key: Vec<u8>,
    /// Who acts, where somebody acts for the subject (RFC 8693 §4.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) act: Option<Value>,
    /// The client, where it is another than the grant's (token exchange).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client: Option<String>,
}

/// A refresh token, waiting or used.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct RefreshRecord {
    /// The resource it gives tokens for, unless the client names another of the grant's.
    pub(crate) resource: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) jkt: Option<String>,
    #[serde(with = "as_text::bytes", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) key: Vec<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rotated: Option<Rotated>,
}

/// How a refresh token was used.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Rotated {
    /// When, in milliseconds.
    pub(crate) at: u64,
    /// The record of the token that came after it.
    pub(crate) successor: String,
    /// With which scope and resource it was asked: a repetition has the same.
    pub(crate) request: String,
}

/// The name of the record of the grant.
pub(crate) fn grant_name() -> Name {
    fixed("grant")
}

/// The name of the record of how a kept request was answered.
pub(crate) fn answered_name() -> Name {
    fixed("answered")
}

/// The name of the record of the answer to a refresh.
pub(crate) fn answer_name(refresh: &Name) -> Name {
    fixed(&refresh.as_str().replacen("refresh.", "answer.", 1))
}

fn fixed(text: &str) -> Name {
    #[expect(clippy::expect_used, reason = "made of our own short words and digests")]
    Name::new(text).expect("a name of ours is a name")
}
