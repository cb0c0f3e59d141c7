//! A client gives a token back.

use mcp_core::audit::Outcome;
use mcp_store::{Batch, StoreError};

use crate::client::Client;
use crate::engine::Engine;
use crate::wire::{TokenKind, TokenText};

use super::check::{self, place_of};
use super::end::end;
use super::record::{GrantRecord, grant_name};
use super::redeem::with_grant;

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Revoked {
    /// There was no such token, or it was dead already.
    Nothing,
    /// It is another client's, of this user: nothing was done.
    AnotherClients(String),
    /// The grant has ended.
    Grant,
    /// This one token is dead.
    AccessToken,
}

/// Takes back a refresh token with its grant, or one access token. Only the client that it was issued to can.
///
/// # Errors
/// When the store does not answer. Then trying again does no harm.
pub(crate) async fn revoke(engine: &Engine, client: &Client, token: &str) -> Result<Revoked, StoreError> {
    match TokenText::parse(TokenKind::Refresh, token) {
        Some(token) => refresh_token(engine, client, &token).await,
        None => access_token(engine, client, token).await,
    }
}

async fn refresh_token(engine: &Engine, client: &Client, token: &TokenText) -> Result<Revoked, StoreError> {
    let mut found = engine.vault.get(token.partition(), &[token.name(), grant_name()]).await?.into_iter();
    let (Some(Some(_)), Some(Some(grant))) = (found.next(), found.next()) else {
        return Ok(Revoked::Nothing);
    };
    let grant: GrantRecord = grant.json()?;
    if grant.client != client.id {
        return Ok(Revoked::AnotherClients(grant.subject));
    }
    // A used one as well: whoever logs out while a refresh is under way holds the older of the two.
    let ended = end(engine, token.partition(), "revoked_by_client").await?;
    Ok(if ended { Revoked::Grant } else { Revoked::Nothing })
}

async fn access_token(engine: &Engine, client: &Client, token: &str) -> Result<Revoked, StoreError> {
    let Ok(place) = place_of(engine, token) else { return Ok(Revoked::Nothing) };
    let Some((access, grant)) = check::read(engine, &place).await? else { return Ok(Revoked::Nothing) };
    let holder = access.client.as_deref().unwrap_or(grant.client.as_str());
    if holder != client.id.as_str() {
        return Ok(Revoked::AnotherClients(grant.subject));
    }
    let _ = engine.vault.commit(&place.partition, Batch::new().delete(place.name)).await?;
    engine.known.forget_token(&check::digest_of(token));
    let mut event = with_grant(engine.event("access_token_revoked", Outcome::Allowed), &grant);
    event.client = Some(client.id.to_string());
    event.token_id = Some(place.id);
    engine.audit.record(event);
    Ok(Revoked::AccessToken)
}
