//! How many guesses at the password there may be: counted in the store, because a password is worth guessing at, and any of the
//! servers on one store could be asked.

use std::net::IpAddr;
use std::time::Duration;

use mcp_core::Timestamp;
use mcp_store::{Batch, Committed, Name, Opened, StoreError, Vault};
use serde::{Deserialize, Serialize};

use crate::as_text;
use crate::browser::address_key;

use super::password::partition;

/// Counts guesses.
pub(super) struct Throttle {
    vault: Vault,
}

/// Guesses of one address.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Guesses {
    count: u32,
    #[serde(with = "as_text::millis")]
    next: Timestamp,
}

/// Guesses of everybody: when all of them would have been made at the pace that is allowed.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct All {
    #[serde(with = "as_text::millis")]
    arrival: Timestamp,
}

/// How many at once from one address.
const BURST: u32 = 5;
/// The longest that one address waits for its next guess.
const SLOWEST: Duration = Duration::from_secs(60);
/// When guesses of an address are forgotten.
const MEMORY: Duration = Duration::from_secs(3600);
/// How many at once from everywhere, and how slow then.
const ALL_BURST: u32 = 100;
const ALL_PACE: Duration = Duration::from_secs(10);
/// How long an address is known as the owner's.
const KNOWN: Duration = Duration::from_secs(90 * 24 * 3600);
const TRIES: usize = 8;

impl Throttle {
    pub(super) fn new(vault: Vault) -> Self {
        Self { vault }
    }

    /// Counts one more guess, or says how long to wait with it.
    pub(super) async fn take(&self, address: Option<IpAddr>) -> Result<Option<Duration>, StoreError> {
        let names = self.names(address);
        for _ in 0..TRIES {
            let now = self.vault.now();
            let wanted = [names.own.clone(), names.all.clone(), names.good.clone()];
            let mut found = self.vault.get(&partition(), &wanted).await?.into_iter();
            let (own, all) = (found.next().flatten(), found.next().flatten());
            let known = found.next().flatten().is_some();
            let mine = own.as_ref().map(Opened::json::<Guesses>).transpose()?;
            let mine = match count(mine, now) {
                Ok(mine) => mine,
                Err(wait) => return Ok(Some(wait)),
            };
            let everybody = all.as_ref().map(Opened::json::<All>).transpose()?;
            let everybody = match count_all(everybody, now) {
                Ok(everybody) => Some(everybody),
                Err(_) if known => None,
                Err(wait) => return Ok(Some(wait)),
            };
            let batch = at(Batch::new(), &names.own, own.as_ref());
            let mut batch = batch.put_json(names.own.clone(), &mine, Some(now + MEMORY))?;
            if let Some(everybody) = everybody {
                batch = at(batch, &names.all, all.as_ref());
                batch = batch.put_json(names.all.clone(), &everybody, Some(now + MEMORY))?;
            }
            if let Committed::Done(_) = self.vault.commit(&partition(), batch).await? {
                return Ok(None);
            }
        }
        // So many at once that none gets through.
        Ok(Some(Duration::from_secs(1)))
    }

    /// It was the password: the address has a clean slate, and is the owner's.
    pub(super) async fn forgive(&self, address: Option<IpAddr>) -> Result<(), StoreError> {
        let names = self.names(address);
        let mut batch = Batch::new().delete(names.own);
        if address.is_some() {
            batch = batch.put_json(names.good, &(), Some(self.vault.now() + KNOWN))?;
        }
        let _ = self.vault.commit(&partition(), batch).await?;
        Ok(())
    }

    fn names(&self, address: Option<IpAddr>) -> Names {
        let key = address.map(address_key).unwrap_or_default();
        let key = self.vault.keyed_name("owner-address", &[key.as_bytes()]);
        Names { own: name("guess.", &key), all: name("guesses", ""), good: name("good.", &key) }
    }
}

struct Names {
    own: Name,
    all: Name,
    good: Name,
}

fn count(guesses: Option<Guesses>, now: Timestamp) -> Result<Guesses, Duration> {
    let Some(guesses) = guesses else { return Ok(Guesses { count: 1, next: now }) };
    // A clock that was set back must not lock anybody out.
    let wait = guesses.next.since(now).min(SLOWEST);
    if !wait.is_zero() {
        return Err(wait);
    }
    let count = guesses.count.saturating_add(1);
    let pause = match count.checked_sub(BURST) {
        None => Duration::ZERO,
        Some(over) => Duration::from_secs(1u64.checked_shl(over.min(32)).unwrap_or(u64::MAX)).min(SLOWEST),
    };
    Ok(Guesses { count, next: now + pause })
}

fn count_all(all: Option<All>, now: Timestamp) -> Result<All, Duration> {
    let most = ALL_PACE * ALL_BURST;
    let arrival = all.map_or(now, |all| all.arrival.max(now).min(now + most));
    let ahead = arrival.since(now);
    if ahead + ALL_PACE > most {
        return Err(ahead + ALL_PACE - most);
    }
    Ok(All { arrival: arrival + ALL_PACE })
}

fn at(batch: Batch, name: &Name, found: Option<&Opened>) -> Batch {
    match found {
        Some(found) => batch.require(name.clone(), found.revision()),
        None => batch.require_absent(name.clone()),
    }
}

fn name(prefix: &str, key: &str) -> Name {
    #[expect(clippy::expect_used, reason = "a short word and a digest are a name")]
    Name::new(format!("{prefix}{key}")).expect("a digest is a name")
}
