//! The end of a grant: every token of it is dead from the commit on, in this process at once and in any other within the time
//! of [`Lifetimes::notice_revocations_within`](crate::Lifetimes::notice_revocations_within).

use mcp_core::ClientId;
use mcp_core::audit::Outcome;
use mcp_store::{Batch, Committed, Name, Partition, Revision, StoreError};

use crate::engine::Engine;
use crate::sign_in::GrantView;

use super::record::{GrantKind, GrantRecord, grant_name};
use super::redeem::with_grant;
use super::{client_credentials, index, subject};

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
        if found.json::<GrantRecord>()?.ended.is_some() {
            return Ok(false);
        }
        if end_if(engine, partition, reason, &[(grant_name(), found.revision())]).await? {
            return Ok(true);
        }
        // Somebody refreshed, redeemed or ended it meanwhile.
    }
}

/// Ends a grant if all of these records are still as they were read. `false` if they are not, and nothing has happened.
///
/// # Errors
/// When the store does not answer; then it may or may not have ended.
pub(crate) async fn end_if(
    engine: &Engine,
    partition: &Partition,
    reason: &'static str,
    still: &[(Name, Revision)],
) -> Result<bool, StoreError> {
    let Some(found) = engine.vault.get_one(partition, &grant_name()).await? else { return Ok(false) };
    let grant: GrantRecord = found.json()?;
    if grant.ended.is_some() {
        return Ok(false);
    }
    let ended = GrantRecord { ended: Some(reason.to_owned()), ..grant.clone() };
    let batch = still.iter().fold(Batch::new(), |batch, (name, at)| batch.require(name.clone(), *at));
    let revision = batch.revision();
    let batch =
        batch.require(grant_name(), found.revision()).put_json(grant_name(), &ended, found.expires_at())?;
    let done = match engine.vault.commit(partition, batch).await {
        Ok(committed) => matches!(committed, Committed::Done(_)),
        // The answer was lost: whoever ended it tells the sign-in, so it has to be known who that was.
        Err(error) if error.is_unknown() => {
            let now = engine.vault.get_one(partition, &grant_name()).await?;
            if now.is_none_or(|record| record.revision() != revision) {
                return Err(error);
            }
            true
        }
        Err(error) => return Err(error),
    };
    if !done {
        return Ok(false);
    }
    engine.known.forget(partition);
    let event = engine.event("grant_ended", Outcome::Allowed).because(reason);
    engine.audit.record(with_grant(event, &grant));
    if grant.kind == GrantKind::User {
        engine.sign_in.ended(&view(partition, &grant), &grant.memory).await;
    }
    clean(engine, partition, &grant, revision).await?;
    Ok(true)
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
    let own = match subject::client_of(subject) {
        Some(client) => end(engine, &client_credentials::partition(engine, &client), reason).await?,
        None => false,
    };
    Ok(usize::from(own) + end_list(engine, &index::of_user(engine, subject), reason).await?)
}

/// Ends every grant of a client, that for itself included. Gives how many there were.
///
/// # Errors
/// When the store does not answer; then some may have ended.
pub(crate) async fn end_of_client(
    engine: &Engine,
    client: &ClientId,
    reason: &'static str,
) -> Result<usize, StoreError> {
    let own = end(engine, &client_credentials::partition(engine, client), reason).await?;
    Ok(usize::from(own) + end_list(engine, &index::of_client(engine, client), reason).await?)
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
///
/// Each step holds only while the grant is as it was at `ended`: where a grant may be made anew in the same partition, whoever is
/// late deletes nothing of the new one.
pub(super) async fn clean(
    engine: &Engine,
    partition: &Partition,
    grant: &GrantRecord,
    ended: Revision,
) -> Result<(), StoreError> {
    if grant.kind != GrantKind::Client {
        index::remove(engine, grant, partition).await?;
    }
    let batch = || Batch::new().require(grant_name(), ended);
    for prefix in ["access.", "answer.", "code.", "device.", "refresh."] {
        loop {
            let found = engine.vault.scan(partition, prefix, None, PORTION).await?;
            let names: Vec<Name> = found.into_iter().map(|(name, _)| name).collect();
            if names.is_empty() {
                break;
            }
            let batch = names.into_iter().fold(batch(), Batch::delete);
            if !engine.vault.commit(partition, batch).await?.is_done() {
                return Ok(()); // somebody else was faster
            }
        }
    }
    // Last, so that a crash before leaves a grant that is known to have ended.
    let _ = engine.vault.commit(partition, batch().delete(grant_name())).await?;
    Ok(())
}
