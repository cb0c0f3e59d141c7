//! Which grants a user and a client have. What spans partitions cannot be one commit: entries are claims, written before the
//! grant and believed only together with it.

use mcp_core::ClientId;
use mcp_store::{Batch, Name, Partition, StoreError};
use serde::{Deserialize, Serialize};

use crate::engine::Engine;

use super::record::GrantRecord;

/// An entry of a list: says nothing that its name does not.
#[derive(Serialize, Deserialize)]
struct Claim {}

/// How many grants one page of a list has.
const PAGE: usize = 200;

/// Adds a grant to the lists of its user and of its client.
pub(super) async fn add(
    engine: &Engine,
    grant: &GrantRecord,
    partition: &Partition,
) -> Result<(), StoreError> {
    for list in [of_user(engine, &grant.subject), of_client(engine, &grant.client)] {
        let batch = Batch::new().put_json(entry(partition), &Claim {}, Some(grant.expires_at))?;
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
    let entries = engine.vault.scan(list, PREFIX, after, PAGE).await?;
    let last = (entries.len() == PAGE).then(|| entries.last().map(|(name, _)| name.clone())).flatten();
    let partitions = entries.iter().filter_map(|(name, _)| {
        let text = name.as_str().strip_prefix(PREFIX)?;
        Partition::new(text).ok()
    });
    Ok((partitions.collect(), last))
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
