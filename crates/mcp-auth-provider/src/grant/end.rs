//! The end of a grant: every token of it is dead from the commit on, in this process at once and in any other within the time
//! of [`Lifetimes::notice_revocations_within`](crate::Lifetimes::notice_revocations_within).

use mcp_core::ClientId;
use mcp_core::audit::Outcome;
use mcp_store::{Batch, Committed, Name, Partition, StoreError};

use crate::engine::Engine;
use crate::sign_in::GrantView;

use super::index;
use super::record::{GrantRecord, grant_name};
use super::redeem::with_grant;

/// How many records one commit deletes.
const PORTION: usize = 200;

/// Ends a grant. `false` if there was none, or it had ended.
///
/// # Errors
/// When the store does not answer; then it may or may not have ended.
pub(crate) async fn end(
    engine: &Engine,
    partition: &Partition,
    reason: &'static str,
) -> Result<bool, StoreError> {
    loop {
        let Some(found) = engine.vault.get_one(partition, &grant_name()).await? else { return Ok(false) };
        let grant: GrantRecord = found.json()?;
        if grant.ended.is_some() {
            return Ok(false);
        }
        let ended = GrantRecord { ended: Some(reason.to_owned()), ..grant.clone() };
        let batch = Batch::new().require(grant_name(), found.revision()).put_json(
            grant_name(),
            &ended,
            found.expires_at(),
        )?;
        if !matches!(engine.vault.commit(partition, batch).await?, Committed::Done(_)) {
            continue; // somebody refreshed, redeemed or ended it meanwhile
        }
        engine.known.forget(partition);
        let event = engine.event("grant_ended", Outcome::Allowed).because(reason);
        engine.audit.record(with_grant(event, &grant));
        engine.sign_in.ended(&view(partition, &grant), &grant.memory).await;
        clean(engine, partition, &grant).await?;
        return Ok(true);
    }
}

/// Ends every grant of a user. Gives how many there were.
///
/// # Errors
/// When the store does not answer; then some may have ended.
pub(crate) async fn end_of_user(
    engine: &Engine,
    subject: &str,
    reason: &'static str,
) -> Result<usize, StoreError> {
    end_list(engine, &index::of_user(engine, subject), reason).await
}

/// Ends every grant of a client. Gives how many there were.
///
/// # Errors
/// When the store does not answer; then some may have ended.
pub(crate) async fn end_of_client(
    engine: &Engine,
    client: &ClientId,
    reason: &'static str,
) -> Result<usize, StoreError> {
    end_list(engine, &index::of_client(engine, client), reason).await
}

async fn end_list(engine: &Engine, list: &Partition, reason: &'static str) -> Result<usize, StoreError> {
    let mut ended = 0;
    let mut after = None;
    loop {
        let (partitions, next) = index::page(engine, list, after.as_ref()).await?;
        for partition in &partitions {
            ended += usize::from(end(engine, partition, reason).await?);
        }
        after = next;
        if after.is_none() {
            return Ok(ended);
        }
    }
}

/// The live grants of a user.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn list_of_user(engine: &Engine, subject: &str) -> Result<Vec<GrantView>, StoreError> {
    list(engine, &index::of_user(engine, subject)).await
}

/// The live grants of a client.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn list_of_client(engine: &Engine, client: &ClientId) -> Result<Vec<GrantView>, StoreError> {
    list(engine, &index::of_client(engine, client)).await
}

async fn list(engine: &Engine, list: &Partition) -> Result<Vec<GrantView>, StoreError> {
    let mut views = Vec::new();
    let mut after = None;
    loop {
        let (partitions, next) = index::page(engine, list, after.as_ref()).await?;
        for partition in &partitions {
            views.extend(one(engine, partition).await?);
        }
        after = next;
        if after.is_none() {
            return Ok(views);
        }
    }
}

/// A live grant.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn one(engine: &Engine, partition: &Partition) -> Result<Option<GrantView>, StoreError> {
    let Some(found) = engine.vault.get_one(partition, &grant_name()).await? else { return Ok(None) };
    let grant: GrantRecord = found.json()?;
    Ok(grant.ended.is_none().then(|| view(partition, &grant)))
}

/// A grant as others see it.
pub(crate) fn view(partition: &Partition, grant: &GrantRecord) -> GrantView {
    GrantView {
        id: partition.to_string(),
        subject: grant.subject.clone(),
        client_id: grant.client.to_string(),
        client_name: grant.client_name.clone(),
        scopes: grant.scopes.to_string(),
        resources: grant.resources.clone(),
        created_at: grant.created_at,
        expires_at: grant.expires_at,
    }
}

/// Deletes what is left of a grant that has ended: all of it means nothing any more.
pub(super) async fn clean(
    engine: &Engine,
    partition: &Partition,
    grant: &GrantRecord,
) -> Result<(), StoreError> {
    index::remove(engine, grant, partition).await?;
    for prefix in ["access.", "answer.", "code.", "device.", "refresh."] {
        loop {
            let found = engine.vault.scan(partition, prefix, None, PORTION).await?;
            let names: Vec<Name> = found.into_iter().map(|(name, _)| name).collect();
            if names.is_empty() {
                break;
            }
            let batch = names.into_iter().fold(Batch::new(), Batch::delete);
            let _ = engine.vault.commit(partition, batch).await?;
        }
    }
    // Last, so that a crash before leaves a grant that is known to have ended.
    let _ = engine.vault.commit(partition, Batch::new().delete(grant_name())).await?;
    Ok(())
}
