//! What an operator may choose of DPoP.
//!
//! ```
//! use std::time::Duration;
//! use mcp_auth_provider::DpopPolicy;
//!
//! // Every token is bound, and no proof can be made in advance.
//! let strict = DpopPolicy::new().required().require_nonces().max_age(Duration::from_secs(60));
//! assert_ne!(strict, DpopPolicy::new());
//! ```

use std::time::Duration;

use mcp_auth_jwt::Dpop;
use mcp_core::{ConfigError, SecretKey};
use mcp_store::Vault;

use crate::OAuthProvider;

/// How proofs of possession are handled (RFC 9449).
///
/// Without further words, a client that proves a key gets tokens that are bound to it, and one that does not gets bearer
/// tokens. Proofs are signed ES256, ES384, EdDSA, RS256 or PS256 and up to 5 minutes old.
///
/// | where | a proof is good once |
/// |---|---|
/// | token endpoint | on all nodes: it is claimed in the store, together with nothing else |
/// | resources | on each node: a memory of 200,000 proofs, so that requests cost no write |
///
/// With several nodes, whoever sees a proof on its way could use it once more at each other node within its time, for the same
/// URL, method and token; requiring nonces does not change that, lowering [`max_age`](Self::max_age) does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DpopPolicy {
    required: bool,
    nonces: Nonces,
    max_age: Duration,
}

/// What is done with nonces of ours (RFC 9449 §8, §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nonces {
    Off,
    Offered,
    Required,
}

impl Default for DpopPolicy {
    fn default() -> Self {
        Self::new()
    }
}

impl DpopPolicy {
    /// Tokens are bound for clients that ask for it; no nonces.
    #[must_use]
    pub fn new() -> Self {
        Self { required: false, nonces: Nonces::Off, max_age: Duration::from_secs(300) }
    }

    /// Gives and takes no token that is not bound to a key. Unbound ones that were given before are refused from then on.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Sends a nonce with the answers of the token endpoint and checks those that come back, but takes proofs without one
    /// too.
    #[must_use]
    pub fn offer_nonces(mut self) -> Self {
        self.nonces = Nonces::Offered;
        self
    }

    /// Demands a nonce of ours in each proof, at the token endpoint and at resources, so that none can be made in advance.
    /// Each is good for 5 minutes on every node of this store; there is nothing to remember.
    #[must_use]
    pub fn require_nonces(mut self) -> Self {
        self.nonces = Nonces::Required;
        self
    }

    /// How far from now the `iat` of a proof may be, in either direction. 5 minutes unless said and at most.
    #[must_use]
    pub fn max_age(mut self, span: Duration) -> Self {
        self.max_age = span;
        self
    }

    /// The same for whoever judges proofs. The key of the nonces is the store's, so all its nodes have the same.
    pub(super) fn rules(&self, vault: &Vault) -> Result<Dpop, ConfigError> {
        let mut rules = Dpop::new().max_age(self.max_age);
        if self.required {
            rules = rules.required();
        }
        let key = SecretKey::new(vault.keyed_hash("dpop nonces", &[]))?;
        Ok(match self.nonces {
            Nonces::Off => rules,
            Nonces::Offered => rules.offer_nonce(key),
            Nonces::Required => rules.require_nonce(key),
        })
    }
}

impl OAuthProvider {
    /// How proofs of possession are handled.
    #[must_use]
    pub fn dpop(self, policy: DpopPolicy) -> Self {
        self.with_dpop(policy)
    }
}
