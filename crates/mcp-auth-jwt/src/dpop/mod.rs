//! Tokens bound to a key, and the proofs that whoever presents one has it (RFC 9449, spec EXT-DP).
//!
//! A stolen bearer token is as good as the owner's. A bound one is not: each request carries a proof, signed by the key
//! the token names in `cnf`, for this method, this URL, this token and this moment.

mod nonce;
mod proof;
mod replay;

use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use mcp_core::{AuthError, ConfigError, RequestHead, SecretKey, Timestamp};

use self::nonce::Nonces;
use self::proof::Proof;
use self::replay::{Replay, Seen};
use crate::Algorithm;

/// How DPoP proofs are judged.
///
/// ```
/// use std::time::Duration;
/// use mcp_auth_jwt::{Dpop, JwtAuthenticator, Keys};
/// use mcp_core::SecretKey;
///
/// let keys = Keys::shared_secret(SecretKey::random());
/// let tokens = JwtAuthenticator::keys("urn:example", keys)
///     .dpop(Dpop::new().required().max_age(Duration::from_secs(60)));
/// # drop(tokens);
/// ```
#[derive(Clone)]
pub struct Dpop {
    algorithms: Vec<Algorithm>,
    max_age: Duration,
    remembered: usize,
    required: bool,
    nonces: Option<SecretKey>,
}

impl Dpop {
    /// Accepts bound tokens with proofs by ES256, ES384, EdDSA, RS256 or PS256 that are up to 5 minutes old; unbound
    /// tokens are accepted as before.
    #[must_use]
    pub fn new() -> Self {
        Self {
            algorithms: vec![
                Algorithm::ES256,
                Algorithm::ES384,
                Algorithm::EdDSA,
                Algorithm::RS256,
                Algorithm::PS256,
            ],
            max_age: MAX_AGE,
            remembered: 200_000,
            required: false,
            nonces: None,
        }
    }

    /// Refuses tokens that are not bound to a key.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The algorithms proofs may be signed by, none of them symmetric.
    #[must_use]
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = algorithms.into_iter().collect();
        self
    }

    /// How far from now the `iat` of a proof may be, in either direction. 5 minutes unless said and at most.
    #[must_use]
    pub fn max_age(mut self, span: Duration) -> Self {
        self.max_age = span;
        self
    }

    /// How many proofs are remembered so that none is good twice, each for as long as it could be used. 200,000 unless
    /// said, about 20 MB when full. One key may take a quarter of them; then it is answered 429, and a full memory is 503.
    #[must_use]
    pub fn remembered_proofs(mut self, proofs: usize) -> Self {
        self.remembered = proofs;
        self
    }

    /// Demands a nonce of ours in each proof (RFC 9449 §9), so that none can be made in advance. Each is good for 5
    /// minutes, on every node with the same key.
    #[must_use]
    pub fn require_nonce(mut self, key: SecretKey) -> Self {
        self.nonces = Some(key);
        self
    }

    pub(crate) fn is_required(&self) -> bool {
        self.required
    }

    pub(crate) fn algorithm_names(&self) -> Vec<String> {
        self.algorithms.iter().map(|algorithm| algorithm.name().to_owned()).collect()
    }
}

impl Default for Dpop {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Dpop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dpop")
            .field("algorithms", &self.algorithms)
            .field("max_age", &self.max_age)
            .field("required", &self.required)
            .finish_non_exhaustive()
    }
}

/// Judges proofs, and remembers them.
pub(crate) struct ProofChecker {
    algorithms: Vec<Algorithm>,
    max_age: Duration,
    required: bool,
    nonces: Option<Nonces>,
    replay: Mutex<Replay>,
}

impl ProofChecker {
    pub(crate) fn new(dpop: &Dpop) -> Result<Self, ConfigError> {
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
            nonces: dpop.nonces.as_ref().map(Nonces::new),
            replay: Mutex::new(Replay::new(dpop.remembered)),
        })
    }

    pub(crate) fn is_required(&self) -> bool {
        self.required
    }

    /// The checks of RFC 9449 §4.3, for a request with a token that is bound to the key with this thumbprint.
    pub(crate) fn check(
        &self,
        request: &RequestHead<'_>,
        token: &str,
        thumbprint: &str,
        now: Timestamp,
    ) -> Result<(), AuthError> {
        let mut headers = request.headers().get_all("dpop").iter();
        let (Some(header), None) = (headers.next(), headers.next()) else {
            return Err(AuthError::invalid_token("a bound token needs exactly one DPoP header"));
        };
        let text = header
            .to_str()
            .ok()
            .filter(|text| text.len() <= MAX_PROOF)
            .ok_or_else(|| AuthError::invalid_proof("the DPoP header is not a proof"))?;
        let proof = Proof::read(text, &self.algorithms).map_err(AuthError::invalid_proof)?;
        proof
            .check(request.method().as_str(), &request.public_url(), token)
            .map_err(AuthError::invalid_proof)?;
        if proof.thumbprint != thumbprint {
            return Err(AuthError::invalid_proof(
                "the proof is made with another key than the token is bound to",
            ));
        }
        if now.since(proof.made_at) > self.max_age || proof.made_at.since(now) > self.max_age {
            return Err(AuthError::invalid_proof("the proof is too old or from the future"));
        }
        if let Some(nonces) = &self.nonces
            && !proof.nonce.as_deref().is_some_and(|nonce| nonces.is_good(nonce, now))
        {
            return Err(AuthError::proof_nonce(nonces.make(now)));
        }
        // Last, so that only a proof that is good in all else takes room.
        let until = proof.made_at + self.max_age;
        let seen = self
            .replay
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .see(thumbprint, &proof.id, until, now);
        match seen {
            Seen::First => Ok(()),
            Seen::Again => Err(AuthError::invalid_proof("the proof was used before")),
            Seen::TooMany => Err(AuthError::too_many(Duration::from_secs(10))),
            Seen::Full => Err(AuthError::unavailable(Duration::from_secs(10))
                .log("the memory of DPoP proofs is full: raise Dpop::remembered_proofs or lower max_age")),
        }
    }
}

const MAX_AGE: Duration = Duration::from_secs(5 * 60);
const MAX_PROOF: usize = 8 * 1024;
