//! What there is to say of an access token to whoever may know.

use mcp_core::{Scopes, Timestamp};
use mcp_store::StoreError;
use serde_json::Value;

use crate::engine::Engine;

use super::check::{self, place_of};
use super::record::GrantKind;

/// A token that is good at this moment.
#[derive(Clone, Debug)]
pub(crate) struct TokenFacts {
    pub(crate) id: String,
    pub(crate) subject: String,
    pub(crate) client: String,
    pub(crate) resource: String,
    pub(crate) scopes: Scopes,
    pub(crate) issued_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    /// When the user proved who it is, where there is one.
    pub(crate) authenticated_at: Option<Timestamp>,
    /// The thumbprint of the key it is bound to.
    pub(crate) jkt: Option<String>,
    pub(crate) act: Option<Value>,
}

/// What is known of an access token. `None` for whatever is none, or is dead.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn facts(engine: &Engine, token: &str) -> Result<Option<TokenFacts>, StoreError> {
    let Ok(place) = place_of(engine, token) else { return Ok(None) };
    let Some((access, grant)) = check::read(engine, &place).await? else { return Ok(None) };
    Ok(Some(TokenFacts {
        id: place.id,
        client: access.client.unwrap_or_else(|| grant.client.to_string()),
        subject: grant.subject,
        resource: access.resource,
        scopes: access.scopes,
        issued_at: access.issued_at,
        expires_at: access.expires_at,
        authenticated_at: (grant.kind != GrantKind::Client).then_some(grant.authenticated_at),
        jkt: access.jkt,
        act: access.act,
    }))
}
