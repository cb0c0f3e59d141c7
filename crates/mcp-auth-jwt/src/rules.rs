//! What an issuer's token must say to be accepted: decided from the token, the time and the resource, without I/O.

use std::time::Duration;

use mcp_core::{
    Audience, AuthError, AuthMethod, Identity, IdentityBuilder, Issuer, ProtectedResource, Scope, Scopes,
    Timestamp,
};
use serde_json::{Map, Value};

use crate::Algorithm;
use crate::issuer::ClaimMapper;
use crate::jws::{Jws, Signed};
use crate::keys::Fingerprint;
use crate::profile::TokenProfile;

/// The rules of one issuer.
pub(crate) struct Rules {
    pub(crate) issuer: Issuer,
    pub(crate) algorithms: Vec<Algorithm>,
    /// Empty: the resource's own identifier.
    pub(crate) audiences: Vec<Audience>,
    pub(crate) leeway: Duration,
    pub(crate) max_lifetime: Option<Duration>,
    pub(crate) profile: TokenProfile,
    pub(crate) map: Option<ClaimMapper>,
}

/// A token that says all the right things. Whether it may say them, its signature tells.
pub(crate) struct Plausible<'a> {
    pub(crate) signed: Signed<'a>,
    pub(crate) expires: Timestamp,
    issued_at: Option<Timestamp>,
    bound_to: Option<Box<str>>,
    claims: Map<String, Value>,
}

/// Which key signed the token of an identity, so that streams end when that key is withdrawn.
#[derive(Clone, Copy)]
pub(crate) struct SignedBy {
    pub(crate) issuer: usize,
    pub(crate) key: Fingerprint,
}

/// Whom a verified token names. It is made from a token whose signature was checked, and nowhere else.
pub(crate) struct VerifiedToken {
    pub(crate) identity: Identity,
    pub(crate) expires: Timestamp,
    /// The thumbprint of the key a proof must be made with (RFC 9449 §6.1).
    pub(crate) bound_to: Option<Box<str>>,
}

impl Rules {
    /// Judges everything but the signature. That comes last, so that an expired or misdirected token costs neither a
    /// signature check nor a fetch of keys.
    pub(crate) fn judge<'a>(
        &self,
        jws: Jws<'a>,
        now: Timestamp,
        resource: &ProtectedResource,
    ) -> Result<Plausible<'a>, AuthError> {
        let signed = Signed::of(&jws, &self.algorithms)?;
        let claims = &jws.claims;
        self.profile.admit(jws.header.kind(), claims).map_err(AuthError::invalid_token)?;
        let (expires, issued_at) = self.judge_times(claims, now)?;
        self.judge_audience(claims, resource)?;
        match claims.get("sub") {
            Some(Value::String(subject)) if !subject.is_empty() => {}
            _ => return Err(AuthError::invalid_token("the token has no subject, sub")),
        }
        let bound_to = match claims.get("cnf") {
            None => None,
            Some(binding) => Some(thumbprint(binding).ok_or_else(|| {
                AuthError::invalid_token(
                    "the token is bound to its holder in a way that is not supported here",
                )
            })?),
        };
        Ok(Plausible { signed, expires, issued_at, bound_to, claims: jws.claims })
    }

    fn judge_times(
        &self,
        claims: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<(Timestamp, Option<Timestamp>), AuthError> {
        // RFC 7519 §4.1.4: on or after `exp`, the token is over. No leeway here: a client whose token ended gets a new
        // one, and nobody is helped by a longer life.
        let Some(expires) = seconds(claims, "exp")? else {
            return Err(AuthError::invalid_token("the token has no end, exp"));
        };
        if now >= expires {
            return Err(AuthError::invalid_token("the token has expired"));
        }
        // An issuer's clock may be ahead of ours, and clients use tokens at once.
        if seconds(claims, "nbf")?.is_some_and(|begin| begin > now + self.leeway) {
            return Err(AuthError::invalid_token("the token is not valid yet"));
        }
        let issued_at = seconds(claims, "iat")?;
        if issued_at.is_some_and(|at| at > now + self.leeway) {
            return Err(AuthError::invalid_token("the token was issued in the future"));
        }
        if self.max_lifetime.is_some_and(|most| expires.since(issued_at.unwrap_or(now)) > most) {
            return Err(AuthError::invalid_token("the token lives longer than is allowed here"));
        }
        Ok((expires, issued_at))
    }

    fn judge_audience(
        &self,
        claims: &Map<String, Value>,
        resource: &ProtectedResource,
    ) -> Result<(), AuthError> {
        let meant = |audience: &str| {
            if self.audiences.is_empty() {
                is_identifier(resource, audience)
            } else {
                self.audiences.iter().any(|one| one.as_str() == audience)
            }
        };
        let ours = match claims.get("aud") {
            Some(Value::String(audience)) => meant(audience),
            // One that is no text makes the whole list unreadable.
            Some(Value::Array(all)) => {
                all.iter().all(Value::is_string) && all.iter().filter_map(Value::as_str).any(meant)
            }
            _ => return Err(AuthError::invalid_token("the token has no audience, aud")),
        };
        if ours { Ok(()) } else { Err(AuthError::invalid_token("the token was issued for another resource")) }
    }

    /// Makes the identity of a token whose signature `signed_by` vouches for.
    pub(crate) fn accept(
        &self,
        token: Plausible<'_>,
        signed_by: SignedBy,
    ) -> Result<VerifiedToken, AuthError> {
        let claims = token.claims;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let mut builder = Identity::new(self.issuer.clone(), text("sub").unwrap_or_default())
            .scopes(scopes(&claims))
            .expires_at(token.expires)
            .extension(signed_by);
        if let Some(client) = self.profile.client(&claims) {
            builder = builder.client(client);
        }
        if let Some(id) = text("jti") {
            builder = builder.token_id(id);
        }
        if let Some(at) = token.issued_at {
            builder = builder.issued_at(at);
        }
        if token.bound_to.is_some() {
            builder = builder.method(AuthMethod::Dpop);
        }
        builder = match claims.get("aud") {
            Some(Value::String(audience)) => builder.audience(audience.as_str()),
            Some(Value::Array(all)) => {
                all.iter().filter_map(Value::as_str).fold(builder, IdentityBuilder::audience)
            }
            _ => builder,
        };
        let builder = match &self.map {
            Some(map) => map(&claims, builder.claims(claims.clone()))?,
            None => builder.claims(claims),
        };
        Ok(VerifiedToken { identity: builder.build(), expires: token.expires, bound_to: token.bound_to })
    }
}

/// Compared byte for byte (RFC 8707 §2), but for one thing: an origin and the same with a slash are one URL (RFC 3986
/// §6.2.3), and URL parsers of clients add that slash.
pub(crate) fn is_identifier(resource: &ProtectedResource, audience: &str) -> bool {
    let own = resource.identifier();
    audience == own || (own == resource.site().origin() && audience.strip_suffix('/') == Some(own))
}

/// A `NumericDate`: whole seconds, nothing negative, no text. Anything else is an error, not an absence (CVE-2026-25537).
fn seconds(claims: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, AuthError> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => match value.as_u64() {
            Some(seconds) => Ok(Some(Timestamp::from_secs(seconds))),
            None => Err(AuthError::invalid_token("the token has a time that is no number of seconds")),
        },
    }
}

/// The `jkt` of a confirmation claim, if that is all there is in it.
fn thumbprint(binding: &Value) -> Option<Box<str>> {
    match binding.as_object()?.get("jkt")? {
        Value::String(jkt) if binding.as_object()?.len() == 1 => Some(jkt.as_str().into()),
        _ => None,
    }
}

/// The scopes in `scope` and `scp`, each a text with spaces or an array.
fn scopes(claims: &Map<String, Value>) -> Scopes {
    let mut found: Vec<Scope> = Vec::new();
    for name in ["scope", "scp"] {
        match claims.get(name) {
            Some(Value::String(text)) => found.extend(Scopes::parse(text).iter().cloned()),
            Some(Value::Array(list)) => found.extend(
                list.iter()
                    .filter_map(Value::as_str)
                    .flat_map(|text| text.split(' '))
                    .filter_map(|text| Scope::parse(text).ok()),
            ),
            _ => {}
        }
    }
    found.into_iter().collect()
}
