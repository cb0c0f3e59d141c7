//! Tokens bound to a key, and the proofs that whoever presents one has it (RFC 9449, spec EXT-DP).
//!
//! A stolen bearer token is as good as the owner's. A bound one is not: each request carries a proof, signed by the key
//! the token names in `cnf`, for this method, this URL, this token and this moment.

mod nonce;
mod proof;
mod proofs;
mod replay;

use std::fmt;
use std::time::Duration;

use mcp_core::SecretKey;

pub use self::proofs::{DpopError, DpopProof, DpopProofs};

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
    nonces: Option<(SecretKey, Demand)>,
}

/// What is asked of a proof without a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Demand {
    Nothing,
    Nonce,
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
        self.nonces = Some((key, Demand::Nonce));
        self
    }

    /// Hands out nonces and checks those that come back, but also takes proofs without one: for the time in which clients
    /// learn of nonces. As [`require_nonce`](Self::require_nonce) otherwise.
    #[must_use]
    pub fn offer_nonce(mut self, key: SecretKey) -> Self {
        self.nonces = Some((key, Demand::Nothing));
        self
    }

    pub(crate) fn is_required(&self) -> bool {
        self.required
    }

    /// The `alg` values proofs may be signed by: `dpop_signing_alg_values_supported` (RFC 9449 §5.1).
    #[must_use]
    pub fn algorithm_names(&self) -> Vec<String> {
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

const MAX_AGE: Duration = Duration::from_secs(5 * 60);
