//! Making an access token of a grant.

use mcp_core::{Scopes, Timestamp, random_id};
use mcp_store::{Batch, Name, Partition, StoreError};
use serde_json::{Map, Value, json};

use crate::client::Client;
use crate::engine::Engine;
use crate::wire::{TokenKind, TokenText, record_name};

use super::key::GrantKey;
use super::record::{AccessRecord, GrantKind, GrantRecord, RefreshRecord};

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
    /// What its record is called.
    pub(super) name: Name,
    pub(super) expires_at: Timestamp,
}

/// What is different about a token that others gave than the user of a grant.
#[derive(Default)]
pub(super) struct Delegation {
    /// Who acts for the subject.
    pub(super) act: Option<Value>,
    /// The client, if it is not the grant's.
    pub(super) client: Option<String>,
    /// When it ends at the latest.
    pub(super) until: Option<Timestamp>,
}

/// Adds an access token to a batch.
pub(super) fn access(
    engine: &Engine,
    batch: Batch,
    order: &Order<'_>,
) -> Result<(Batch, Minted), StoreError> {
    delegated(engine, batch, order, Delegation::default())
}

/// Adds an access token to a batch that is for somebody who acts for the subject.
pub(super) fn delegated(
    engine: &Engine,
    batch: Batch,
    order: &Order<'_>,
    delegation: Delegation,
) -> Result<(Batch, Minted), StoreError> {
    let expires_at = (order.now + engine.lifetimes.access).min(order.grant.expires_at);
    let expires_at = delegation.until.map_or(expires_at, |until| expires_at.min(until));
    let (text, name) = access_text(engine, order, &delegation, expires_at)?;
    let record = AccessRecord {
        scopes: order.scopes.clone(),
        resource: order.resource.clone(),
        issued_at: order.now,
        expires_at,
        jkt: order.jkt.clone(),
        key: order.key.map(|key| key.wrap(&text, order.partition)).unwrap_or_default(),
        act: delegation.act,
        client: delegation.client,
    };
    let batch = batch.put_json(name.clone(), &record, Some(expires_at))?;
    Ok((batch, Minted { text, name, expires_at }))
}

/// The token itself, and what its record is called: opaque, or a JWT where the operator wants that.
fn access_text(
    engine: &Engine,
    order: &Order<'_>,
    delegation: &Delegation,
    expires_at: Timestamp,
) -> Result<(String, Name), StoreError> {
    let Some(keys) = &engine.keys else {
        let token = TokenText::new(TokenKind::Access, order.partition);
        return Ok((token.expose().to_owned(), token.name()));
    };
    let text = keys.sign("at+jwt", claims(engine, order, delegation, expires_at))?;
    let name = record_name(TokenKind::Access, text.as_bytes());
    Ok((text, name))
}

/// RFC 9068 §2.2. Made here from the grant alone: nothing that a sign-in remembers gets in, by whatever name.
fn claims(
    engine: &Engine,
    order: &Order<'_>,
    delegation: &Delegation,
    expires_at: Timestamp,
) -> Map<String, Value> {
    let mut claims = Map::new();
    let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    put("iss", json!(engine.issuer.as_str()));
    put("sub", json!(order.grant.subject));
    put("aud", json!(order.resource));
    put("client_id", json!(delegation.client.as_deref().unwrap_or(order.grant.client.as_str())));
    put("iat", json!(order.now.as_secs()));
    put("exp", json!(expires_at.as_secs()));
    if order.grant.kind != GrantKind::Client {
        put("auth_time", json!(order.grant.authenticated_at.as_secs()));
    }
    // Where the record is, and 256 random bits besides: who has the store does not know the token.
    put("jti", json!(format!("{}.{}", order.partition, random_id())));
    if !order.scopes.is_empty() {
        put("scope", json!(order.scopes.to_string()));
    }
    if let Some(act) = &delegation.act {
        put("act", act.clone());
    }
    if let Some(jkt) = &order.jkt {
        put("cnf", json!({ "jkt": jkt }));
    }
    claims
}

/// What a client's refresh tokens are bound to: the key it proved, if it has nothing else to prove itself with. Others do so
/// at each refresh, and may change their keys (RFC 9449 §5).
pub(super) fn binding<'a>(client: &Client, jkt: Option<&'a str>) -> Option<&'a str> {
    jkt.filter(|_| client.is_public())
}

/// Adds a refresh token to a batch, [bound](binding) to a key or not.
pub(super) fn refresh(
    engine: &Engine,
    batch: Batch,
    order: &Order<'_>,
    bound_to: Option<&str>,
) -> Result<(Batch, TokenText), StoreError> {
    let token = TokenText::new(TokenKind::Refresh, order.partition);
    let record = RefreshRecord {
        resource: order.resource.clone(),
        jkt: bound_to.map(str::to_owned),
        key: order.key.map(|key| key.wrap(token.expose(), order.partition)).unwrap_or_default(),
        rotated: None,
    };
    let expires_at = (order.now + engine.lifetimes.refresh_idle).min(order.grant.expires_at);
    let batch = batch.put_json(token.name(), &record, Some(expires_at))?;
    Ok((batch, token))
}
