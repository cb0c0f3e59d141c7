//! How often somebody may be wrong about a user code (RFC 8628 §5.1; attack DV05). Counted in the store, for all nodes together.
//!
//! | wrong codes | how many within the lifetime of a code |
//! |---|---|
//! | of 8 letters, from everywhere | 5 |
//! | of 12 letters, from everywhere | 400,000 (in one window; so fewer than 800,000 in any) |
//! | in one browser; by one account that stayed signed in; else from one address | 10 each |
//!
//! There are 20⁸ codes of 8 letters. While one of them lives, 5 others can be tried: the chance that it is hit is 5 / 20⁸, which
//! is less than 2⁻³². Of 12 letters there are 20¹², and 800,000 / 20¹² is less than 2⁻³² as well.
//!
//! Five in all could be used up by anybody, so that nobody else could type a code. That is why there are the long ones: from the third
//! wrong code on, and until the first of these is forgotten, every new code has 12 letters. Who guesses costs others four
//! letters of typing, and those whose short code was made before a new start.
//!
//! A guess is counted before it is looked at and taken back when it was right: however many come at once, no more are looked at
//! than may be.

use std::net::IpAddr;
use std::time::Duration;

use mcp_core::Timestamp;
use mcp_store::{Batch, Committed, Name, Opened, Partition, StoreError};
use serde::{Deserialize, Serialize};

use super::UserCode;
use crate::browser::address_key;
use crate::engine::Engine;

pub(super) const SHORT: usize = 5;
pub(super) const LONG: u32 = 400_000;
const EACH: usize = 10;
/// From how many wrong short codes on new codes are long.
const PRESSED: usize = 3;
const TRIES: usize = 32;

/// Where a guess comes from, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Origin<'a> {
    pub(crate) address: Option<IpAddr>,
    /// The secret of the browser.
    pub(crate) browser: Option<&'a str>,
    /// Who is signed in there.
    pub(crate) account: Option<&'a str>,
}

/// A guess that may be looked at, and is counted as wrong.
#[must_use = "a right guess has to be taken back"]
pub(crate) struct Guess {
    at: u64,
    lists: Vec<Name>,
}

/// Why a guess is not looked at.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Too many of this origin were wrong.
    Here(Duration),
    /// Too many were, from everywhere: a new code would be looked at.
    Everywhere(Duration),
}

/// The moments of wrong guesses, in milliseconds.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Wrong(Vec<u64>);

/// A count that begins anew when its time is over.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Count {
    since: u64,
    count: u32,
}

/// Counts a guess, if it may be looked at.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn guess(
    engine: &Engine,
    code: &UserCode,
    origin: Origin<'_>,
) -> Result<Result<Guess, Refused>, StoreError> {
    let span = engine.lifetimes.device;
    let mut lists = origin.names(engine);
    if !code.is_long() {
        lists.push(name("short", ""));
    }
    for _ in 0..TRIES {
        let now = engine.now();
        let mut wanted = lists.clone();
        wanted.push(name("long", ""));
        let mut found = engine.vault.get(&partition(), &wanted).await?;
        let long = found.pop().flatten();
        let mut batch = Batch::new();
        for (list, record) in lists.iter().zip(&found) {
            let mut wrong = Wrong::of(record.as_ref(), now, span)?;
            let all = *list == name("short", "");
            if wrong.0.len() >= if all { SHORT } else { EACH } {
                let wait = wrong.wait(now, span);
                return Ok(Err(if all { Refused::Everywhere(wait) } else { Refused::Here(wait) }));
            }
            wrong.0.push(now.as_millis());
            batch = put(batch, list, record.as_ref(), &wrong, now + span)?;
        }
        if code.is_long() {
            let count = Count::of(long.as_ref(), now, span)?;
            if count.count >= LONG {
                let end = Timestamp::from_millis(count.since) + span;
                return Ok(Err(Refused::Everywhere(end.since(now))));
            }
            let count = Count { count: count.count + 1, ..count };
            batch = put(batch, &name("long", ""), long.as_ref(), &count, now + span)?;
        }
        if let Committed::Done(_) = engine.vault.commit(&partition(), batch).await? {
            return Ok(Ok(Guess { at: now.as_millis(), lists }));
        }
    }
    // So many at once that this one did not get through.
    Ok(Err(Refused::Here(Duration::from_secs(1))))
}

impl Guess {
    /// It was right: it does not count.
    ///
    /// # Errors
    /// When the store does not answer; then it counts.
    pub(crate) async fn was_right(self, engine: &Engine) -> Result<(), StoreError> {
        let span = engine.lifetimes.device;
        for _ in 0..TRIES {
            let now = engine.now();
            let found = engine.vault.get(&partition(), &self.lists).await?;
            let mut batch = Batch::new();
            for (list, record) in self.lists.iter().zip(&found) {
                let mut wrong = Wrong::of(record.as_ref(), now, span)?;
                if let Some(own) = wrong.0.iter().position(|at| *at == self.at) {
                    wrong.0.remove(own);
                    batch = put(batch, list, record.as_ref(), &wrong, now + span)?;
                }
            }
            if let Committed::Done(_) = engine.vault.commit(&partition(), batch).await? {
                break;
            }
        }
        Ok(())
    }
}

/// Whether somebody guesses: then new codes are long.
///
/// # Errors
/// When the store does not answer.
pub(super) async fn is_pressed(engine: &Engine) -> Result<bool, StoreError> {
    let found = engine.vault.get_one(&partition(), &name("short", "")).await?;
    Ok(Wrong::of(found.as_ref(), engine.now(), engine.lifetimes.device)?.0.len() >= PRESSED)
}

impl Origin<'_> {
    fn names(self, engine: &Engine) -> Vec<Name> {
        // Whoever is signed in has a name of his own, and is not held up by others at the same address.
        let address = self.account.is_none();
        let address = address.then(|| self.address.map_or_else(|| "unknown".to_owned(), address_key));
        let parts =
            [("address.", address.as_deref()), ("browser.", self.browser), ("account.", self.account)];
        let known = parts.into_iter().filter_map(|(prefix, who)| Some((prefix, who?)));
        known
            .map(|(prefix, who)| {
                name(
                    prefix,
                    &engine.vault.keyed_name("user-code-guesses", &[prefix.as_bytes(), who.as_bytes()]),
                )
            })
            .collect()
    }
}

impl Wrong {
    /// Those that are not forgotten. What a clock that was wrong for a time dated far ahead is.
    fn of(record: Option<&Opened>, now: Timestamp, span: Duration) -> Result<Self, StoreError> {
        let wrong: Self = record.map(Opened::json).transpose()?.unwrap_or_default();
        let is_near = |at: &u64| {
            let at = Timestamp::from_millis(*at);
            now.since(at) < span && at < now + span
        };
        Ok(Self(wrong.0.into_iter().filter(is_near).collect()))
    }

    /// Until the first is forgotten.
    fn wait(&self, now: Timestamp, span: Duration) -> Duration {
        let first = self.0.iter().min().copied().map(Timestamp::from_millis);
        first.map_or(Duration::ZERO, |first| (first + span).since(now)).max(Duration::from_secs(1))
    }
}

impl Count {
    fn of(record: Option<&Opened>, now: Timestamp, span: Duration) -> Result<Self, StoreError> {
        let count: Self = record.map(Opened::json).transpose()?.unwrap_or_default();
        let since = Timestamp::from_millis(count.since);
        let is_current = now.since(since) < span && since < now + span;
        Ok(if is_current { count } else { Self { since: now.as_millis(), count: 0 } })
    }
}

fn put(
    batch: Batch,
    name: &Name,
    found: Option<&Opened>,
    value: &impl Serialize,
    until: Timestamp,
) -> Result<Batch, StoreError> {
    let batch = match found {
        Some(found) => batch.require(name.clone(), found.revision()),
        None => batch.require_absent(name.clone()),
    };
    batch.put_json(name.clone(), value, Some(until))
}

fn partition() -> Partition {
    #[expect(clippy::expect_used, reason = "a word is a partition")]
    Partition::new("user-code-guesses").expect("a word is a partition")
}

fn name(prefix: &str, key: &str) -> Name {
    #[expect(clippy::expect_used, reason = "a short word and a digest are a name")]
    Name::new(format!("{prefix}{key}")).expect("a digest is a name")
}
