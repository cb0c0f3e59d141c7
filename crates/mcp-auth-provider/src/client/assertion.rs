//! Clients that prove themselves by a signed assertion (`private_key_jwt`, RFC 7523 §2.2 and §3).

use std::net::IpAddr;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use mcp_auth_jwt::Algorithm;
use mcp_auth_jwt::assertion::{Expected, PublicKeys, UnverifiedAssertion, VerifiedAssertion};
use mcp_core::Timestamp;
use mcp_core::limits::{Limits, Rate, Verdict};
use mcp_store::{Batch, Committed, Name, Partition, StoreError};
use serde_json::Value;

use super::authenticate::Refused;
use super::basic::Presented;
use super::clients::{Clients, Found};
use super::key_sets::KeyError;
use super::quota::block;
use super::{ClientAuthentication, ClientOrigin};
use crate::engine::Engine;

/// How far a client's clock may be from ours.
const LEEWAY: Duration = Duration::from_secs(30);

/// How many good assertions one address may show of clients that the operator did not name, and of one such client: so many at
/// once, and so many a second. Each is kept for up to an hour, and whoever registered itself can sign as many as it likes.
const FROM_ADDRESS: (u32, u32) = (200, 10);
const OF_CLIENT: (u32, u32) = (100, 5);
/// How many addresses and clients are remembered.
const ROOM: usize = 4096;

/// Counts good assertions of clients that the operator did not name.
#[derive(Debug)]
pub(super) struct Shown {
    addresses: Limits,
    clients: Limits,
}

impl Shown {
    pub(super) fn new() -> Self {
        let rates = |(burst, pace)| {
            Limits::new().capacity(ROOM).requests_per_principal(Rate::per_second(pace).burst(burst))
        };
        Self { addresses: rates(FROM_ADDRESS), clients: rates(OF_CLIENT) }
    }

    /// Counts one more. Apart by address, so that nobody who shares a client's program holds up another.
    fn admit(&self, now: Timestamp, client: &str, address: Option<IpAddr>) -> Result<(), Duration> {
        let from = address.map(|address| block(address).to_string());
        self.clients.admit(now, &format!("{} {client}", from.as_deref().unwrap_or_default()))?;
        from.map_or(Ok(()), |from| self.addresses.admit(now, &from))
    }
}

impl Clients {
    /// The client that an assertion proves.
    pub(super) async fn by_assertion(
        &self,
        engine: &Engine,
        presented: &Presented<'_>,
        text: &str,
        address: Option<IpAddr>,
    ) -> Result<Found, Refused> {
        let hash = digest(&SHA256, text.as_bytes());
        let hash: [u8; 32] = hash.as_ref().try_into().unwrap_or_default();
        // A signature costs more to check than to send, and a key set more than both.
        if let Verdict::KnownBad(wait) | Verdict::Suspicious(wait) =
            self.guesses.addresses().check(engine.now(), address, &hash)
        {
            return Err(Refused::Later(wait));
        }
        let result = self.by_checked_assertion(engine, presented, text, address).await;
        if let Err(Refused::Denied(_)) = &result {
            self.guesses.addresses().failed(engine.now(), address, &hash);
        }
        result
    }

    async fn by_checked_assertion(
        &self,
        engine: &Engine,
        presented: &Presented<'_>,
        text: &str,
        address: Option<IpAddr>,
    ) -> Result<Found, Refused> {
        let assertion = UnverifiedAssertion::read(text).map_err(|error| Refused::Denied(error.reason()))?;
        let id = assertion.subject().ok_or(Refused::Denied("the assertion is about nobody, sub"))?.to_owned();
        if presented.id.as_ref().is_some_and(|named| *named != id) {
            return Err(Refused::Denied("the assertion is about another client than the request names"));
        }
        let found = self.named(engine, &id, address).await?;
        let ClientAuthentication::PrivateKeyJwt { jwks, jwks_uri, algorithm, .. } =
            &found.client.authentication
        else {
            return Err(Refused::Denied("the client registered another way to prove itself"));
        };
        // The issuer, and one text: an assertion for another server, or for several, must not be good here (attack TK18).
        let token_endpoint = engine.url.join(&engine.paths.token);
        let mut expected = Expected::of_client(&id, engine.issuer.as_str()).leeway(LEEWAY);
        if self.token_endpoint_audience {
            expected = expected.or_audience(&token_endpoint);
        }
        if let Some(algorithm) = algorithm.as_deref().and_then(Algorithm::from_name) {
            expected = expected.algorithms([algorithm]);
        }
        let now = engine.now();
        let plausible = assertion.check(&expected, now).map_err(|error| Refused::Denied(error.reason()))?;
        let verified = match (jwks, jwks_uri) {
            (Some(set), _) => {
                let keys = PublicKeys::strict(set).map_err(Refused::Denied)?;
                plausible
                    .verify(&keys)
                    .map_err(|_| Refused::Denied("the signature of the assertion is wrong"))?
            }
            (None, Some(url)) => {
                let sets = self.key_sets().ok_or(Refused::Denied("key sets cannot be fetched here"))?;
                sets.verify(url, &plausible, address).await.map_err(|error| match error {
                    KeyError::Wrong(why) => Refused::Denied(why),
                    KeyError::Later(span) => Refused::Unavailable(span),
                })?
            }
            (None, None) => return Err(Refused::Denied("the client has no keys")),
        };
        if found.client.origin != ClientOrigin::Operator {
            self.shown.admit(now, &id, address).map_err(Refused::Later)?;
        }
        if claim(engine, &id, &verified).await? {
            Ok(found)
        } else {
            Err(Refused::Denied("the assertion was used before"))
        }
    }
}

/// Takes the name of an assertion, once on all nodes and for as long as it could be shown again. `false` if it was taken.
///
/// In a partition of its own: an assertion that was used for a request which then fails is used all the same.
async fn claim(engine: &Engine, client: &str, assertion: &VerifiedAssertion) -> Result<bool, StoreError> {
    let partition = engine.vault.keyed_name("assertion", &[client.as_bytes(), assertion.id().as_bytes()]);
    #[expect(clippy::expect_used, reason = "43 characters of base64url, and a short word, are keys")]
    let (partition, name) = (
        Partition::new(partition).expect("a digest is a partition"),
        Name::new("used").expect("a word is a name"),
    );
    // A second longer than it could pass, for the rounding of clocks.
    let end: Timestamp = assertion.expires_at() + LEEWAY + Duration::from_secs(1);
    let batch = Batch::new().require_absent(name.clone()).put_json(name, &Value::Null, Some(end))?;
    Ok(matches!(engine.vault.commit(&partition, batch).await?, Committed::Done(_)))
}
