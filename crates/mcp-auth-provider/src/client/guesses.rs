//! Guesses at secrets, counted so that guessing is slow and the right client is never locked out by strangers.
//!
//! Secrets have 256 bits and cannot be guessed; a client that tries an old one again and again can. Two counts:
//!
//! | | where | how many |
//! |---|---|---|
//! | failures of one address | in memory | 300 a minute |
//! | failures at one client from one address | in the store, for all nodes | 10, then one every 5 s, forgotten after 10 minutes |
//!
//! A secret that proved right here before is not held up by either, so who shares its address with a guesser goes on.

use std::net::IpAddr;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use mcp_core::limits::{Limits, Rate, Verdict};
use mcp_store::{Batch, Committed, Name, Partition, StoreError};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};

use super::quota::block;
use crate::engine::Engine;

/// How many failures are free.
const FREE: u32 = 10;
/// How long after that one more try is looked at.
const PAUSE: Duration = Duration::from_secs(5);
/// How long a failure is remembered.
const MEMORY: Duration = Duration::from_secs(600);
/// How many addresses, and how many right secrets, are remembered.
const ROOM: usize = 4096;
/// How often counting is tried while others count too.
const ATTEMPTS: usize = 4;

/// Counts failures.
#[derive(Debug)]
pub(super) struct Guesses {
    addresses: Limits,
    right: Cache<[u8; 32], ()>,
}

/// One try.
#[derive(Debug)]
pub(super) struct Try<'a> {
    digest: [u8; 32],
    address: Option<IpAddr>,
    id: &'a str,
}

/// Why a try is not looked at.
#[derive(Debug)]
pub(super) enum Held {
    /// Too many before it.
    For(Duration),
    /// Nobody can tell.
    Store(StoreError),
}

#[derive(Default, Serialize, Deserialize)]
struct Failures {
    count: u32,
    /// When the last try was looked at, in milliseconds.
    last: u64,
}

impl Guesses {
    pub(super) fn new() -> Self {
        let addresses = Limits::new()
            .capacity(ROOM)
            .failures_per_address(Rate::per_minute(300))
            .failures_per_credential(Rate::per_minute(60));
        Self { addresses, right: Cache::new(ROOM) }
    }

    /// What one address may do wrong, in whatever way it tries.
    pub(super) fn addresses(&self) -> &Limits {
        &self.addresses
    }

    /// Whether this try may be looked at.
    pub(super) async fn admit<'a>(
        &self,
        engine: &Engine,
        id: &'a str,
        secret: &str,
        address: Option<IpAddr>,
    ) -> Result<Try<'a>, Held> {
        let attempt = Try::new(id, secret, address);
        if self.right.get(&attempt.digest).is_some() {
            return Ok(attempt);
        }
        if let Verdict::KnownBad(wait) | Verdict::Suspicious(wait) =
            self.addresses.check(engine.now(), address, &attempt.digest)
        {
            return Err(Held::For(wait));
        }
        let now = engine.now();
        let (partition, name) = &attempt.place(engine);
        let found = engine.vault.get_one(partition, name).await.map_err(Held::Store)?;
        let Some(found) = found else { return Ok(attempt) };
        let failures: Failures = found.json().map_err(Held::Store)?;
        if failures.count < FREE {
            return Ok(attempt);
        }
        let since = now.since(mcp_core::Timestamp::from_millis(failures.last));
        if since < PAUSE {
            return Err(Held::For(PAUSE.saturating_sub(since)));
        }
        // One try takes the turn; those that come at the same moment have to wait for the next.
        let turn = Failures { last: now.as_millis(), ..failures };
        let batch = Batch::new()
            .require(name.clone(), found.revision())
            .put_json(name.clone(), &turn, found.expires_at())
            .map_err(Held::Store)?;
        match engine.vault.commit(partition, batch).await.map_err(Held::Store)? {
            Committed::Done(_) => Ok(attempt),
            _ => Err(Held::For(PAUSE)),
        }
    }

    /// The try was right.
    pub(super) fn succeeded(&self, attempt: &Try<'_>) {
        self.right.insert(attempt.digest, ());
    }

    /// The try was wrong. Written before the answer goes out, whoever there is or is not by that name: so a wrong secret takes
    /// as long as an unknown client (attack TK06).
    pub(super) async fn failed(&self, engine: &Engine, attempt: &Try<'_>) -> Result<(), StoreError> {
        let now = engine.now();
        self.right.remove(&attempt.digest);
        self.addresses.failed(now, attempt.address, &attempt.digest);
        let (partition, name) = &attempt.place(engine);
        for _ in 0..ATTEMPTS {
            let found = engine.vault.get_one(partition, name).await?;
            let (failures, batch) = match &found {
                None => (Failures::default(), Batch::new().require_absent(name.clone())),
                Some(record) => (record.json()?, Batch::new().require(name.clone(), record.revision())),
            };
            let counted = Failures { count: failures.count.saturating_add(1), last: now.as_millis() };
            let batch = batch.put_json(name.clone(), &counted, Some(now + MEMORY))?;
            if matches!(engine.vault.commit(partition, batch).await?, Committed::Done(_)) {
                break;
            }
        }
        Ok(())
    }
}

impl<'a> Try<'a> {
    fn new(id: &'a str, secret: &str, address: Option<IpAddr>) -> Self {
        let mut hash = Context::new(&SHA256);
        hash.update(&id.len().to_be_bytes());
        hash.update(id.as_bytes());
        hash.update(secret.as_bytes());
        let mut digest = [0; 32];
        digest.copy_from_slice(hash.finish().as_ref());
        Self { digest, address, id }
    }

    /// Where its failures are counted. Not asked for a secret that was right before, which is nearly always.
    fn place(&self, engine: &Engine) -> (Partition, Name) {
        let from = self.address.map_or_else(String::new, |address| block(address).to_string());
        let partition = engine.vault.keyed_name("guesses", &[self.id.as_bytes(), from.as_bytes()]);
        #[expect(clippy::expect_used, reason = "43 characters of base64url, and a short word, are keys")]
        (
            Partition::new(partition).expect("a digest is a partition"),
            Name::new("failures").expect("a word is a name"),
        )
    }
}
