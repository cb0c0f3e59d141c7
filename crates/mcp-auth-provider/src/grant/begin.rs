//! The begin of a grant: a user consented, and the client gets a code.

use mcp_core::{Scopes, Timestamp};
use mcp_store::{Batch, Partition, StoreError};
use serde_json::Value;

use crate::client::Client;
use crate::engine::Engine;
use crate::sign_in::User;
use crate::wire::{CodeChallenge, TokenKind, TokenText};

use super::device::DeviceRecord;
use super::key::GrantKey;
use super::record::{Answered, CodeRecord, GrantKind, GrantRecord, grant_name};
use super::{index, subject};

/// A user said yes to this client, these scopes and these resources. Made where that was checked, and nowhere else.
#[derive(Debug)]
pub(crate) struct ConsentGranted(());

impl ConsentGranted {
    /// The user pressed the button, on a page of ours and in the browser of this transaction; or said so earlier, and that is
    /// remembered; or the operator does not want to be asked.
    pub(crate) fn witnessed() -> Self {
        Self(())
    }
}

/// All that a code stands for.
pub(crate) struct NewGrant<'a> {
    /// The partition of the transaction, which the grant inherits.
    pub(crate) partition: &'a Partition,
    pub(crate) client: &'a Client,
    pub(crate) user: &'a User,
    /// What was granted: never more than what was asked for, the client may have, and the resources know.
    pub(crate) scopes: Scopes,
    /// Identifiers of resources of ours.
    pub(crate) resources: Vec<String>,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: CodeChallenge,
    /// `dpop_jkt` (RFC 9449 §10), or the key of the pushed request.
    pub(crate) jkt: Option<String>,
    /// Whether a refresh token goes with it.
    pub(crate) refreshable: bool,
}

/// Adds the grant and its code to what the caller commits with the outcome of the transaction.
///
/// The lists of the user's and the client's grants are written first: a crash in between leaves an entry that leads
/// nowhere, never a grant that nobody can find.
///
/// # Errors
/// When the store cannot be written.
pub(crate) async fn begin(
    engine: &Engine,
    batch: Batch,
    new: NewGrant<'_>,
    _: ConsentGranted,
) -> Result<(Batch, TokenText), StoreError> {
    let now = engine.now();
    let code = TokenText::new(TokenKind::Code, new.partition);
    let allowed = Allowed {
        partition: new.partition,
        client: new.client,
        user: new.user,
        scopes: new.scopes,
        resources: new.resources,
        refreshable: new.refreshable,
    };
    let (grant, key) = allowed.record(engine, now)?;
    index::add(engine, &grant, new.partition).await?;
    let record = CodeRecord {
        redirect_uri: new.redirect_uri,
        challenge: new.challenge,
        jkt: new.jkt,
        key: key.map(|key| key.wrap(code.expose(), new.partition)).unwrap_or_default(),
        used_at: None,
    };
    let end = now + engine.lifetimes.code;
    let batch = batch.put_json(grant_name(), &grant, Some(end))?.put_json(code.name(), &record, Some(end))?;
    Ok((batch, code))
}

/// Adds the grant to what the caller commits with the outcome of the transaction, for a device that will poll for it; and gives
/// the answer that goes with it. The device is not at hand, so the grant's key waits in that answer, sealed by the vault.
///
/// # Errors
/// When the store cannot be written.
pub(crate) async fn begin_for_device(
    engine: &Engine,
    batch: Batch,
    allowed: Allowed<'_>,
    expires_at: Timestamp,
    _: ConsentGranted,
) -> Result<(Batch, Answered), StoreError> {
    let (grant, key) = allowed.record(engine, engine.now())?;
    index::add(engine, &grant, allowed.partition).await?;
    let batch = batch.put_json(grant_name(), &grant, Some(DeviceRecord::redeemable_until(expires_at)))?;
    Ok((batch, Answered { granted: true, key: key.map(|key| key.to_bytes()).unwrap_or_default() }))
}

/// What a user allows a client.
pub(crate) struct Allowed<'a> {
    /// The partition of the transaction, which the grant inherits.
    pub(crate) partition: &'a Partition,
    pub(crate) client: &'a Client,
    pub(crate) user: &'a User,
    /// As in [`NewGrant`].
    pub(crate) scopes: Scopes,
    pub(crate) resources: Vec<String>,
    pub(crate) refreshable: bool,
}

impl Allowed<'_> {
    /// The record of the grant, and its key if anything is sealed under one.
    fn record(&self, engine: &Engine, now: Timestamp) -> Result<(GrantRecord, Option<GrantKey>), StoreError> {
        if subject::is_reserved(&self.user.subject) {
            return Err(StoreError::invalid("a sign-in gave a user a name that begins with client: or idp:"));
        }
        let (props, key) = match &self.user.props {
            Value::Null => (Vec::new(), None),
            props => {
                let key = GrantKey::random();
                let clear =
                    serde_json::to_vec(props).map_err(|_| StoreError::invalid("props that are no JSON"))?;
                (key.seal(self.partition, &clear), Some(key))
            }
        };
        let grant = GrantRecord {
            kind: GrantKind::User,
            client: self.client.id.clone(),
            client_name: self.client.name.clone(),
            subject: self.user.subject.clone(),
            scopes: self.scopes.clone(),
            resources: self.resources.clone(),
            created_at: now,
            authenticated_at: self.user.authenticated_at,
            expires_at: now + engine.lifetimes.grant,
            refreshable: self.refreshable,
            props,
            memory: self.user.memory.clone(),
            ended: None,
        };
        Ok((grant, key))
    }
}
