//! Long streams outlive the moment their caller was checked: they are watched, and end when the credential does.
//!
//! A stream is asked about again every 30 seconds and at the expiry of its credential; a later credential of the same
//! principal for the same resource that allows no less, seen on any request, takes the place of the old one (spec U-08).

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::audit::{AuditEvent, EventKind, Outcome};
use crate::body::BoxError;
use crate::gate::Gate;
use crate::{AuthError, AuthErrorKind, Body, Identity, Principal, ProtectedResource, Sleep};

type Check = Pin<Box<dyn Future<Output = Result<(), AuthError>> + Send>>;

/// The open streams of a site, by principal.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    by_principal: Mutex<HashMap<Principal, Vec<Arc<Held>>>>,
    open: AtomicUsize,
}

/// The credential a stream goes by.
#[derive(Debug)]
struct Held {
    resource: ProtectedResource,
    principal: Principal,
    identity: Mutex<Identity>,
}

impl Streams {
    /// Notes a credential that was just accepted: streams of its principal on this resource go by it if it lasts longer.
    pub(crate) fn seen(&self, resource: &ProtectedResource, identity: &Identity) {
        if self.open.load(Ordering::Relaxed) == 0 {
            return;
        }
        let streams = lock(&self.by_principal);
        for stream in streams.get(identity.principal()).into_iter().flatten() {
            let mut held = lock(&stream.identity);
            if !held.is_same(identity)
                && stream.resource.identifier() == resource.identifier()
                && lasts_longer(identity, &held)
                && allows_as_much(identity, &held)
            {
                *held = identity.clone();
            }
        }
    }

    /// How many streams are open.
    pub(crate) fn count(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    fn add(&self, resource: &ProtectedResource, identity: &Identity) -> Arc<Held> {
        let held = Arc::new(Held {
            resource: resource.clone(),
            principal: identity.principal().clone(),
            identity: Mutex::new(identity.clone()),
        });
        lock(&self.by_principal).entry(held.principal.clone()).or_default().push(held.clone());
        self.open.fetch_add(1, Ordering::Relaxed);
        held
    }

    fn remove(&self, held: &Arc<Held>) {
        let mut streams = lock(&self.by_principal);
        if let Some(of_principal) = streams.get_mut(&held.principal) {
            of_principal.retain(|other| !Arc::ptr_eq(other, held));
            if of_principal.is_empty() {
                streams.remove(&held.principal);
            }
        }
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

fn lasts_longer(new: &Identity, held: &Identity) -> bool {
    match (new.expires_at(), held.expires_at()) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(new), Some(held)) => new >= held,
    }
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
    held: Arc<Held>,
    timer: Sleep,
    check: Option<Check>,
}

impl Watched {
    pub(crate) fn new(inner: Body, gate: Arc<Gate>, identity: &Identity) -> Self {
        let held = gate.streams.add(&gate.resource, identity);
        let timer = gate.clock.sleep(until_next(&gate, identity));
        Self { inner: Some(inner), gate, held, timer, check: None }
    }

    /// Whether the stream may go on. Registers for the next look in any case.
    fn poll_watch(&mut self, cx: &mut Context<'_>) -> bool {
        while self.timer.as_mut().poll(cx).is_ready() {
            let identity = lock(&self.held.identity).clone();
            if identity.expires_at().is_some_and(|end| end <= self.gate.clock.now()) {
                return self.end("the credential has expired");
            }
            self.timer = self.gate.clock.sleep(until_next(&self.gate, &identity));
            // Who has not answered yet is not asked twice.
            if self.check.is_none() {
                let gate = self.gate.clone();
                self.check = Some(Box::pin(async move { gate.authenticator.still_valid(&identity).await }));
            }
        }
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

    fn end(&mut self, reason: &str) -> bool {
        self.inner = None;
        let identity = lock(&self.held.identity).clone();
        self.gate.audit.record(
            AuditEvent::new(self.gate.clock.now(), EventKind::StreamEnded, Outcome::Denied)
                .by(&identity)
                .on(self.gate.resource.identifier())
                .because(reason),
        );
        false
    }
}

fn until_next(gate: &Gate, identity: &Identity) -> Duration {
    let expiry = identity.expires_at().map_or(gate.check_every, |end| end.since(gate.clock.now()));
    gate.check_every.min(expiry)
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.gate.streams.remove(&self.held);
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.inner.is_none() || !self.poll_watch(cx) {
            return Poll::Ready(None);
        }
        match &mut self.inner {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map(HttpBody::size_hint).unwrap_or_default()
    }
}
