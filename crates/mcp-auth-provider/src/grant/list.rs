//! Grants a page at a time, and tidying up what is left of those that have ended.

use std::time::Duration;

use mcp_core::ClientId;
use mcp_store::{Batch, Name, Partition, StoreError};

use crate::engine::Engine;
use crate::sign_in::GrantView;

use super::record::{GrantRecord, grant_name};
use super::{client_credentials, end, index, subject};

/// An entry of a list may be older than its grant, but not by more: sign-in, consent and code all end long before.
const CLAIM: Duration = Duration::from_secs(24 * 3600);

/// The live grants of a user, a page at a time.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn page_of_user(
    engine: &Engine,
    subject: &str,
    after: Option<&Name>,
) -> Result<Page, StoreError> {
    let own = subject::client_of(subject);
    with_own(engine, own.as_ref(), page(engine, &index::of_user(engine, subject), after).await?, after).await
}

/// The live grants of a client, a page at a time.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn page_of_client(
    engine: &Engine,
    client: &ClientId,
    after: Option<&Name>,
) -> Result<Page, StoreError> {
    with_own(engine, Some(client), page(engine, &index::of_client(engine, client), after).await?, after).await
}

type Page = (Vec<GrantView>, Option<Name>);

/// The same page, and if it is the first, before all others the grant that a client has for itself: it is in no list.
async fn with_own(
    engine: &Engine,
    client: Option<&ClientId>,
    (mut views, next): Page,
    after: Option<&Name>,
) -> Result<Page, StoreError> {
    if let (Some(client), None) = (client, after) {
        let own = end::one(engine, &client_credentials::partition(engine, client)).await?;
        views.splice(0..0, own);
    }
    Ok((views, next))
}

async fn page(engine: &Engine, list: &Partition, after: Option<&Name>) -> Result<Page, StoreError> {
    let (partitions, next) = index::page(engine, list, after).await?;
    let mut views = Vec::new();
    for partition in &partitions {
        views.extend(end::one(engine, partition).await?);
    }
    Ok((views, next))
}

/// What [`tidy`] took out.
pub(crate) enum Remains {
    /// A grant that had ended.
    Grant,
    /// So many entries of a list that led nowhere.
    Entries(usize),
}

/// Takes out of a partition what is left of grants that have ended.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn tidy(engine: &Engine, partition: &Partition) -> Result<Remains, StoreError> {
    if let Some(found) = engine.vault.get_one(partition, &grant_name()).await? {
        let grant: GrantRecord = found.json()?;
        if grant.ended.is_some() {
            end::clean(engine, partition, &grant, found.revision()).await?;
            return Ok(Remains::Grant);
        }
        return Ok(Remains::Entries(0));
    }
    let mut count = 0;
    let mut after = None;
    loop {
        let (entries, next) = index::entries(engine, partition, after.as_ref()).await?;
        for entry in entries {
            let waits = engine.now().since(entry.claimed_at) < CLAIM;
            if !waits && engine.vault.get_one(&entry.grant, &grant_name()).await?.is_none() {
                let batch = Batch::new().require(entry.name.clone(), entry.at).delete(entry.name);
                count += usize::from(engine.vault.commit(partition, batch).await?.is_done());
            }
        }
        after = next;
        if after.is_none() {
            return Ok(Remains::Entries(count));
        }
    }
}

/// Leaves a grant as a process does that dies while it ends it.
#[cfg(test)]
pub(crate) async fn mark_ended(engine: &Engine, partition: &Partition, reason: &str) {
    let found = engine.vault.get_one(partition, &grant_name()).await.unwrap().unwrap();
    let grant = GrantRecord { ended: Some(reason.to_owned()), ..found.json().unwrap() };
    let batch = Batch::new().put_json(grant_name(), &grant, found.expires_at()).unwrap();
    assert!(engine.vault.commit(partition, batch).await.unwrap().is_done());
}
