//! The begin: a client asks, and gets a code to poll with and a code to show.

use mcp_core::{Scopes, Timestamp};
use mcp_store::{Batch, Partition, StoreError};
use serde::{Deserialize, Serialize};

use super::UserCode;
use super::guesses::is_pressed;
use crate::client::Client;
use crate::engine::Engine;
use crate::grant::{DeviceRecord, answered_name, commit};
use crate::wire::{OAuthError, TokenKind, TokenText};

/// How often a new user code is drawn when the one before is in use. One that is hit by chance is rare; eight in a row are not
/// chance.
const TRIES: usize = 8;

/// What the client gets to know.
pub(crate) struct Started {
    pub(crate) device_code: TokenText,
    pub(crate) user_code: UserCode,
}

/// Where a user code leads.
#[derive(Serialize, Deserialize)]
struct Claim {
    partition: String,
    /// The name of the [`DeviceRecord`] there.
    name: String,
}

/// Begins a device grant for a client, for what it may be granted of what it asked for.
///
/// # Errors
/// 503 when the store does not answer.
pub(crate) async fn begin(
    engine: &Engine,
    client: &Client,
    resources: Vec<String>,
    scopes: Scopes,
) -> Result<Started, OAuthError> {
    let partition = Partition::random();
    let device_code = TokenText::new(TokenKind::Device, &partition);
    let expires_at = engine.now() + engine.lifetimes.device;
    let user_code = claim(engine, &device_code, expires_at).await?;
    let record = DeviceRecord::new(client, resources, scopes, user_code.shown(), expires_at);
    let batch = Batch::new().put_json(device_code.name(), &record, Some(record.forgotten_at()))?;
    // Nothing is required, so it is there, or nobody can tell.
    commit(engine, &partition, batch, &device_code.name()).await?;
    Ok(Started { device_code, user_code })
}

/// Finds a user code that no other request has.
async fn claim(engine: &Engine, device_code: &TokenText, until: Timestamp) -> Result<UserCode, OAuthError> {
    let long = is_pressed(engine).await?;
    let claim =
        Claim { partition: device_code.partition().to_string(), name: device_code.name().to_string() };
    for _ in 0..TRIES {
        let code = UserCode::random(long);
        let (partition, name) = code.place(engine);
        let batch = Batch::new().require_absent(name.clone());
        let batch = batch.put_json(name.clone(), &claim, Some(until))?;
        if commit(engine, &partition, batch, &name).await? {
            return Ok(code);
        }
    }
    Err(StoreError::unavailable("no user code is free").into())
}

/// The request that a user code leads to, and where that is: if it still waits for an answer.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn find(
    engine: &Engine,
    code: &UserCode,
) -> Result<Option<(DeviceRecord, Partition)>, StoreError> {
    let (partition, name) = code.place(engine);
    let Some(found) = engine.vault.get_one(&partition, &name).await? else { return Ok(None) };
    let claim: Claim = found.json()?;
    let wrong = || StoreError::corrupt("a user code leads to no place");
    let partition = Partition::new(claim.partition).map_err(|_| wrong())?;
    let name = mcp_store::Name::new(claim.name).map_err(|_| wrong())?;
    let mut found = engine.vault.get(&partition, &[name, answered_name()]).await?.into_iter();
    let (Some(Some(record)), Some(None)) = (found.next(), found.next()) else { return Ok(None) };
    let record: DeviceRecord = record.json()?;
    Ok((engine.now() < record.expires_at).then_some((record, partition)))
}
