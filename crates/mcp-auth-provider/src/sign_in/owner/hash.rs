//! argon2id: slow on purpose, so never on the threads that serve, and never many at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::{Algorithm, Argon2, Params, Version};
use mcp_core::{constant_time_eq, random_bytes};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use super::password::Password;

/// OWASP's first choice: 19 MiB, two passes, one lane. Kept with each hash, so that they can be raised.
const MEMORY: u32 = 19 * 1024;
const PASSES: u32 = 2;
/// How many may wait for their turn; whoever comes then is told that we cannot tell.
const QUEUE: usize = 32;

/// Computes hashes, a few at a time.
pub(super) struct Hasher {
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl Hasher {
    pub(super) fn new() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self { turns: Arc::new(Semaphore::new(threads.clamp(1, 4))), waiting: AtomicUsize::new(0) }
    }

    /// A new record of a password, with the parameters of today. `None` if there is no memory for it, or too many wait.
    pub(super) async fn hash(&self, password: &str) -> Option<Password> {
        let salt: [u8; 16] = random_bytes();
        let hash = self.compute(password, salt.to_vec(), MEMORY, PASSES).await?;
        Some(Password::new(salt.to_vec(), hash, MEMORY, PASSES))
    }

    /// Whether a guess is the password.
    pub(super) async fn fits(&self, guess: &str, password: &Password) -> Option<bool> {
        let hash = self.compute(guess, password.salt.clone(), password.memory, password.passes).await?;
        Some(constant_time_eq(hash, &password.hash))
    }

    /// Whether a hash was made with the parameters of today.
    pub(super) fn is_current(&self, password: &Password) -> bool {
        password.memory == MEMORY && password.passes == PASSES
    }

    async fn compute(&self, clear: &str, salt: Vec<u8>, memory: u32, passes: u32) -> Option<Vec<u8>> {
        let waits = Waits::begin(&self.waiting)?;
        let turn = self.turns.clone().acquire_owned().await.ok()?;
        drop(waits);
        let clear = Zeroizing::new(clear.to_owned());
        spawn_blocking(move || {
            // Held until the work is done, also if nobody waits for it any more.
            let _turn = turn;
            let params = Params::new(memory, passes, 1, Some(LENGTH)).ok()?;
            let mut hash = vec![0; LENGTH];
            Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                .hash_password_into(clear.as_bytes(), &salt, &mut hash)
                .ok()?;
            Some(hash)
        })
        .await
        .ok()?
    }
}

const LENGTH: usize = 32;

/// A place in the queue, given back when it is dropped.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn begin(waiting: &'a AtomicUsize) -> Option<Self> {
        let place = Self(waiting);
        // Taken first, so that the drop gives it back in either case.
        (waiting.fetch_add(1, Ordering::Relaxed) < QUEUE).then_some(place)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: LG05
    #[tokio::test]
    async fn only_the_password_fits_to_its_last_byte() {
        let hasher = Hasher::new();
        let long = format!("{}a", "x".repeat(100));
        let password = hasher.hash(&long).await.unwrap();
        assert_eq!(hasher.fits(&long, &password).await, Some(true));
        assert_eq!(hasher.fits(&format!("{}b", "x".repeat(100)), &password).await, Some(false));
        assert!(hasher.is_current(&password));
        assert_ne!(password.hash, hasher.hash(&long).await.unwrap().hash, "another salt");
    }

    #[tokio::test]
    async fn the_queue_is_bounded() {
        let hasher = Arc::new(Hasher::new());
        let turns = hasher.turns.clone();
        let all = turns.acquire_many(u32::try_from(turns.available_permits()).unwrap()).await.unwrap();
        let waiting: Vec<_> = (0..QUEUE)
            .map(|_| {
                let hasher = hasher.clone();
                tokio::spawn(async move { hasher.hash("x").await.is_some() })
            })
            .collect();
        while hasher.waiting.load(Ordering::Relaxed) < QUEUE {
            tokio::task::yield_now().await;
        }
        assert!(hasher.hash("x").await.is_none());
        waiting.iter().for_each(tokio::task::JoinHandle::abort);
        drop(all);
        while hasher.waiting.load(Ordering::Relaxed) > 0 {
            tokio::task::yield_now().await;
        }
        assert!(hasher.hash("x").await.is_some(), "who gave up has given back his place");
    }
}
