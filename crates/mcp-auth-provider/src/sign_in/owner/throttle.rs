//! How many guesses at the password there may be: counted in the store, because a password is worth guessing at, and any of the
//! servers on one store could be asked.
//!
//! A browser in which the owner signed in before is counted by itself, whatever others do from its address or elsewhere (a
//! "device cookie", as OWASP calls it): nobody can lock the owner out of it.

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

/// Guesses of one address or browser.
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

/// How many at once from one address or browser.
const BURST: u32 = 5;
/// The longest that one of them waits for its next guess.
const SLOWEST: Duration = Duration::from_secs(60);
/// When guesses are forgotten.
const MEMORY: Duration = Duration::from_secs(3600);
/// How many at once from everywhere, and how slow then.
const ALL_BURST: u32 = 100;
const ALL_PACE: Duration = Duration::from_secs(10);
/// How long a browser is known as the owner's.
const KNOWN: Duration = Duration::from_secs(90 * 24 * 3600);
const TRIES: usize = 8;

impl Throttle {
    pub(super) fn new(vault: Vault) -> Self {
        Self { vault }
    }

    /// Counts one more guess, or says how long to wait with it.
    pub(super) async fn take(&self, from: Origin<'_>) -> Result<Option<Duration>, StoreError> {
        let names = self.names(from);
        for _ in 0..TRIES {
            let now = self.vault.now();
            let wanted =
                [names.known.clone(), names.of_browser.clone(), names.of_address.clone(), names.all.clone()];
            let mut found = self.vault.get(&partition(), &wanted).await?.into_iter();
            let known = found.next().flatten().is_some();
            let (of_browser, of_address) = (found.next().flatten(), found.next().flatten());
            let all = found.next().flatten();
            let (name, own) =
                if known { (&names.of_browser, of_browser) } else { (&names.of_address, of_address) };
            let guesses = match count(own.as_ref().map(Opened::json).transpose()?, now) {
                Ok(guesses) => guesses,
                Err(wait) => return Ok(Some(wait)),
            };
            let batch = at(Batch::new(), name, own.as_ref());
            let mut batch = batch.put_json(name.clone(), &guesses, Some(now + MEMORY))?;
            if !known {
                let everybody = match count_all(all.as_ref().map(Opened::json).transpose()?, now) {
                    Ok(everybody) => everybody,
                    Err(wait) => return Ok(Some(wait)),
                };
                batch = at(batch, &names.all, all.as_ref());
                batch = batch.put_json(names.all.clone(), &everybody, Some(now + MEMORY))?;
            }
            if let Committed::Done(_) = self.vault.commit(&partition(), batch).await? {
                return Ok(None);
            }
        }
        // So many at once that this one did not get through.
        Ok(Some(Duration::from_secs(1)))
    }

    /// It was the password: the browser has a clean slate, and is the owner's from now on. At its address this guess does not
    /// count, or an owner of many browsers would wait for no reason; what else was guessed there does, because others may be
    /// there too.
    pub(super) async fn forgive(&self, from: Origin<'_>) -> Result<(), StoreError> {
        let names = self.names(from);
        for _ in 0..TRIES {
            let now = self.vault.now();
            let wanted = [names.known.clone(), names.of_address.clone(), names.all.clone()];
            let mut found = self.vault.get(&partition(), &wanted).await?.into_iter();
            let known = found.next().flatten().is_some();
            let (of_address, all) = (found.next().flatten(), found.next().flatten());
            let mut batch = Batch::new();
            if from.browser.is_some() {
                batch = batch.delete(names.of_browser.clone());
                batch = batch.put_json(names.known.clone(), &(), Some(now + KNOWN))?;
            }
            // A browser that was known before was counted by itself.
            if !known && let (Some(own), Some(everybody)) = (&of_address, &all) {
                let guesses = one_less(own.json()?, now);
                let all = All { arrival: everybody.json::<All>()?.arrival - ALL_PACE };
                batch = at(at(batch, &names.of_address, Some(own)), &names.all, Some(everybody));
                batch = batch.put_json(names.of_address.clone(), &guesses, Some(now + MEMORY))?;
                batch = batch.put_json(names.all.clone(), &all, Some(now + MEMORY))?;
            }
            if batch.operations().is_empty() {
                return Ok(());
            }
            if let Committed::Done(_) = self.vault.commit(&partition(), batch).await? {
                return Ok(());
            }
        }
        // So many at once that this one did not get through: then it counts.
        Ok(())
    }

    fn names(&self, from: Origin<'_>) -> Names {
        let address = from.address.map(address_key).unwrap_or_default();
        let address = self.vault.keyed_name("owner-address", &[address.as_bytes()]);
        let browser = from.browser.unwrap_or_default();
        let browser = self.vault.keyed_name("owner-browser", &[browser.as_bytes()]);
        Names {
            known: name("known.", &browser),
            of_browser: name("browser.", &browser),
            of_address: name("address.", &address),
            all: name("guesses", ""),
        }
    }
}

/// Where a guess comes from.
#[derive(Clone, Copy)]
pub(super) struct Origin<'a> {
    pub(super) address: Option<IpAddr>,
    /// The name of the browser.
    pub(super) browser: Option<&'a str>,
}

struct Names {
    known: Name,
    of_browser: Name,
    of_address: Name,
    all: Name,
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

/// Without the last guess. Whatever pause there was before it is over, since it was made.
fn one_less(guesses: Guesses, now: Timestamp) -> Guesses {
    Guesses { count: guesses.count.saturating_sub(1), next: now }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mcp_auth_testkit::FakeClock;
    use mcp_core::Clock;
    use mcp_store::MemoryStore;

    use super::*;

    async fn throttle() -> (Throttle, FakeClock) {
        let clock = FakeClock::at(Timestamp::from_secs(1_800_000_000));
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let vault = Vault::open(Arc::new(MemoryStore::new()), None, shared).await.unwrap();
        (Throttle::new(vault), clock)
    }

    fn from(address: &str) -> Origin<'static> {
        Origin { address: Some(address.parse().unwrap()), browser: Some("another") }
    }

    // covers: LG02
    #[tokio::test]
    async fn an_address_has_five_and_then_ever_slower() {
        let (throttle, clock) = throttle().await;
        for _ in 0..BURST {
            assert_eq!(throttle.take(from("192.0.2.1")).await.unwrap(), None);
        }
        let mut waits = Vec::new();
        for _ in 0..9 {
            let wait = throttle.take(from("192.0.2.1")).await.unwrap().unwrap();
            waits.push(wait.as_secs());
            // Asking while it has to wait makes nothing worse.
            assert_eq!(throttle.take(from("192.0.2.1")).await.unwrap(), Some(wait));
            clock.advance(wait);
            assert_eq!(throttle.take(from("192.0.2.1")).await.unwrap(), None);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(throttle.take(from("192.0.2.2")).await.unwrap(), None);
        clock.advance(MEMORY);
        for _ in 0..BURST {
            assert_eq!(throttle.take(from("192.0.2.1")).await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn what_was_right_is_no_guess_and_what_was_wrong_stays_one() {
        let (throttle, _clock) = throttle().await;
        let browsers: Vec<String> = (0..3 * ALL_BURST).map(|n| format!("browser {n}")).collect();
        for browser in &browsers {
            let owner = Origin { browser: Some(browser), ..from("192.0.2.1") };
            assert_eq!(throttle.take(owner).await.unwrap(), None, "{browser}");
            throttle.forgive(owner).await.unwrap();
        }
        for _ in 0..BURST {
            assert_eq!(throttle.take(from("192.0.2.1")).await.unwrap(), None);
        }
        assert!(throttle.take(from("192.0.2.1")).await.unwrap().is_some());
        // The owner, in a browser known before, gives those who guess at the same address nothing back.
        let known = Origin { browser: Some(&browsers[0]), ..from("192.0.2.1") };
        assert_eq!(throttle.take(known).await.unwrap(), None);
        throttle.forgive(known).await.unwrap();
        assert!(throttle.take(from("192.0.2.1")).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn everybody_together_has_a_hundred_and_the_owner_is_not_held_up() {
        let (throttle, clock) = throttle().await;
        let owner = Origin { browser: Some("owner"), ..from("192.0.2.250") };
        throttle.forgive(owner).await.unwrap();
        for n in 0..ALL_BURST {
            assert_eq!(throttle.take(from(&format!("192.0.2.{}", n % 200))).await.unwrap(), None, "{n}");
        }
        assert_eq!(throttle.take(from("198.51.100.1")).await.unwrap(), Some(ALL_PACE));
        let same_address = Origin { browser: Some("owner"), ..from("192.0.2.1") };
        assert_eq!(throttle.take(owner).await.unwrap(), None);
        assert_eq!(throttle.take(same_address).await.unwrap(), None);
        clock.advance(ALL_PACE);
        assert_eq!(throttle.take(from("198.51.100.1")).await.unwrap(), None);
        // A clock that is set back by a year holds nobody up for longer than ever.
        clock.set(clock.now() - Duration::from_secs(365 * 24 * 3600));
        assert!(throttle.take(from("198.51.100.2")).await.unwrap().is_none_or(|wait| wait <= ALL_PACE));
    }

    #[tokio::test]
    async fn a_thousand_guesses_at_once_are_a_thousand() {
        let (throttle, _clock) = throttle().await;
        let throttle = Arc::new(throttle);
        let guesses: Vec<_> = (0..64)
            .map(|_| {
                let throttle = throttle.clone();
                tokio::spawn(async move { throttle.take(from("192.0.2.1")).await.unwrap().is_none() })
            })
            .collect();
        let mut passed = 0;
        for guess in guesses {
            passed += u32::from(guess.await.unwrap());
        }
        assert!((1..=BURST).contains(&passed), "{passed}");
    }
}
