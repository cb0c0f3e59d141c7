//! Which grants a user and a client have. What spans partitions cannot be one commit: entries are claims, written before the
//! grant and believed only together with it.

use mcp_core::{ClientId, Timestamp};
use mcp_store::{Batch, Name, Partition, Revision, StoreError};
use serde::{Deserialize, Serialize};

use crate::as_text;
use crate::engine::Engine;

use super::record::GrantRecord;

/// An entry of a list. Its name says which grant; believed only together with that.
#[derive(Serialize, Deserialize)]
struct Claim {
    /// When it was written: the grant follows soon, or never.
    #[serde(with = "as_text::millis")]
    at: Timestamp,
}

/// An entry as it was read.
pub(super) struct Entry {
    pub(super) name: Name,
    pub(super) at: Revision,
    pub(super) claimed_at: Timestamp,
    pub(super) grant: Partition,
}

/// How many grants one page of a list has.
const PAGE: usize = 200;

/// Adds a grant to the lists of its user and of its client.
pub(super) async fn add(
    engine: &Engine,
    grant: &GrantRecord,
    partition: &Partition,
) -> Result<(), StoreError> {
    for list in [of_user(engine, &grant.subject), of_client(engine, &grant.client)] {
        let batch =
            Batch::new().put_json(entry(partition), &Claim { at: engine.now() }, Some(grant.expires_at))?;
        let _ = engine.vault.commit(&list, batch).await?;
    }
    Ok(())
}

/// Takes a grant out of both.
pub(super) async fn remove(
    engine: &Engine,
    grant: &GrantRecord,
    partition: &Partition,
) -> Result<(), StoreError> {
    for list in [of_user(engine, &grant.subject), of_client(engine, &grant.client)] {
        let _ = engine.vault.commit(&list, Batch::new().delete(entry(partition))).await?;
    }
    Ok(())
}

/// The partitions of the grants in a list, from `after` on, and whether there may be more.
pub(super) async fn page(
    engine: &Engine,
    list: &Partition,
    after: Option<&Name>,
) -> Result<(Vec<Partition>, Option<Name>), StoreError> {
    let (entries, last) = entries(engine, list, after).await?;
    Ok((entries.into_iter().map(|entry| entry.grant).collect(), last))
}

/// The entries of a list, from `after` on, and whether there may be more. None where the partition is no list.
pub(super) async fn entries(
    engine: &Engine,
    list: &Partition,
    after: Option<&Name>,
) -> Result<(Vec<Entry>, Option<Name>), StoreError> {
    let found = engine.vault.scan(list, PREFIX, after, PAGE).await?;
    let last = (found.len() == PAGE).then(|| found.last().map(|(name, _)| name.clone())).flatten();
    let mut entries = Vec::with_capacity(found.len());
    for (name, record) in found {
        let Some(grant) = name.as_str().strip_prefix(PREFIX).and_then(|text| Partition::new(text).ok())
        else {
            continue;
        };
        let claim: Claim = record.json()?;
        entries.push(Entry { name, at: record.revision(), claimed_at: claim.at, grant });
    }
    Ok((entries, last))
}

/// The list of a user.
pub(super) fn of_user(engine: &Engine, subject: &str) -> Partition {
    hashed(engine, "user", subject)
}

/// The list of a client.
pub(super) fn of_client(engine: &Engine, client: &ClientId) -> Partition {
    hashed(engine, "client", client.as_str())
}

const PREFIX: &str = "grant.";

fn entry(partition: &Partition) -> Name {
    #[expect(clippy::expect_used, reason = "a prefix and a partition of 22 characters are a name")]
    Name::new(format!("{PREFIX}{partition}")).expect("an entry is a name")
}

fn hashed(engine: &Engine, purpose: &str, text: &str) -> Partition {
    let hash = engine.vault.keyed_name(purpose, &[text.as_bytes()]);
    #[expect(clippy::expect_used, reason = "43 characters of base64url are a partition")]
    Partition::new(hash).expect("a digest is a partition")
}
