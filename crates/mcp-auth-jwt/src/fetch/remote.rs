//! The keys of an issuer, kept fresh.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use mcp_core::audit::{Audit, AuditEvent, EventKind, Outcome};
use mcp_core::{AuthError, Clock, ConfigError, Issuer, SiteContext, Timestamp};
use quick_cache::sync::Cache;
use tokio::sync::Mutex;
use tokio::task::AbortHandle;

use super::bucket::Bucket;
use super::download::{Download, DownloadError, Origin};
use crate::jws::Signed;
use crate::key_source::{bad_signature, unknown_key};
use crate::keys::{Fingerprint, KeySet, Verdict};
use crate::rules::Rules;
use crate::{Algorithm, TrustedIssuer};

/// The keys of an issuer, and the task that refreshes them. Dropping it ends the task.
pub(crate) struct RemoteKeys {
    shared: Arc<Shared>,
    task: OnceLock<AbortOnDrop>,
}

struct Shared {
    issuer: Issuer,
    algorithms: Vec<Algorithm>,
    origin: Origin,
    stale_for: Duration,
    clock: Arc<dyn Clock>,
    audit: Audit,
    /// What readers see; they never wait for a fetch.
    snapshot: ArcSwapOption<Snapshot>,
    /// Held while fetching: one fetch at a time.
    flight: Mutex<Flight>,
    /// How many fetches have brought keys.
    brought: AtomicU64,
    /// When the next scheduled fetch is due, in milliseconds since the epoch.
    next_at: AtomicU64,
    /// Which key ids were not there when last fetched for, and when that was.
    missing: Cache<Box<str>, Timestamp>,
}

struct Snapshot {
    keys: KeySet,
    /// Counts changes of the keys, so that tokens verified by others are verified again.
    edition: u64,
    fetched_at: Timestamp,
    /// The hard end: what is older verifies nothing.
    until: Timestamp,
}

struct Flight {
    keys_url: Option<String>,
    failures: u32,
    /// After a failure: not before this.
    retry_at: Option<Timestamp>,
    for_strangers: Bucket,
}

/// Why a request wants a fetch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    /// Its key is not among those we have.
    UnknownKey,
    /// We have none.
    NoKeys,
}

/// What came of it.
enum Answer {
    Fetched,
    /// Nothing can be said before that time has passed.
    Wait(Duration),
}

impl RemoteKeys {
    pub(crate) fn new(
        issuer: &TrustedIssuer,
        rules: &Rules,
        client: Arc<dyn mcp_outbound::HttpClient>,
        site: &SiteContext,
    ) -> Result<Self, ConfigError> {
        if issuer.stale_keys > MAX_STALE {
            return Err(ConfigError::new(format!(
                "the issuer {:?} may not be unreachable for more than 7 days: keys it withdrew would be used as long; \
                 lower stale_keys_for()",
                rules.issuer.as_str()
            )));
        }
        let shared = Shared {
            issuer: rules.issuer.clone(),
            algorithms: rules.algorithms.clone(),
            origin: Origin::new(&rules.issuer, &issuer.source, client)?,
            stale_for: issuer.stale_keys,
            clock: Arc::clone(site.clock()),
            audit: site.audit().clone(),
            snapshot: ArcSwapOption::empty(),
            flight: Mutex::new(Flight {
                keys_url: None,
                failures: 0,
                retry_at: None,
                for_strangers: Bucket::new(STRANGERS_AT_ONCE, STRANGERS_EVERY),
            }),
            brought: AtomicU64::new(0),
            next_at: AtomicU64::new(0),
            missing: Cache::new(MISSING_KEYS),
        };
        Ok(Self { shared: Arc::new(shared), task: OnceLock::new() })
    }

    /// Fetches for the first time and keeps refreshing. An issuer that cannot be reached is waited for; one that answers
    /// wrongly is an error.
    pub(crate) fn start(&self) -> impl Future<Output = Result<(), ConfigError>> + '_ {
        let shared = Arc::clone(&self.shared);
        // Spawned, so that several issuers are asked at a time.
        let first = tokio::spawn(async move {
            let mut flight = shared.flight.lock().await;
            shared.fetch(&mut flight).await
        });
        async move {
            match first.await {
                Ok(Err(error)) if error.wrong => return Err(ConfigError::new(error.to_string())),
                Ok(_) => {}
                Err(error) => return Err(ConfigError::new("fetching keys was interrupted").because(error)),
            }
            self.task.get_or_init(|| {
                let task = tokio::spawn(Shared::keep_fresh(Arc::downgrade(&self.shared)));
                AbortOnDrop(task.abort_handle())
            });
            Ok(())
        }
    }

    /// Which edition of the keys is in use; none if there are none, or only too old ones.
    pub(crate) fn edition(&self, now: Timestamp) -> Option<u64> {
        let snapshot = self.shared.snapshot.load();
        snapshot.as_ref().filter(|snapshot| now < snapshot.until).map(|snapshot| snapshot.edition)
    }

    /// How many keys are in use.
    pub(crate) fn count(&self) -> usize {
        self.shared.snapshot.load().as_ref().map_or(0, |snapshot| snapshot.keys.len())
    }

    /// Whether a key is still among the issuer's.
    pub(crate) fn still_has(&self, key: &Fingerprint, now: Timestamp) -> Result<bool, AuthError> {
        match self.shared.snapshot.load().as_ref() {
            Some(snapshot) if now < snapshot.until => Ok(snapshot.keys.has(key)),
            _ => Err(unavailable(RETRY_FIRST)),
        }
    }

    /// Checks a token's signature, fetching keys where that may help (attacks choice 11).
    pub(crate) async fn verify(
        &self,
        token: &Signed<'_>,
        now: Timestamp,
    ) -> Result<(Fingerprint, u64), AuthError> {
        let shared = &self.shared;
        // Read before the keys are, so that a fetch that ends in between counts as one that was waited for.
        let seen = shared.brought.load(Ordering::Acquire);
        let why = match shared.look(token, now) {
            Some((Verdict::Good(key), edition)) => return Ok((key, edition)),
            Some((Verdict::Bad, _)) => return Err(bad_signature()),
            Some((Verdict::Unknown, _)) if shared.is_missing(token, now) => return Err(unknown_key()),
            Some((Verdict::Unknown, _)) => Why::UnknownKey,
            None => Why::NoKeys,
        };
        // Spawned, so that a peer that goes away neither breaks off a fetch others wait for nor wastes one.
        match tokio::spawn(Arc::clone(shared).fetch_for(why, seen)).await {
            Ok(Answer::Fetched) => {}
            Ok(Answer::Wait(wait)) => return Err(unavailable(wait)),
            Err(_) => return Err(unavailable(RETRY_FIRST)),
        }
        let now = shared.clock.now();
        match shared.look(token, now) {
            Some((Verdict::Good(key), edition)) => Ok((key, edition)),
            Some((Verdict::Bad, _)) => Err(bad_signature()),
            Some((Verdict::Unknown, _)) => {
                shared.missing.insert(name(token).into(), now);
                Err(unknown_key())
            }
            None => Err(unavailable(RETRY_FIRST)),
        }
    }
}

impl Shared {
    fn look(&self, token: &Signed<'_>, now: Timestamp) -> Option<(Verdict, u64)> {
        let snapshot = self.snapshot.load();
        let snapshot = snapshot.as_ref().filter(|snapshot| now < snapshot.until)?;
        let verdict =
            snapshot.keys.verify(token.algorithm, token.key_id.as_deref(), token.message, &token.signature);
        Some((verdict, snapshot.edition))
    }

    /// Whether the key was fetched for a moment ago and was not there. Asked only of keys that are not among those we
    /// have, so a key that any other fetch brings in the meantime is used at once.
    fn is_missing(&self, token: &Signed<'_>, now: Timestamp) -> bool {
        self.missing.get(name(token)).is_some_and(|at| now.since(at) < MISSING_FOR)
    }

    /// Fetches unless somebody brought keys since `seen`, and within what strangers may cause.
    async fn fetch_for(self: Arc<Self>, why: Why, seen: u64) -> Answer {
        let mut flight = self.flight.lock().await;
        let now = self.clock.now();
        if let Some(wait) = flight.pause(now) {
            return Answer::Wait(wait);
        }
        if self.brought.load(Ordering::Acquire) != seen {
            return Answer::Fetched;
        }
        if why == Why::UnknownKey
            && let Err(wait) = flight.for_strangers.take(now)
        {
            return Answer::Wait(wait);
        }
        match self.fetch(&mut flight).await {
            Ok(()) => Answer::Fetched,
            Err(_) => Answer::Wait(flight.pause(self.clock.now()).unwrap_or(RETRY_FIRST)),
        }
    }

    /// One fetch, and what follows from it.
    async fn fetch(&self, flight: &mut Flight) -> Result<(), DownloadError> {
        let result = self.origin.download(&mut flight.keys_url).await;
        let now = self.clock.now();
        let result = match result {
            Ok(download) => self.install(&download, now),
            Err(error) => Err(error),
        };
        let next = match &result {
            Ok(refresh_at) => {
                flight.failures = 0;
                flight.retry_at = None;
                *refresh_at
            }
            Err(error) => {
                let pause = (RETRY_FIRST * 2_u32.pow(flight.failures.min(10))).min(RETRY_LAST);
                flight.failures = flight.failures.saturating_add(1);
                flight.retry_at = Some(now + pause);
                // The keys may have moved.
                flight.keys_url = None;
                self.complain(error, now);
                now + pause
            }
        };
        self.next_at.store(next.as_millis(), Ordering::Release);
        if result.is_ok() {
            self.brought.fetch_add(1, Ordering::AcqRel);
        }
        result.map(|_| ())
    }

    /// Puts fetched keys to use; says when to fetch again.
    fn install(&self, download: &Download, now: Timestamp) -> Result<Timestamp, DownloadError> {
        let keys = KeySet::new(&download.keys, &self.algorithms);
        let before = self.snapshot.load_full();
        // At first, no keys are a mistake in the set-up. Later they are the issuer's word: it withdrew them all.
        if keys.len() == 0 && before.is_none() {
            return Err(DownloadError::no_usable_key(&self.issuer));
        }
        let old = before.as_ref().map(|snapshot| &snapshot.keys);
        let added = keys.names_without(old);
        let removed = old.map(|old| old.names_without(Some(&keys))).unwrap_or_default();
        let changed = !(added.is_empty() && removed.is_empty());
        if changed && before.is_some() {
            self.audit.record(
                AuditEvent::new(now, EventKind::Key, Outcome::Allowed)
                    .on(self.issuer.as_str())
                    .doing("rotate")
                    .because(format!("added {added:?}, removed {removed:?}")),
            );
        }
        self.snapshot.store(Some(Arc::new(Snapshot {
            keys,
            edition: before.map_or(0, |snapshot| snapshot.edition) + u64::from(changed),
            fetched_at: now,
            until: now + download.lifetime + self.stale_for,
        })));
        Ok(now + download.lifetime * 4 / 5)
    }

    fn complain(&self, error: &DownloadError, now: Timestamp) {
        let issuer = self.issuer.as_str();
        match self.snapshot.load().as_ref() {
            Some(old) if now < old.until => tracing::warn!(
                target: "mcp::keys",
                issuer,
                age_seconds = now.since(old.fetched_at).as_secs(),
                usable_seconds = old.until.since(now).as_secs(),
                "{error}; going on with the old keys"
            ),
            _ => tracing::error!(
                target: "mcp::keys",
                issuer,
                "{error}; until they can, requests with its tokens are answered 503"
            ),
        }
    }

    /// Refreshes the keys for as long as somebody holds them.
    async fn keep_fresh(this: std::sync::Weak<Self>) {
        loop {
            let Some(shared) = this.upgrade() else { return };
            let next = Timestamp::from_millis(shared.next_at.load(Ordering::Acquire));
            let wait = next.since(shared.clock.now());
            if wait.is_zero() {
                let mut flight = shared.flight.lock().await;
                let next = Timestamp::from_millis(shared.next_at.load(Ordering::Acquire));
                if next <= shared.clock.now() {
                    let _ = shared.fetch(&mut flight).await;
                }
                continue;
            }
            // In steps: a request may have fetched keys meanwhile that are good for a shorter time.
            let sleep = shared.clock.sleep(wait.min(LONGEST_SLEEP));
            drop(shared);
            sleep.await;
        }
    }
}

impl Flight {
    /// How long to leave a failing issuer alone.
    fn pause(&self, now: Timestamp) -> Option<Duration> {
        let pause = self.retry_at?.since(now);
        (!pause.is_zero()).then_some(pause)
    }
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn name<'a>(token: &'a Signed<'_>) -> &'a str {
    token.key_id.as_deref().unwrap_or_default()
}

fn unavailable(wait: Duration) -> AuthError {
    // A `Retry-After` counts whole seconds; none would be an invitation to come back at once.
    let wait = Duration::from_secs(wait.as_secs() + 1).min(RETRY_LAST);
    AuthError::unavailable(wait).log("the issuer's keys cannot be asked for now")
}

const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LAST: Duration = Duration::from_secs(60);
/// Under the shortest time between two refreshes.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// How often unknown keys may cause a fetch. The interval is also how long they can hold up a key that signs as soon as
/// it is published.
const STRANGERS_AT_ONCE: u32 = 3;
const STRANGERS_EVERY: Duration = Duration::from_secs(30);
const MISSING_KEYS: usize = 1000;
/// Not longer than `STRANGERS_EVERY`, so that whoever guesses a key's name holds it up no longer than a flood could.
const MISSING_FOR: Duration = Duration::from_secs(10);
const MAX_STALE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
