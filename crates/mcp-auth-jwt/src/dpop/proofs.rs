//! Judging proofs: at a resource, where the token says which key, and at a token endpoint, where the proof does.

use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use http::{HeaderMap, Method};
use mcp_core::{AuthError, ConfigError, RequestHead, Timestamp};

use super::nonce::Nonces;
use super::proof::Proof;
use super::replay::{Replay, Seen};
use super::{Demand, Dpop, MAX_AGE};
use crate::Algorithm;

/// Judges DPoP proofs and remembers them: for servers that ask for them elsewhere than in a
/// [`JwtAuthenticator`](crate::JwtAuthenticator), such as at a token endpoint (RFC 9449 §5).
///
/// ```
/// use http::{HeaderMap, Method};
/// use mcp_auth_jwt::{Dpop, DpopError, DpopProofs};
/// use mcp_core::Timestamp;
///
/// let proofs = DpopProofs::new(&Dpop::new())?;
/// let now = Timestamp::from_secs(1_800_000_000);
/// let verify = |headers: &HeaderMap| {
///     proofs.verify(headers, &Method::POST, "https://mcp.example.com/token", None, now)
/// };
/// assert_eq!(verify(&HeaderMap::new()).unwrap_err(), DpopError::Missing);
///
/// let mut headers = HeaderMap::new();
/// headers.insert("dpop", "e30.e30.AA".parse()?);
/// assert!(matches!(verify(&headers), Err(DpopError::Invalid(_))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct DpopProofs {
    algorithms: Vec<Algorithm>,
    max_age: Duration,
    required: bool,
    nonces: Option<(Nonces, Demand)>,
    replay: Mutex<Replay>,
}

/// A proof in which everything is right but, perhaps, that it was used before. Made by [`DpopProofs::verify`] only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DpopProof {
    thumbprint: String,
    id: String,
    usable_until: Timestamp,
}

impl DpopProof {
    /// The thumbprint of the key that made it: the `jkt` of whatever is bound to it (RFC 7638, RFC 9449 §6.1).
    #[must_use]
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// Its `jti`: of the peer's own making, at most 256 bytes, good once for this key.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The last moment at which it would be taken: for so long, whoever must see it once only has to remember it.
    #[must_use]
    pub fn usable_until(&self) -> Timestamp {
        self.usable_until
    }
}

/// Why a request does not prove a key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DpopError {
    /// There is no `DPoP` header.
    Missing,
    /// What is there is no proof, or one of something else; what is wrong, in words for the peer.
    Invalid(&'static str),
    /// The proof must carry this nonce (RFC 9449 §8).
    Nonce(String),
}

impl fmt::Display for DpopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "the request has no DPoP header",
            Self::Invalid(why) => why,
            Self::Nonce(_) => "the DPoP proof needs the given nonce",
        })
    }
}

impl std::error::Error for DpopError {}

impl DpopProofs {
    /// Makes ready what was chosen.
    ///
    /// # Errors
    /// When it cannot be safe: symmetric algorithms or none, proofs of an age over 5 minutes, room for under 1000.
    pub fn new(dpop: &Dpop) -> Result<Self, ConfigError> {
        if dpop.algorithms.is_empty() || dpop.algorithms.iter().any(|algorithm| algorithm.is_symmetric()) {
            return Err(ConfigError::new(
                "DPoP proofs are signed by public keys: name one or more of ES256, ES384, ES512, EdDSA, RS*, PS* in \
                 Dpop::algorithms()",
            ));
        }
        if dpop.max_age > MAX_AGE || dpop.max_age.is_zero() {
            return Err(ConfigError::new(
                "the age of a DPoP proof must be between 1 s and 5 minutes: change Dpop::max_age()",
            ));
        }
        if dpop.remembered < 1000 {
            return Err(ConfigError::new(
                "Dpop::remembered_proofs() is under 1000, which a few clients fill: leave the default",
            ));
        }
        Ok(Self {
            algorithms: dpop.algorithms.clone(),
            max_age: dpop.max_age,
            required: dpop.required,
            nonces: dpop.nonces.as_ref().map(|(key, demand)| (Nonces::new(key), *demand)),
            replay: Mutex::new(Replay::new(dpop.remembered)),
        })
    }

    /// Whether tokens that are not bound to a key are refused.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.required
    }

    /// A nonce for the `DPoP-Nonce` header of an answer (RFC 9449 §8.2), where nonces are offered or required.
    #[must_use]
    pub fn nonce(&self, now: Timestamp) -> Option<String> {
        self.nonces.as_ref().map(|(nonces, _)| nonces.make(now))
    }

    /// The checks of RFC 9449 §4.3 but for the key, which is whichever the proof was made with, and for replay, which is
    /// the caller's: it knows where the proof must not be seen twice. `url` is the public URL of the request; `token` the
    /// access token that comes with it, if one does.
    ///
    /// # Errors
    /// When there is not exactly one proof, or anything about it is wrong.
    pub fn verify(
        &self,
        headers: &HeaderMap,
        method: &Method,
        url: &str,
        token: Option<&str>,
        now: Timestamp,
    ) -> Result<DpopProof, DpopError> {
        let mut values = headers.get_all("dpop").iter();
        let Some(header) = values.next() else { return Err(DpopError::Missing) };
        if values.next().is_some() {
            return Err(DpopError::Invalid("there is more than one DPoP header"));
        }
        let text = header
            .to_str()
            .ok()
            .filter(|text| text.len() <= MAX_PROOF)
            .ok_or(DpopError::Invalid("the DPoP header is not a proof"))?;
        let proof = Proof::read(text, &self.algorithms).map_err(DpopError::Invalid)?;
        proof.check(method.as_str(), url, token).map_err(DpopError::Invalid)?;
        if now.since(proof.made_at) > self.max_age || proof.made_at.since(now) > self.max_age {
            return Err(DpopError::Invalid("the proof is too old or from the future"));
        }
        if let Some((nonces, demand)) = &self.nonces {
            let good = match &proof.nonce {
                Some(nonce) => nonces.is_good(nonce, now),
                None => *demand == Demand::Nothing,
            };
            if !good {
                return Err(DpopError::Nonce(nonces.make(now)));
            }
        }
        let usable_until = proof.made_at + self.max_age;
        Ok(DpopProof { thumbprint: proof.thumbprint, id: proof.id, usable_until })
    }

    /// All checks of RFC 9449 §4.3 and §7.1, for a request with a token that is bound to the key with this thumbprint. A
    /// proof is good once in this process.
    ///
    /// # Errors
    /// As an authenticator answers: an invalid token where the proof is missing; an invalid proof; a nonce to use; 429 and
    /// 503 where too many proofs have to be remembered.
    pub fn check(
        &self,
        request: &RequestHead<'_>,
        token: &str,
        thumbprint: &str,
        now: Timestamp,
    ) -> Result<(), AuthError> {
        let verified =
            self.verify(request.headers(), request.method(), &request.public_url(), Some(token), now);
        let proof = verified.map_err(|error| match error {
            DpopError::Missing => AuthError::invalid_token("a bound token needs exactly one DPoP header"),
            DpopError::Invalid(why) => AuthError::invalid_proof(why),
            DpopError::Nonce(nonce) => AuthError::proof_nonce(nonce),
        })?;
        if proof.thumbprint != thumbprint {
            return Err(AuthError::invalid_proof(
                "the proof is made with another key than the token is bound to",
            ));
        }
        // Last, so that only a proof that is good in all else takes room.
        let mut replay = self.replay.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match replay.see(thumbprint, &proof.id, proof.usable_until, now) {
            Seen::First => Ok(()),
            Seen::Again => Err(AuthError::invalid_proof("the proof was used before")),
            Seen::TooMany => Err(AuthError::too_many(Duration::from_secs(10))),
            Seen::Full => Err(AuthError::unavailable(Duration::from_secs(10))
                .log("the memory of DPoP proofs is full: raise Dpop::remembered_proofs or lower max_age")),
        }
    }
}

impl fmt::Debug for DpopProofs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DpopProofs")
            .field("algorithms", &self.algorithms)
            .field("max_age", &self.max_age)
            .field("required", &self.required)
            .finish_non_exhaustive()
    }
}

const MAX_PROOF: usize = 8 * 1024;
