//! Tokens that are bound to a key, and the proofs of it (RFC 9449): at the endpoints for clients, and with each request.

mod policy;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode};
use mcp_auth_jwt::{DpopError, DpopProof, DpopProofs};
use mcp_core::{AuthError, ConfigError, RequestHead, Timestamp};
use mcp_store::{Batch, Name, Partition, Vault};

use crate::client::Client;
use crate::engine::Engine;
use crate::grant::{Known, commit};
use crate::wire::OAuthError;

pub use policy::DpopPolicy;

/// The header a proof comes in.
pub(crate) const DPOP: HeaderName = HeaderName::from_static("dpop");
/// The header a nonce goes out in.
pub(crate) const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// How long a proof is remembered beyond its end. The clock is read again by the commit, and nodes may disagree a little.
const MARGIN: Duration = Duration::from_secs(60);

/// Judges proofs for the whole server.
#[derive(Debug)]
pub(crate) struct DpopChecks {
    proofs: DpopProofs,
    algorithms: Vec<String>,
}

impl DpopChecks {
    pub(crate) fn start(policy: &DpopPolicy, vault: &Vault) -> Result<Self, ConfigError> {
        let rules = policy.rules(vault)?;
        Ok(Self { proofs: DpopProofs::new(&rules)?, algorithms: rules.algorithm_names() })
    }

    /// `dpop_signing_alg_values_supported` (RFC 9449 §5.1).
    pub(crate) fn algorithms(&self) -> &[String] {
        &self.algorithms
    }

    /// Whether only bound tokens are given and taken.
    pub(crate) fn is_required(&self) -> bool {
        self.proofs.is_required()
    }

    /// A nonce for the header [`DPOP_NONCE`], where nonces are given.
    pub(crate) fn nonce(&self, engine: &Engine) -> Option<HeaderValue> {
        self.proofs.nonce(engine.now()).and_then(|nonce| HeaderValue::try_from(nonce).ok())
    }

    /// The key that a client proves with its request to the endpoint at `path`; `None` if it proves none and need not.
    ///
    /// The proof is not spent yet: see [`ProvenKey::spend`].
    ///
    /// # Errors
    /// 400 `invalid_dpop_proof` for a wrong one, and without one where the client's tokens must be bound (attack DP15); 400
    /// `use_dpop_nonce`. A wrong proof is never taken for none.
    pub(crate) fn prove(
        &self,
        engine: &Engine,
        head: &Parts,
        path: &str,
        client: &Client,
    ) -> Result<Option<ProvenKey>, OAuthError> {
        let url = engine.url.join(path);
        match self.proofs.verify(&head.headers, &head.method, &url, None, engine.now()) {
            Ok(proof) => Ok(Some(ProvenKey::new(&proof))),
            Err(DpopError::Missing) if !client.dpop_bound && !self.is_required() => Ok(None),
            Err(DpopError::Missing) => {
                Err(invalid("the client's tokens are bound to a key: a DPoP proof is needed"))
            }
            Err(DpopError::Invalid(why)) => Err(invalid(why)),
            Err(DpopError::Nonce(nonce)) => {
                let error = OAuthError::new(
                    StatusCode::BAD_REQUEST,
                    "use_dpop_nonce",
                    "the DPoP proof needs the nonce in the header DPoP-Nonce",
                );
                Err(match HeaderValue::try_from(nonce) {
                    Ok(nonce) => error.with_header(DPOP_NONCE, nonce),
                    Err(_) => error,
                })
            }
            Err(_) => Err(invalid("the DPoP header is not a proof")),
        }
    }

    /// Whether a request may use a token of ours that comes with the scheme `DPoP`.
    ///
    /// # Errors
    /// When the token is not bound, or its key is not proved for this request.
    pub(crate) fn admit(
        &self,
        engine: &Engine,
        request: &RequestHead<'_>,
        token: &str,
        known: &Known,
    ) -> Result<(), AuthError> {
        let Some(jkt) = &known.jkt else {
            return Err(AuthError::invalid_token(
                "the token is not bound to a key and must be presented as Bearer",
            ));
        };
        self.proofs.check(request, token, jkt, engine.now())
    }

    /// Whether a token of ours may be used that comes with the scheme `Bearer`.
    ///
    /// # Errors
    /// When it is bound to a key, which is not proved then (spec EXT-DP-06); and when every token has to be.
    pub(crate) fn admit_bearer(&self, known: &Known) -> Result<(), AuthError> {
        if known.jkt.is_some() {
            return Err(AuthError::invalid_token(
                "the token is bound to a key and must be presented with a DPoP proof",
            ));
        }
        if self.is_required() {
            return Err(AuthError::invalid_token("only tokens that are bound to a key are accepted here"));
        }
        Ok(())
    }
}

/// A key that a client proved with this request. Made by [`DpopChecks::prove`] only.
pub(crate) struct ProvenKey {
    jkt: String,
    /// The `jti` of the proof.
    id: String,
    usable_until: Timestamp,
    spent: AtomicBool,
}

impl ProvenKey {
    fn new(proof: &DpopProof) -> Self {
        Self {
            jkt: proof.thumbprint().to_owned(),
            id: proof.id().to_owned(),
            usable_until: proof.usable_until(),
            spent: AtomicBool::new(false),
        }
    }

    /// A key that nobody proved.
    #[cfg(test)]
    pub(crate) fn for_tests(jkt: &str) -> Self {
        let (jkt, id) = (jkt.to_owned(), String::new());
        Self { jkt, id, usable_until: Timestamp::default(), spent: AtomicBool::new(true) }
    }

    /// The thumbprint of the key.
    pub(crate) fn jkt(&self) -> &str {
        &self.jkt
    }

    /// Uses the proof up, on all nodes at once; further calls for the same request do nothing.
    ///
    /// To be called when everything else about the request was found right, just before the commit that gives: then nobody
    /// fills the store with proofs of nothing, and a refused request costs the client no proof.
    ///
    /// # Errors
    /// 400 `invalid_dpop_proof` when it was used before; 503 when the store does not answer.
    pub(crate) async fn spend(&self, engine: &Engine) -> Result<(), OAuthError> {
        if self.spent.load(Ordering::Relaxed) {
            return Ok(());
        }
        // The key is part of the name: nobody can use up an id that another key's owner will choose.
        let parts = [self.jkt.as_bytes(), self.id.as_bytes()];
        let partition = engine.vault.keyed_name("dpop proof", &parts);
        #[expect(
            clippy::expect_used,
            reason = "43 characters of base64url are a partition, and a word is a name"
        )]
        let (partition, seen) =
            (Partition::new(partition).expect("a digest"), Name::new("seen").expect("a word"));
        let until = self.usable_until + MARGIN;
        let batch = Batch::new().require_absent(seen.clone()).put(seen.clone(), "", Some(until));
        if !commit(engine, &partition, batch, &seen).await? {
            return Err(invalid("the proof was used before"));
        }
        self.spent.store(true, Ordering::Relaxed);
        Ok(())
    }
}

impl fmt::Debug for ProvenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProvenKey({})", self.jkt())
    }
}

/// Spends a proof, if there is one.
///
/// # Errors
/// As [`ProvenKey::spend`].
pub(crate) async fn spend(engine: &Engine, key: Option<&ProvenKey>) -> Result<(), OAuthError> {
    match key {
        Some(key) => key.spend(engine).await,
        None => Ok(()),
    }
}

fn invalid(description: &'static str) -> OAuthError {
    OAuthError::new(StatusCode::BAD_REQUEST, "invalid_dpop_proof", description)
}
