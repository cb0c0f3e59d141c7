//! The begin of a grant: a user consented, and the client gets a code.

use mcp_core::Scopes;
use mcp_store::{Batch, Partition, StoreError};
use serde_json::Value;

use crate::client::Client;
use crate::engine::Engine;
use crate::sign_in::User;
use crate::wire::{CodeChallenge, TokenKind, TokenText};

use super::key::GrantKey;
use super::record::{CodeRecord, GrantKind, GrantRecord, grant_name};
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
    let expires_at = now + engine.lifetimes.grant;
    let (props, key) = match &new.user.props {
        Value::Null => (Vec::new(), Vec::new()),
        props => {
            let key = GrantKey::random();
            let clear =
                serde_json::to_vec(props).map_err(|_| StoreError::invalid("props that are no JSON"))?;
            (key.seal(new.partition, &clear), key.wrap(code.expose(), new.partition))
        }
    };
    if subject::is_reserved(&new.user.subject) {
        return Err(StoreError::invalid("a sign-in gave a user a name that begins with client: or idp:"));
    }
    let grant = GrantRecord {
        kind: GrantKind::User,
        client: new.client.id.clone(),
        client_name: new.client.name.clone(),
        subject: new.user.subject.clone(),
        scopes: new.scopes,
        resources: new.resources,
        created_at: now,
        authenticated_at: new.user.authenticated_at,
        expires_at,
        refreshable: new.refreshable,
        props,
        memory: new.user.memory.clone(),
        ended: None,
    };
    index::add(engine, &grant, new.partition).await?;
    let record = CodeRecord {
        redirect_uri: new.redirect_uri,
        challenge: new.challenge,
        jkt: new.jkt,
        key,
        used_at: None,
    };
    let end = now + engine.lifetimes.code;
    let batch = batch.put_json(grant_name(), &grant, Some(end))?.put_json(code.name(), &record, Some(end))?;
    Ok((batch, code))
}
