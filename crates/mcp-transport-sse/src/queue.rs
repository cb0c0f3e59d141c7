//! A bounded queue that costs nothing while it is empty.
//!
//! tokio's channels allocate a block of 32 slots when they are made; ten thousand idle sessions would pay for slots that
//! nobody uses. This one allocates with the first item and frees with the last.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;

/// How much may wait in a queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub(crate) items: usize,
    pub(crate) bytes: usize,
}

/// Why an item was not taken.
#[derive(Debug)]
pub(crate) enum Refused<T> {
    /// There is no room now; here is the item again.
    Full(T),
    /// There will never be room again.
    Closed,
}

/// One reader, any number of writers.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    // A std mutex: it is held for a push or a pop and never across an await.
    state: Mutex<State<T>>,
    room: Notify,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
    closed: bool,
    reader: Option<Waker>,
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State { items: VecDeque::new(), bytes: 0, closed: false, reader: None }),
            room: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an item at the end. An empty queue takes any item, however large, or a large one could never be sent.
    pub(crate) fn push(&self, item: T, bytes: usize, room: Room) -> Result<(), Refused<T>> {
        let mut state = self.lock();
        if state.closed {
            return Err(Refused::Closed);
        }
        let full = state.items.len() >= room.items || state.bytes.saturating_add(bytes) > room.bytes;
        if full && !state.items.is_empty() {
            return Err(Refused::Full(item));
        }
        state.items.push_back((item, bytes));
        state.bytes += bytes;
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
        Ok(())
    }

    /// Takes the first item; `None` once the queue is closed and empty.
    pub(crate) fn poll_pop(&self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.lock();
        let Some((item, bytes)) = state.items.pop_front() else {
            if state.closed {
                return Poll::Ready(None);
            }
            if !state.reader.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                state.reader = Some(cx.waker().clone());
            }
            return Poll::Pending;
        };
        state.bytes = state.bytes.saturating_sub(bytes);
        if state.items.is_empty() {
            state.items = VecDeque::new();
        }
        drop(state);
        self.room.notify_waiters();
        Poll::Ready(Some(item))
    }

    /// Waits until something changed that may have made room. Register before trying to push, or a wake-up is lost.
    pub(crate) fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.room.notified()
    }

    /// Whether nothing is taken any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Takes nothing more; what is in it can still be read.
    pub(crate) fn finish(&self) {
        self.close(false);
    }

    /// Takes nothing more and forgets what is in it.
    pub(crate) fn abandon(&self) {
        self.close(true);
    }

    fn close(&self, forget: bool) {
        let mut state = self.lock();
        state.closed = true;
        let forgotten = if forget {
            state.bytes = 0;
            std::mem::take(&mut state.items)
        } else {
            VecDeque::new()
        };
        let reader = state.reader.take();
        drop(state);
        // Outside the lock: an item may own what locks this queue again when it is dropped.
        drop(forgotten);
        if let Some(reader) = reader {
            reader.wake();
        }
        self.room.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Room = Room { items: 2, bytes: 10 };

    fn pop(queue: &Queue<u8>) -> Poll<Option<u8>> {
        queue.poll_pop(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn items_and_bytes_are_bounded() {
        let queue = Queue::new();
        assert!(queue.push(1, 4, ROOM).is_ok());
        assert!(matches!(queue.push(2, 7, ROOM), Err(Refused::Full(2))));
        assert!(queue.push(2, 6, ROOM).is_ok());
        assert!(matches!(queue.push(3, 0, ROOM), Err(Refused::Full(3))));
        assert_eq!(pop(&queue), Poll::Ready(Some(1)));
        assert!(queue.push(3, 4, ROOM).is_ok());
        assert_eq!(pop(&queue), Poll::Ready(Some(2)));
        assert_eq!(pop(&queue), Poll::Ready(Some(3)));
        assert!(pop(&queue).is_pending());
    }

    #[test]
    fn an_empty_queue_takes_any_size() {
        let queue = Queue::new();
        assert!(queue.push(1, 1000, ROOM).is_ok());
        assert!(matches!(queue.push(2, 1, ROOM), Err(Refused::Full(_))));
    }

    #[test]
    fn a_finished_queue_is_read_to_its_end_and_an_abandoned_one_is_not() {
        let queue = Queue::new();
        assert!(queue.push(1, 1, ROOM).is_ok());
        queue.finish();
        assert!(matches!(queue.push(2, 1, ROOM), Err(Refused::Closed)));
        assert_eq!(pop(&queue), Poll::Ready(Some(1)));
        assert_eq!(pop(&queue), Poll::Ready(None));

        let queue = Queue::new();
        assert!(queue.push(1, 1, ROOM).is_ok());
        queue.abandon();
        assert_eq!(pop(&queue), Poll::Ready(None));
    }
}
