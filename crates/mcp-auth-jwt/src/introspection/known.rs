//! Answers given before, and questions under way.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mcp_core::{AuthError, AuthErrorKind, Clock, Identity, Timestamp};
use quick_cache::sync::Cache;

/// Which token at which resource. The token itself is not in it, only its SHA-256.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    digest: [u8; 32],
    resource: Box<str>,
}

impl Key {
    pub(super) fn new(digest: &[u8; 32], resource: &str) -> Self {
        Self { digest: *digest, resource: resource.into() }
    }
}

/// What was answered, for a while.
pub(super) struct Answers {
    // Apart, so that a flood of made-up tokens drives none of the good ones out.
    good: Cache<Key, (Identity, Timestamp)>,
    bad: Cache<Key, (AuthError, Timestamp)>,
    remember: Duration,
    remember_bad: Duration,
    swept: AtomicU64,
}

impl Answers {
    pub(super) fn new(remember: Duration, remember_bad: Duration) -> Self {
        Self {
            good: Cache::new(CAPACITY),
            bad: Cache::new(CAPACITY),
            remember,
            remember_bad,
            swept: AtomicU64::new(0),
        }
    }

    /// The answer known for this key, or the one that `ask` brings. Of several callers with one key, one asks and the
    /// others wait for it.
    ///
    /// # Cancel safety
    /// A caller that goes away while it asks leaves the question to the next that waits.
    pub(super) async fn get_or_ask<F, Fut>(
        &self,
        key: Key,
        clock: &dyn Clock,
        ask: F,
    ) -> Result<Identity, AuthError>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<Identity, AuthError>>,
    {
        // Who wants every request to be asked about cannot have one answer for two of them.
        if self.remember.is_zero() {
            return ask().await;
        }
        loop {
            if let Some(error) = self.refusal(&key, clock.now()) {
                return Err(error);
            }
            let guard = match self.good.get_value_or_guard_async(&key).await {
                Ok((identity, until)) if clock.now() < until => return Ok(identity),
                Ok(_) => {
                    self.good.remove_if(&key, |(_, until)| *until <= clock.now());
                    continue;
                }
                Err(guard) => guard,
            };
            // Whoever asked before may have been refused while this one waited.
            if let Some(error) = self.refusal(&key, clock.now()) {
                return Err(error);
            }
            let outcome = ask().await;
            let now = clock.now();
            self.sweep(now);
            match &outcome {
                Ok(identity) => {
                    let longest = now + self.remember;
                    let until = identity.expires_at().map_or(longest, |end| end.min(longest));
                    // An error means that the place was given to another key meanwhile.
                    let _ = guard.insert((identity.clone(), until));
                }
                Err(error) => {
                    let span = match error.kind() {
                        AuthErrorKind::Unavailable(_) => OUTAGE,
                        _ => self.remember_bad,
                    };
                    if !span.is_zero() {
                        self.bad.insert(key, (error.clone(), now + span));
                    }
                }
            }
            return outcome;
        }
    }

    fn refusal(&self, key: &Key, now: Timestamp) -> Option<AuthError> {
        let (error, until) = self.bad.get(key)?;
        (now < until).then_some(error)
    }

    /// Forgets what has run out. Identities hold their tokens, which shall not lie in memory without need.
    fn sweep(&self, now: Timestamp) {
        let last = self.swept.load(Ordering::Relaxed);
        let due = now.as_millis().saturating_sub(last) >= SWEEP.as_millis().try_into().unwrap_or(u64::MAX);
        let mine = due
            && self
                .swept
                .compare_exchange(last, now.as_millis(), Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if mine {
            self.good.retain(|_, (_, until)| *until > now);
            self.bad.retain(|_, (_, until)| *until > now);
        }
    }
}

const CAPACITY: usize = 10_000;
/// How long a token is not asked about again after the issuer did not answer.
const OUTAGE: Duration = Duration::from_secs(1);
const SWEEP: Duration = Duration::from_secs(60);
