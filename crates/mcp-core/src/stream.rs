//! Long streams outlive the moment their caller was checked: they are watched, and end when the credential does.
//!
//! A stream is asked about again every 30 seconds and at the expiry of its credential; a later credential of the same
//! principal for the same resource that allows no less, seen on any request, prolongs it (spec U-08).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::as_is::AsIs;
use crate::audit::{AuditEvent, EventKind, Outcome};
use crate::body::BoxError;
use crate::gate::Gate;
use crate::{AuthError, AuthErrorKind, Body, Identity, Principal, ProtectedResource, Sleep, Timestamp};

type Check = Pin<Box<dyn Future<Output = Result<(), AuthError>> + Send>>;

/// How many credentials of one caller are remembered while it has streams open: one for each set of scopes.
const MOST_SHOWN: usize = 8;

/// Frames that a stream may have at hand before it is watched. Most answers are over by then.
const UNWATCHED: u8 = 4;

/// The callers who have streams open on a site.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    by_principal: Mutex<HashMap<Principal, Vec<Arc<Streaming>>, AsIs>>,
    open: AtomicUsize,
}

/// A principal with streams open on one resource.
#[derive(Debug)]
struct Streaming {
    resource: ProtectedResource,
    streams: AtomicUsize,
    /// The credentials it showed since: for each set of scopes the one that lasts longest.
    shown: Mutex<Vec<Identity>>,
}

impl Streams {
    /// Notes a credential that was just accepted: streams of its principal on this resource may last as long as it does.
    pub(crate) fn seen(&self, resource: &ProtectedResource, identity: &Identity) {
        if self.open.load(Ordering::Relaxed) == 0 {
            return;
        }
        let by_principal = lock(&self.by_principal);
        let callers = by_principal.get(identity.principal()).into_iter().flatten();
        for caller in callers.filter(|caller| caller.resource.identifier() == resource.identifier()) {
            caller.note(identity);
        }
    }

    /// How many streams are open.
    pub(crate) fn count(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    fn add(&self, resource: &ProtectedResource, identity: &Identity) -> Arc<Streaming> {
        self.open.fetch_add(1, Ordering::Relaxed);
        let mut by_principal = lock(&self.by_principal);
        let callers = by_principal.entry(identity.principal().clone()).or_default();
        let known = callers.iter().find(|caller| caller.resource.identifier() == resource.identifier());
        if let Some(caller) = known {
            caller.streams.fetch_add(1, Ordering::Relaxed);
            return caller.clone();
        }
        let caller = Arc::new(Streaming {
            resource: resource.clone(),
            streams: AtomicUsize::new(1),
            shown: Mutex::default(),
        });
        callers.push(caller.clone());
        caller
    }

    fn remove(&self, caller: &Arc<Streaming>, principal: &Principal) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        let mut by_principal = lock(&self.by_principal);
        // Under the lock, so that nobody finds a caller that is on its way out.
        if caller.streams.fetch_sub(1, Ordering::Relaxed) > 1 {
            return;
        }
        if let Entry::Occupied(mut callers) = by_principal.entry(principal.clone()) {
            callers.get_mut().retain(|other| !Arc::ptr_eq(other, caller));
            if callers.get().is_empty() {
                callers.remove();
            }
        }
    }
}

impl Streaming {
    fn note(&self, identity: &Identity) {
        let mut shown = lock(&self.shown);
        if shown.iter().any(|known| known.is_same(identity)) {
            return;
        }
        if let Some(known) = shown.iter_mut().find(|known| known.scopes() == identity.scopes()) {
            if lasts_as_long(identity, known) {
                *known = identity.clone();
            }
            return;
        }
        if shown.len() == MOST_SHOWN {
            let first = shown.iter().enumerate().min_by_key(|(_, known)| end(known)).map(|(at, _)| at);
            first.map(|at| shown.swap_remove(at));
        }
        shown.push(identity.clone());
    }

    /// The credential that a stream opened with this one may go on with for longest: itself, if there is none.
    fn latest(&self, opened_by: &Identity) -> Identity {
        let shown = lock(&self.shown);
        let fit = shown.iter().filter(|known| allows_as_much(known, opened_by));
        fit.fold(opened_by, |best, known| if lasts_as_long(known, best) { known } else { best }).clone()
    }
}

/// When a credential ends; one that does not, last.
fn end(identity: &Identity) -> (bool, Option<Timestamp>) {
    (identity.expires_at().is_none(), identity.expires_at())
}

fn lasts_as_long(new: &Identity, held: &Identity) -> bool {
    end(new) >= end(held)
}

/// A stream may carry what its token was allowed to see: one with fewer scopes cannot keep it open.
fn allows_as_much(new: &Identity, held: &Identity) -> bool {
    held.scopes().iter().all(|scope| new.scopes().contains(scope))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A response body that ends when its caller's credential does.
pub(crate) struct Watched {
    inner: Option<Body>,
    gate: Arc<Gate>,
    caller: Arc<Streaming>,
    /// Whose credential opened the stream. It is asked about for as long as it would last: one that was withdrawn before
    /// its time, because somebody else holds it perhaps, is not made good by the one that took its place.
    opened_by: Identity,
    /// Set when there is something to wait for: an answer that is there has no time to outlive its caller.
    timer: Option<Sleep>,
    at_hand: u8,
    check: Option<Check>,
}

impl Watched {
    pub(crate) fn new(inner: Body, gate: Arc<Gate>, identity: &Identity) -> Self {
        let caller = gate.streams.add(&gate.resource, identity);
        Self {
            inner: Some(inner),
            gate,
            caller,
            opened_by: identity.clone(),
            timer: None,
            at_hand: 0,
            check: None,
        }
    }

    /// Whether the stream may go on. Registers for the next look in any case.
    fn poll_watch(&mut self, cx: &mut Context<'_>) -> bool {
        let mut timer = match self.timer.take() {
            Some(timer) => timer,
            None => self.gate.clock.sleep(self.until_next()),
        };
        while timer.as_mut().poll(cx).is_ready() {
            let now = self.gate.clock.now();
            let latest = self.caller.latest(&self.opened_by);
            if latest.expires_at().is_some_and(|end| end <= now) {
                return self.end("the credential has expired");
            }
            timer = self.gate.clock.sleep(self.until_next());
            // Who has not answered yet is not asked twice.
            if self.check.is_none() {
                let opener_lasts = self.opened_by.expires_at().is_none_or(|end| end > now);
                let judged = if opener_lasts { self.opened_by.clone() } else { latest };
                let gate = self.gate.clone();
                self.check = Some(Box::pin(async move { gate.authenticator.still_valid(&judged).await }));
            }
        }
        self.timer = Some(timer);
        if let Some(check) = &mut self.check
            && let Poll::Ready(answer) = check.as_mut().poll(cx)
        {
            self.check = None;
            // Not being able to tell is no reason to throw a caller out: ask again next time.
            if let Err(error) = answer
                && !matches!(error.kind(), AuthErrorKind::Unavailable(_))
            {
                return self.end(&error.to_string());
            }
        }
        true
    }

    fn until_next(&self) -> Duration {
        let end = self.caller.latest(&self.opened_by).expires_at();
        end.map_or(self.gate.check_every, |end| self.gate.check_every.min(end.since(self.gate.clock.now())))
    }

    fn end(&mut self, reason: &str) -> bool {
        self.inner = None;
        self.gate.audit.record(
            AuditEvent::new(self.gate.clock.now(), EventKind::StreamEnded, Outcome::Denied)
                .by(&self.opened_by)
                .on(self.gate.resource.identifier())
                .because(reason),
        );
        false
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.gate.streams.remove(&self.caller, self.opened_by.principal());
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let watched = self.timer.is_some() || self.at_hand >= UNWATCHED;
        if watched && !self.poll_watch(cx) {
            return Poll::Ready(None);
        }
        let Some(body) = &mut self.inner else { return Poll::Ready(None) };
        let frame = Pin::new(body).poll_frame(cx);
        if frame.is_ready() {
            self.at_hand = self.at_hand.saturating_add(1);
        } else if !watched && !self.poll_watch(cx) {
            return Poll::Ready(None);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map(HttpBody::size_hint).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scopes;

    fn shown(scopes: &str, until: u64) -> Identity {
        let ada = Identity::new("https://idp.example.com", "ada").scopes(Scopes::parse(scopes));
        ada.expires_at(Timestamp::from_secs(until)).build()
    }

    fn streaming() -> Streaming {
        let resource = ProtectedResource::new(&"https://mcp.example.com".parse().unwrap(), "/mcp");
        Streaming { resource, streams: AtomicUsize::new(1), shown: Mutex::default() }
    }

    #[test]
    fn the_longest_credential_that_allows_as_much_counts() {
        let caller = streaming();
        let until = |opened_by: &Identity| caller.latest(opened_by).expires_at().unwrap().as_secs();
        let opened_by = shown("read", 20);
        assert_eq!(until(&opened_by), 20);
        caller.note(&shown("read", 50));
        assert_eq!(until(&opened_by), 50);
        // An older one, a weaker one and a stronger one.
        caller.note(&shown("read", 40));
        caller.note(&shown("", 900));
        assert_eq!(until(&opened_by), 50);
        caller.note(&shown("read write", 60));
        assert_eq!(until(&opened_by), 60);
        caller.note(&shown("read", 70));
        assert_eq!(until(&opened_by), 70);
        let forever = Identity::new("https://idp.example.com", "ada").scopes(Scopes::parse("read")).build();
        caller.note(&forever);
        assert_eq!(caller.latest(&opened_by).expires_at(), None);
    }

    #[test]
    fn a_caller_with_many_sets_of_scopes_is_remembered_in_bounds() {
        let caller = streaming();
        for n in 0..100 {
            caller.note(&shown(&format!("read s{n}"), 2000 - n));
        }
        assert_eq!(lock(&caller.shown).len(), MOST_SHOWN);
        let latest = caller.latest(&shown("read", 20)).expires_at();
        assert_eq!(latest, Some(Timestamp::from_secs(2000)), "what lasts longest is kept");
    }
}
