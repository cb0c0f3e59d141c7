//! One fetch at a time for each thing: who comes meanwhile waits and shares what it brings, failures too.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::OnceCell;

/// Fetches under way.
#[derive(Debug)]
pub(super) struct Flights<T>(Mutex<HashMap<String, Weak<OnceCell<T>>>>);

impl<T: Clone + Send + Sync + 'static> Flights<T> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    /// Whether a fetch of this name is under way.
    pub(super) fn is_under_way(&self, name: &str) -> bool {
        let flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        flights.get(name).is_some_and(|flight| flight.strong_count() > 0)
    }

    /// Joins the fetch of this name, or begins it. It goes on when the caller goes away: a peer that hangs up neither breaks
    /// off what others wait for nor has it begun anew. `None` if it broke down.
    pub(super) async fn join<F>(&self, name: &str, fetch: impl FnOnce() -> F) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let flight = {
            let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            flights.retain(|_, flight| flight.strong_count() > 0);
            match flights.get(name).and_then(Weak::upgrade) {
                Some(flight) => flight,
                None => {
                    let flight = Arc::new(OnceCell::new());
                    flights.insert(name.to_owned(), Arc::downgrade(&flight));
                    flight
                }
            }
        };
        let fetch = fetch();
        // The task holds the flight: it is under way for as long as the task is, and over for those who come later.
        let task = tokio::spawn(async move { flight.get_or_init(|| fetch).await.clone() });
        task.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn many_share_one_and_those_who_come_later_begin_another() {
        let (flights, count, go) =
            (Arc::new(Flights::new()), Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let fetch = |count: Arc<AtomicUsize>, go: Arc<Notify>| async move {
            let n = count.fetch_add(1, Ordering::SeqCst);
            go.notified().await;
            n
        };
        let join = || {
            let (flights, count, go) = (flights.clone(), count.clone(), go.clone());
            tokio::spawn(async move { flights.join("a", || fetch(count, go)).await })
        };
        let first = join();
        while count.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        // The one that began it goes away.
        first.abort();
        assert!(first.await.is_err());
        let others: Vec<_> = (0..10).map(|_| join()).collect();
        tokio::task::yield_now().await;
        go.notify_one();
        for other in others {
            assert_eq!(other.await.unwrap(), Some(0));
        }
        go.notify_one();
        assert_eq!(join().await.unwrap(), Some(1));
        assert_eq!(flights.0.lock().unwrap().len(), 1, "what is over makes room");
    }
}
