//! Clients that registered themselves, in the store.
//!
//! An identifier is `mcp_c_` and the partition of its one record, `client`. That partition is random, or, for public clients
//! without a management token, made of their metadata: so that all who register the same are one client, on every node and
//! without a race (attacks choice 10). The record is there until nobody has used it for a while.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64ct::{Base64UrlUnpadded, Encoding};
use mcp_core::{ClientId, Timestamp};
use mcp_store::{Batch, Committed, Name, Opened, Partition, Revision, StoreError};
use serde::{Deserialize, Serialize};

use super::Client;
use crate::engine::Engine;

const PREFIX: &str = "mcp_c_";
/// How often using a client writes that it is in use.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What is stored of a client.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StoredClient {
    pub(crate) client: Client,
    /// What it wants to ask for, to be echoed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) scope: Option<String>,
    /// The SHA-256 of its registration access token (RFC 7592 §3), as the name a token's record would have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) manage: Option<String>,
    /// Whether it is being deleted: it is nobody any more, but its grants may still have to end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) deleted: bool,
}

/// A record as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    pub(crate) partition: Partition,
    pub(crate) revision: Revision,
    pub(crate) expires_at: Option<Timestamp>,
}

/// A new identifier that nobody can guess.
pub(crate) fn random() -> (ClientId, Partition) {
    let partition = Partition::random();
    (id_of(&partition), partition)
}

/// The identifier that belongs to metadata.
pub(crate) fn shared(engine: &Engine, fingerprint: &[u8]) -> (ClientId, Partition) {
    let name = engine.vault.keyed_name("registered client", &[fingerprint]);
    #[expect(clippy::expect_used, reason = "43 characters of base64url are a partition")]
    let partition = Partition::new(name).expect("a digest is a partition");
    (id_of(&partition), partition)
}

fn id_of(partition: &Partition) -> ClientId {
    ClientId::from(format!("{PREFIX}{partition}"))
}

/// Where the record of an identifier would be; `None` if it is none of ours.
pub(crate) fn place(id: &str) -> Option<Partition> {
    let text = id.strip_prefix(PREFIX)?;
    let well_formed = matches!(text.len(), 22 | 43)
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    well_formed.then(|| Partition::new(text).ok()).flatten()
}

/// Reads a client, unless it is being deleted.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn load(engine: &Engine, id: &str) -> Result<Option<(StoredClient, Lease)>, StoreError> {
    let Some(partition) = place(id) else { return Ok(None) };
    Ok(load_any(engine, &partition).await?.filter(|(record, _)| !record.deleted))
}

/// Reads a client, also one that is being deleted.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn load_any(
    engine: &Engine,
    partition: &Partition,
) -> Result<Option<(StoredClient, Lease)>, StoreError> {
    let Some(found) = engine.vault.get_one(partition, &name()).await? else { return Ok(None) };
    let record: StoredClient = found.json()?;
    Ok(Some((record, lease(partition, &found))))
}

/// Writes a client that was not there. `false` if it is there by now.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn create(
    engine: &Engine,
    partition: &Partition,
    record: &StoredClient,
    unused_for: Duration,
) -> Result<bool, StoreError> {
    let batch = Batch::new().require_absent(name());
    let batch = batch.put_json(name(), record, Some(end(engine, unused_for)))?;
    Ok(matches!(engine.vault.commit(partition, batch).await?, Committed::Done(_)))
}

/// Writes a client anew, if it is still as it was read.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn replace(
    engine: &Engine,
    lease: &Lease,
    record: &StoredClient,
    expires_at: Option<Timestamp>,
) -> Result<bool, StoreError> {
    let batch = Batch::new().require(name(), lease.revision).put_json(name(), record, expires_at)?;
    Ok(matches!(engine.vault.commit(&lease.partition, batch).await?, Committed::Done(_)))
}

/// Deletes the record of a client.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn delete(engine: &Engine, partition: &Partition) -> Result<(), StoreError> {
    engine.vault.commit(partition, Batch::new().delete(name())).await.map(drop)
}

/// Keeps a client that is in use: writes once a day that it is. Where that fails, the next use does it.
pub(crate) async fn keep(engine: &Engine, client: &Client, lease: &Lease, unused_for: Duration) {
    let due = end(engine, unused_for) - DAY;
    if lease.expires_at.is_none_or(|at| at > due) {
        return;
    }
    let kept = async {
        let Some((record, lease)) = load(engine, client.id.as_str()).await? else { return Ok(false) };
        replace(engine, &lease, &record, Some(end(engine, unused_for))).await
    };
    if let Err(error) = kept.await as Result<bool, StoreError> {
        tracing::debug!(error = %error, "a client's registration was not extended");
    }
}

/// When a client that nobody uses from now on is forgotten: never before its last refresh token.
pub(crate) fn end(engine: &Engine, unused_for: Duration) -> Timestamp {
    engine.now() + unused_for.max(engine.lifetimes.refresh_idle + DAY)
}

/// SHA-256 of a secret.
pub(crate) fn hash(secret: &str) -> Vec<u8> {
    digest(&SHA256, secret.as_bytes()).as_ref().to_vec()
}

/// The identifier of a text that is too long or odd to be printed.
pub(crate) fn short(id: &str) -> String {
    if id.len() <= 200 && !id.contains(char::is_control) {
        return id.to_owned();
    }
    Base64UrlUnpadded::encode_string(&hash(id))
}

fn lease(partition: &Partition, found: &Opened) -> Lease {
    Lease { partition: partition.clone(), revision: found.revision(), expires_at: found.expires_at() }
}

fn name() -> Name {
    #[expect(clippy::expect_used, reason = "a short word is a name")]
    Name::new("client").expect("a word is a name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_lead_to_their_partition_and_others_nowhere() {
        let (id, partition) = random();
        assert_eq!(place(id.as_str()), Some(partition));
        // AUTH-88: never taken for the URL of a metadata document.
        assert!(!id.as_str().starts_with("http"));
        let long = format!("{PREFIX}{}", "a".repeat(44));
        for other in
            ["", "mcp_c_", "mcp_c_vault", "mcp_c_../../../../../../x", "https://c.test/x.json", &long]
        {
            assert_eq!(place(other), None, "{other}");
        }
    }
}
