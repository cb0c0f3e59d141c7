//! What a request for a protected resource goes through: authenticate, policy, session, service.

use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName};
use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::answer::{plain, sign_in_as_tool_result, unknown_session, unreadable, why_unreadable};
use crate::audit::{Audit, AuditEvent, EventKind, Outcome};
use crate::challenge::Challenger;
use crate::limits::{Limits, TrustedProxies, Verdict};
use crate::policy::{Asked, ChallengeForm, Policy, Refusal, parse};
use crate::session::SessionBinding;
use crate::stream::{Streams, Watched};
use crate::{
    AtOnce, AuthError, AuthErrorKind, Authenticator, Body, Clock, Connection, Identity, ProtectedResource,
    RequestHead, Scopes, random_id,
};

const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const DPOP: HeaderName = HeaderName::from_static("dpop");

/// The first protocol version without sessions (spec TR-02).
const STATELESS_SINCE: &str = "2026-07-28";

/// How long a body that is judged may take to arrive.
const BODY_DEADLINE: Duration = Duration::from_secs(60);

/// Everything that stands before one resource.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) authenticator: Arc<dyn Authenticator>,
    pub(crate) resource: ProtectedResource,
    pub(crate) policy: Policy,
    pub(crate) challenger: Challenger,
    pub(crate) sessions: SessionBinding,
    pub(crate) streams: Arc<Streams>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) audit: Audit,
    pub(crate) limits: Limits,
    pub(crate) proxies: TrustedProxies,
    pub(crate) check_every: Duration,
    pub(crate) body_limit: usize,
    pub(crate) credential_headers: Vec<HeaderName>,
    /// Nobody is asked for a token here, so asking for a better one would lead a client in circles (spec AUTH-30).
    pub(crate) open: bool,
}

/// A request that was let through, and who sent it.
pub(crate) struct Admitted {
    pub(crate) request: Request<Body>,
    pub(crate) identity: Identity,
    /// What it asks for, where a policy read it and somebody records it.
    pub(crate) asked: Option<Asked>,
}

impl Gate {
    /// Lets a request through or says why not. `path` is the path below the site.
    pub(crate) async fn admit(
        self: &Arc<Self>,
        path: &str,
        request: Request<Body>,
    ) -> Result<Admitted, Response<Body>> {
        let (mut parts, body) = request.into_parts();
        let identity = match self.authenticate(&parts, path).await {
            Ok(identity) => identity,
            Err(error) => return Err(self.refuse(&parts, None, &error, None)),
        };
        let (body, asked) = self.authorize(&parts, &identity, body).await?;
        if !self.unwrap_session(&mut parts.headers, &identity) {
            let reason = "the session is unknown or belongs to another principal";
            let event = self.event(&parts, EventKind::Session, Outcome::Denied);
            self.audit.record(event.by(&identity).because(reason));
            return Err(unknown_session());
        }
        self.strip(&mut parts.headers);
        parts.extensions.insert(identity.clone());
        Ok(Admitted { request: Request::from_parts(parts, body), identity, asked })
    }

    /// The same at once, for the request that most requests are: the authenticator need not wait, and nothing depends on
    /// the body. `None` leaves the request as it was and the decision, refusals above all, to [`admit`](Self::admit).
    pub(crate) fn admit_now(&self, path: &str, request: &mut Request<Body>) -> Option<Identity> {
        let presented = self.is_presented(request.headers());
        let judged = self.policy.reads_bodies() && has_body(request.method(), request.body());
        if judged || (presented && self.limits.is_alert()) {
            return None;
        }
        let address = self.client_address(request.extensions(), request.headers());
        let head = RequestHead::of(request, self.resource.site(), path).from_address(address);
        let AtOnce::Known(identity) = self.authenticator.authenticate_now(&head, &self.resource) else {
            return None;
        };
        if self.is_unsigned(&identity) || self.lacks_what_all_need(&identity) {
            return None;
        }
        // What an open server is sent besides was not verified, so it is not known to be good.
        if !identity.is_anonymous() {
            if presented {
                self.limits.succeeded(&self.credential_digest(&head));
            }
            if self.limits.counts_principals() {
                self.limits.admit(self.clock.now(), identity.principal().as_str()).ok()?;
            }
            self.streams.seen(&self.resource, &identity);
        }
        if !self.unwrap_session(request.headers_mut(), &identity) {
            return None;
        }
        if presented {
            self.strip(request.headers_mut());
        }
        request.extensions_mut().insert(identity.clone());
        Some(identity)
    }

    /// The address a request comes from, as far as a trusted proxy or the socket says.
    fn client_address(&self, extensions: &Extensions, headers: &HeaderMap) -> Option<IpAddr> {
        let peer = extensions.get::<Connection>()?.peer().ip();
        Some(self.proxies.client_address(peer, headers))
    }

    async fn authenticate(&self, parts: &Parts, path: &str) -> Result<Identity, AuthError> {
        let address = self.client_address(&parts.extensions, &parts.headers);
        let head = RequestHead::new(parts, self.resource.site(), path).from_address(address);
        let presented = self.is_presented(&parts.headers);
        if presented && self.limits.is_alert() {
            match self.limits.check(self.clock.now(), address, &self.credential_digest(&head)) {
                Verdict::Go => {}
                Verdict::KnownBad(wait) | Verdict::Suspicious(wait) => return Err(AuthError::too_many(wait)),
            }
        }
        match self.authenticator.authenticate(&head, &self.resource).await {
            Ok(identity) => {
                if !identity.is_anonymous() {
                    if presented {
                        self.limits.succeeded(&self.credential_digest(&head));
                    }
                    self.limits
                        .admit(self.clock.now(), identity.principal().as_str())
                        .map_err(AuthError::too_many)?;
                    self.streams.seen(&self.resource, &identity);
                }
                Ok(identity)
            }
            Err(error) => match error.kind() {
                AuthErrorKind::Missing if self.policy.allows_anonymous() => Ok(Identity::anonymous()),
                AuthErrorKind::NotMine
                | AuthErrorKind::InvalidToken
                | AuthErrorKind::InvalidProof
                | AuthErrorKind::Malformed => {
                    self.limits.failed(self.clock.now(), address, &self.credential_digest(&head));
                    Err(error)
                }
                _ => Err(error),
            },
        }
    }

    /// Judges what the caller asks for. The body is read only where the answer depends on it.
    async fn authorize(
        &self,
        parts: &Parts,
        identity: &Identity,
        body: Body,
    ) -> Result<(Body, Option<Asked>), Response<Body>> {
        let unsigned = self.is_unsigned(identity);
        if !has_body(&parts.method, &body) || !(unsigned || self.policy.reads_bodies()) {
            return self.judge_head(parts, identity).map_or(Ok((body, None)), Err);
        }
        let denied = |reason: &str| self.deny(parts, identity, reason);
        let bytes = match self.read(body).await {
            Ok(bytes) => bytes,
            Err((status, reason)) => {
                denied(reason);
                return Err(plain(status, reason));
            }
        };
        if bytes.is_empty() && !wants_body(&parts.method) {
            return self.judge_head(parts, identity).map_or(Ok((Body::empty(), None)), Err);
        }
        let messages = match parse(&bytes, &parts.headers) {
            Ok(messages) => messages,
            Err(contradiction) => {
                denied(why_unreadable(contradiction));
                return Err(unreadable(contradiction, None));
            }
        };
        let refusal = match self.policy.decide(identity, &messages) {
            Ok(()) => {
                let asked = self.audit.is_watched(Outcome::Allowed).then(|| Asked::of(&messages));
                drop(messages);
                return Ok((Body::from(bytes), asked));
            }
            Err(refusal) => refusal,
        };
        let id = messages.first().and_then(|message| message.id).map(|id| id.get());
        match refusal {
            Refusal::Body(contradiction) => {
                denied(why_unreadable(contradiction));
                Err(unreadable(contradiction, id))
            }
            Refusal::Scopes(needed) | Refusal::SignIn(needed) if self.open => {
                Err(self.insufficient(parts, identity, needed, Some(Asked::of(&messages))))
            }
            Refusal::Scopes(needed) => {
                Err(self.insufficient(parts, identity, needed, Some(Asked::of(&messages))))
            }
            Refusal::SignIn(needed) => {
                let error = AuthError::missing();
                let single_call = messages.len() == 1
                    && messages.iter().all(|message| message.method.as_deref() == Some("tools/call"));
                match (self.policy.form(), id) {
                    (ChallengeForm::ToolResult, Some(id)) if single_call => {
                        self.record(parts, None, &error, Some(Asked::of(&messages)));
                        Err(sign_in_as_tool_result(id, &self.challenger.bearer(&error, &needed)))
                    }
                    _ => Err(self.refuse_needing(parts, None, &error, &needed, Some(Asked::of(&messages)))),
                }
            }
        }
    }

    /// Judges a request without a body, by what every request needs; the refusal, if it is refused.
    fn judge_head(&self, parts: &Parts, identity: &Identity) -> Option<Response<Body>> {
        let refused = !self.is_unsigned(identity) && self.lacks_what_all_need(identity);
        refused.then(|| self.insufficient(parts, identity, self.policy.required().clone(), None))
    }

    /// Whether a caller lacks what every request needs. Where something is open to everybody, no request needs anything for
    /// being one, and a body says what it asks for.
    fn lacks_what_all_need(&self, identity: &Identity) -> bool {
        let needed = self.policy.required();
        !needed.is_empty()
            && !self.policy.allows_anonymous()
            && !self.policy.missing(identity, needed).is_empty()
    }

    /// Whether this caller has yet to sign in for what is not open. Where nobody can, an anonymous identity is the ordinary
    /// caller.
    fn is_unsigned(&self, identity: &Identity) -> bool {
        identity.is_anonymous() && !self.open && self.policy.allows_anonymous()
    }

    fn insufficient(
        &self,
        parts: &Parts,
        identity: &Identity,
        needed: Scopes,
        asked: Option<Asked>,
    ) -> Response<Body> {
        let error = if self.open {
            AuthError::forbidden("nobody signs in here, so nobody can be given the scope this needs")
        } else if identity.is_anonymous() {
            return self.refuse_needing(parts, None, &AuthError::missing(), &needed, asked);
        } else {
            AuthError::insufficient_scope(needed)
        };
        self.refuse(parts, Some(identity), &error, asked)
    }

    /// Reads a body, or says with which status it is refused and why.
    async fn read(&self, body: Body) -> Result<Bytes, (StatusCode, &'static str)> {
        let mut reading = pin!(Limited::new(body, self.body_limit).collect());
        let mut deadline = None;
        let read = poll_fn(|cx| {
            if let Poll::Ready(read) = reading.as_mut().poll(cx) {
                return Poll::Ready(Some(read));
            }
            // Set only where there is something to wait for: most bodies are there already.
            let deadline = deadline.get_or_insert_with(|| self.clock.sleep(BODY_DEADLINE));
            deadline.as_mut().poll(cx).map(|()| None)
        });
        match read.await {
            Some(Ok(collected)) => Ok(collected.to_bytes()),
            Some(Err(error)) if error.is::<LengthLimitError>() => {
                Err((StatusCode::PAYLOAD_TOO_LARGE, "the request body is too large"))
            }
            Some(Err(_)) => Err((StatusCode::BAD_REQUEST, "the request body could not be read")),
            None => Err((StatusCode::REQUEST_TIMEOUT, "the request body took too long to arrive")),
        }
    }

    /// Takes the binding off a session id; false if there is no such session for this caller.
    fn unwrap_session(&self, headers: &mut HeaderMap, identity: &Identity) -> bool {
        let mut values = headers.get_all(SESSION_ID).iter();
        let Some(value) = values.next() else { return true };
        let single = values.next().is_none();
        let own = || self.sessions.check_header(&self.resource, identity.principal(), value);
        match single.then(own).flatten() {
            Some(id) => {
                headers.insert(SESSION_ID, id);
                true
            }
            // Since 2026-07-28 there are no sessions, and a client's stale header means nothing (spec TR-03). It is taken
            // off, so that the server behind cannot see a session in it either.
            None if is_stateless(headers) => {
                headers.remove(SESSION_ID);
                true
            }
            None => false,
        }
    }

    /// Takes credentials off, so that the service behind cannot pass them on (spec AUTH-11).
    fn strip(&self, headers: &mut HeaderMap) {
        headers.remove(AUTHORIZATION);
        headers.remove(DPOP);
        for name in self.credential_headers.iter().filter(|name| **name != DPOP) {
            headers.remove(name);
        }
    }

    fn is_presented(&self, headers: &HeaderMap) -> bool {
        headers.contains_key(AUTHORIZATION)
            || self.credential_headers.iter().any(|name| headers.contains_key(name))
    }

    /// What load limits know a credential by. Those in headers of their own count with the token, or all callers who send
    /// one would look alike; proofs do not, each of which is another.
    fn credential_digest(&self, head: &RequestHead<'_>) -> [u8; 32] {
        let own = self.credential_headers.iter().filter(|name| **name != DPOP);
        let mut own = own.flat_map(|name| head.headers().get_all(name)).peekable();
        if own.peek().is_none() {
            return *head.credential_digest();
        }
        let mut context = Context::new(&SHA256);
        context.update(head.credential_digest());
        for value in own {
            context.update(&(value.len() as u64).to_be_bytes());
            context.update(value.as_bytes());
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        digest
    }

    /// What remains to be done with an answer: bind a new session, watch a stream.
    pub(crate) fn finish(
        self: &Arc<Self>,
        identity: &Identity,
        mut response: Response<Body>,
    ) -> Response<Body> {
        if let Some(id) = response.headers().get(SESSION_ID).and_then(|value| value.to_str().ok()) {
            let shown = self.sessions.bind(&self.resource, identity.principal(), id);
            if let Ok(value) = HeaderValue::try_from(shown) {
                response.headers_mut().insert(SESSION_ID, value);
            }
        }
        let streams =
            response.headers().get(CONTENT_TYPE).is_some_and(|kind| is_event_stream(kind.as_bytes()));
        // A caller nobody vouches for has no credential that could end, and what is there as a whole outlives nobody.
        if streams && !identity.is_anonymous() && !response.body().is_whole() {
            return response.map(|body| Body::watched(Watched::new(body, self.clone(), identity)));
        }
        response
    }

    fn refuse(
        &self,
        parts: &Parts,
        identity: Option<&Identity>,
        error: &AuthError,
        asked: Option<Asked>,
    ) -> Response<Body> {
        self.refuse_needing(parts, identity, error, &Scopes::none(), asked)
    }

    fn refuse_needing(
        &self,
        parts: &Parts,
        identity: Option<&Identity>,
        error: &AuthError,
        needed: &Scopes,
        asked: Option<Asked>,
    ) -> Response<Body> {
        self.record(parts, identity, error, asked);
        self.challenger.refuse(error, needed)
    }

    fn record(&self, parts: &Parts, identity: Option<&Identity>, error: &AuthError, asked: Option<Asked>) {
        let outcome = match error.kind() {
            AuthErrorKind::Unavailable(_) => Outcome::Failed,
            _ => Outcome::Denied,
        };
        if !self.audit.is_watched(outcome) {
            return;
        }
        let kind = if identity.is_some() { EventKind::Authorization } else { EventKind::Authentication };
        let reason = match error.detail() {
            Some(detail) => format!("{error}: {detail}"),
            None => error.to_string(),
        };
        let mut event = self.event(parts, kind, outcome).because(reason);
        if let Some(identity) = identity {
            event = event.by(identity);
        }
        if let Some(Asked(action)) = asked {
            event = event.doing(action);
        }
        self.audit.record(event);
    }

    /// Records that a request could not be judged and so was refused.
    fn deny(&self, parts: &Parts, identity: &Identity, reason: &str) {
        if self.audit.is_watched(Outcome::Denied) {
            let event = self.event(parts, EventKind::Authorization, Outcome::Denied);
            self.audit.record(event.by(identity).because(reason));
        }
    }

    /// Records that a request was let through, where anybody listens.
    pub(crate) fn record_admission(
        &self,
        request: &Request<Body>,
        identity: &Identity,
        asked: Option<Asked>,
    ) {
        if self.audit.is_watched(Outcome::Allowed) {
            let address = self.client_address(request.extensions(), request.headers());
            self.audit.record(
                AuditEvent::new(self.clock.now(), EventKind::Authentication, Outcome::Allowed)
                    .by(identity)
                    .on(self.resource.identifier())
                    .doing(asked.map_or_else(|| request.method().to_string(), |Asked(action)| action))
                    .from_address(address)
                    .in_request(Some(request_id(request.headers()))),
            );
        }
    }

    fn event(&self, parts: &Parts, kind: EventKind, outcome: Outcome) -> AuditEvent {
        let address = self.client_address(&parts.extensions, &parts.headers);
        AuditEvent::new(self.clock.now(), kind, outcome)
            .on(self.resource.identifier())
            .from_address(address)
            .in_request(Some(request_id(&parts.headers)))
    }
}

/// The id a proxy in front gave the request, if it looks like one; otherwise a fresh one.
fn request_id(headers: &HeaderMap) -> String {
    headers
        .get("x-request-id")
        .and_then(|value| value.to_str().ok())
        .filter(|id| (1..=64).contains(&id.len()))
        .filter(|id| id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)))
        .map_or_else(|| random_id().chars().take(16).collect(), ToOwned::to_owned)
}

fn is_stateless(headers: &HeaderMap) -> bool {
    let mut versions = headers.get_all(PROTOCOL_VERSION).iter();
    let first = versions.next().map(HeaderValue::as_bytes);
    versions.next().is_none() && first.is_some_and(|v| v.len() == 10 && v >= STATELESS_SINCE.as_bytes())
}

/// Whether there is a body to judge. By the body itself and not by the method: the service behind may read one of any.
fn has_body(method: &Method, body: &Body) -> bool {
    wants_body(method) || !body.is_end_stream()
}

fn wants_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

/// Media types know no case (RFC 9110 §8.3.1).
fn is_event_stream(kind: &[u8]) -> bool {
    const STREAM: &[u8] = b"text/event-stream";
    kind.get(..STREAM.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(STREAM))
}
