//! What an assertion has to say.

use std::time::Duration;

use mcp_core::Timestamp;
use serde_json::{Map, Value};

use super::AssertionError;
use crate::Algorithm;
use crate::jws::{Jws, Typ};

/// What an assertion has to say to be taken.
#[derive(Clone, Debug)]
#[must_use]
pub struct Expected<'a> {
    issuer: &'a str,
    subject: Option<&'a str>,
    audiences: Vec<&'a str>,
    list_of_one: bool,
    types: Vec<&'a str>,
    untyped: bool,
    algorithms: Vec<Algorithm>,
    leeway: Duration,
    longest: Duration,
}

impl<'a> Expected<'a> {
    /// The assertion by which a client proves itself (RFC 7523 §3): `iss` and `sub` are its identifier, `aud` is one text
    /// and the authorization server's issuer, `exp` is at most an hour away, `typ` is absent, `JWT` or
    /// `client-authentication+jwt`. Clocks may differ by 30 s.
    pub fn of_client(client_id: &'a str, audience: &'a str) -> Self {
        Self {
            issuer: client_id,
            subject: Some(client_id),
            audiences: vec![audience],
            list_of_one: false,
            types: vec!["JWT", "client-authentication+jwt"],
            untyped: true,
            algorithms: Algorithm::ASYMMETRIC.to_vec(),
            leeway: Duration::from_secs(30),
            longest: Duration::from_secs(60 * 60),
        }
    }

    /// An assertion of this `typ` and no other, by this issuer and about anybody, for this audience.
    pub fn typed(kind: &'a str, issuer: &'a str, audience: &'a str) -> Self {
        Self { subject: None, types: vec![kind], untyped: false, issuer, ..Self::of_client(issuer, audience) }
    }

    /// One more text that `aud` may be.
    pub fn or_audience(mut self, audience: &'a str) -> Self {
        self.audiences.push(audience);
        self
    }

    /// Takes `aud` also as a list of one, as identity assertions may have it (spec EXT-EMA-05).
    pub fn or_list_of_one(mut self) -> Self {
        self.list_of_one = true;
        self
    }

    /// The algorithms it may be signed by. Those with a shared secret never count.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = algorithms.into_iter().collect();
        self
    }

    /// How far the signer's clock may be from ours. 30 s unless said.
    pub fn leeway(mut self, span: Duration) -> Self {
        self.leeway = span;
        self
    }

    /// How far away its end may be. An hour unless said.
    pub fn longest(mut self, span: Duration) -> Self {
        self.longest = span;
        self
    }

    pub(super) fn judge(
        &self,
        jws: &Jws<'_>,
        algorithm: Algorithm,
        now: Timestamp,
    ) -> Result<Timestamp, AssertionError> {
        if !self.algorithms.contains(&algorithm) {
            return Err(AssertionError("the assertion is signed by an algorithm that is not allowed"));
        }
        let kind = jws.header.kind();
        if !(self.types.iter().any(|own| kind.is(own)) || (self.untyped && kind == Typ::Absent)) {
            // A JWT that was made for something else (RFC 8725 §3.11).
            return Err(AssertionError("the assertion is of another type, typ"));
        }
        let text = |name: &str| jws.claims.get(name).and_then(Value::as_str);
        if text("iss") != Some(self.issuer) {
            return Err(AssertionError("the assertion is by another issuer, iss"));
        }
        match text("sub") {
            Some(subject) if self.subject.map_or(!subject.is_empty(), |own| own == subject) => {}
            _ => return Err(AssertionError("the assertion is about somebody else, sub")),
        }
        // One text: with a list, the same assertion would be good at another server (CVE-2025-27370).
        let audience = match jws.claims.get("aud") {
            Some(Value::Array(list)) if self.list_of_one && list.len() == 1 => list.first(),
            other => other,
        };
        let audience = audience.and_then(Value::as_str);
        if !audience.is_some_and(|audience| self.audiences.contains(&audience)) {
            return Err(AssertionError("the assertion is not for this server alone, aud"));
        }
        self.judge_times(&jws.claims, now)
    }

    fn judge_times(&self, claims: &Map<String, Value>, now: Timestamp) -> Result<Timestamp, AssertionError> {
        let Some(expires_at) = seconds(claims, "exp")? else {
            return Err(AssertionError("the assertion has no end, exp"));
        };
        if now >= expires_at + self.leeway {
            return Err(AssertionError("the assertion has expired"));
        }
        if expires_at > now + self.longest + self.leeway {
            return Err(AssertionError("the assertion lives longer than is allowed"));
        }
        for name in ["nbf", "iat"] {
            if seconds(claims, name)?.is_some_and(|at| at > now + self.leeway) {
                return Err(AssertionError("the assertion begins in the future"));
            }
        }
        Ok(expires_at)
    }
}

/// A `NumericDate` in whole seconds. Anything else is an error, not an absence.
fn seconds(claims: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, AssertionError> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => match value.as_u64() {
            Some(seconds) => Ok(Some(Timestamp::from_secs(seconds))),
            None => Err(AssertionError("the assertion has a time that is no number of seconds")),
        },
    }
}
