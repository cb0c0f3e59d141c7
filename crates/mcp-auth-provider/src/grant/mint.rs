//! Making an access token of a grant.

use mcp_core::{Scopes, Timestamp};
use mcp_store::{Batch, Partition, StoreError};

use crate::engine::Engine;
use crate::wire::{TokenKind, TokenText};

use super::key::GrantKey;
use super::record::{AccessRecord, GrantRecord, RefreshRecord};

/// What an access token is for.
pub(super) struct Order<'a> {
    pub(super) partition: &'a Partition,
    pub(super) grant: &'a GrantRecord,
    /// The grant's key, if there is anything sealed under it.
    pub(super) key: Option<&'a GrantKey>,
    pub(super) scopes: Scopes,
    /// The identifier of the one resource it is for.
    pub(super) resource: String,
    /// The thumbprint of the key it is bound to.
    pub(super) jkt: Option<String>,
    pub(super) now: Timestamp,
}

/// An access token, and when it ends.
pub(super) struct Minted {
    pub(super) text: String,
    pub(super) expires_at: Timestamp,
}

/// Adds an access token to a batch.
pub(super) fn access(
    engine: &Engine,
    batch: Batch,
    order: &Order<'_>,
) -> Result<(Batch, Minted), StoreError> {
    let expires_at = (order.now + engine.lifetimes.access).min(order.grant.expires_at);
    let token = TokenText::new(TokenKind::Access, order.partition);
    let record = AccessRecord {
        scopes: order.scopes.clone(),
        resource: order.resource.clone(),
        issued_at: order.now,
        expires_at,
        jkt: order.jkt.clone(),
        key: order.key.map(|key| key.wrap(token.expose(), order.partition)).unwrap_or_default(),
        act: None,
        client: None,
    };
    let batch = batch.put_json(token.name(), &record, Some(expires_at))?;
    Ok((batch, Minted { text: token.expose().to_owned(), expires_at }))
}

/// Adds a refresh token to a batch.
pub(super) fn refresh(
    engine: &Engine,
    batch: Batch,
    order: &Order<'_>,
) -> Result<(Batch, TokenText), StoreError> {
    let token = TokenText::new(TokenKind::Refresh, order.partition);
    let record = RefreshRecord {
        resource: order.resource.clone(),
        jkt: order.jkt.clone(),
        key: order.key.map(|key| key.wrap(token.expose(), order.partition)).unwrap_or_default(),
        rotated: None,
    };
    let expires_at = (order.now + engine.lifetimes.refresh_idle).min(order.grant.expires_at);
    let batch = batch.put_json(token.name(), &record, Some(expires_at))?;
    Ok((batch, token))
}
