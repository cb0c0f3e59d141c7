//! Clients at the token endpoint and its kin: who are they, and can they prove it? (RFC 6749 §2.3, §3.2.1)

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use mcp_core::Timestamp;
use mcp_core::audit::Outcome;
use mcp_store::StoreError;

use super::basic::{Presented, Proof};
use super::clients::{Clients, Found};
use super::documents::looks_like_one;
use super::guesses::Held;
use super::stored::{self, hash};
use super::{Client, ClientAuthentication, ClientError};
use crate::engine::Engine;
use crate::wire::{OAuthError, Params};

/// Why a client is not let in.
#[derive(Debug)]
pub(super) enum Refused {
    /// It is nobody, or did not prove itself. The reason is for the audit trail alone: a peer learns nothing by it.
    Denied(&'static str),
    /// It came too often; look at it again after this time.
    Later(Duration),
    /// We cannot tell; ask again after this time.
    Unavailable(Duration),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        tracing::warn!(error = %error, "the store did not answer for a client");
        Self::Unavailable(Duration::from_secs(2))
    }
}

impl From<Held> for Refused {
    fn from(held: Held) -> Self {
        match held {
            Held::For(span) => Self::Later(span),
            Held::Store(error) => error.into(),
        }
    }
}

impl Clients {
    /// The client that sent a request to the token endpoint (or another for clients), proven as it registered.
    pub(crate) async fn authenticate(
        &self,
        engine: &Engine,
        head: &Parts,
        params: &Params,
    ) -> Result<Arc<Client>, OAuthError> {
        let presented = Presented::read(head, params)?;
        let address = self.address(head);
        let refused = match self.prove(engine, &presented, address).await {
            Ok(found) => {
                if let Some(lease) = &found.lease {
                    stored::keep(engine, &found.client, lease, self.unused_for()).await;
                }
                return Ok(found.client);
            }
            Err(refused) => refused,
        };
        let event = |outcome| {
            let mut event = engine.event("client_authentication", outcome).from_address(address);
            event.client = presented.id.as_deref().map(stored::short);
            event
        };
        Err(match refused {
            Refused::Denied(reason) => {
                engine.audit.record(event(Outcome::Denied).because(reason));
                OAuthError::invalid_client(
                    "the client is unknown or did not prove itself",
                    presented.proof.is_basic(),
                )
            }
            Refused::Later(span) => {
                engine.audit.record(event(Outcome::Denied).because("too many attempts"));
                OAuthError::too_many("this client came too often from here", span)
            }
            Refused::Unavailable(span) => OAuthError::unavailable(span),
        })
    }

    async fn prove(
        &self,
        engine: &Engine,
        presented: &Presented<'_>,
        address: Option<IpAddr>,
    ) -> Result<Found, Refused> {
        match &presented.proof {
            Proof::None => {
                let id = presented.id.as_deref().ok_or(Refused::Denied("the request names no client"))?;
                let found = self.named(engine, id, address).await?;
                if found.client.is_public() {
                    Ok(found)
                } else {
                    Err(Refused::Denied("the client did not prove itself"))
                }
            }
            Proof::Secret { basic, secret } => {
                self.by_secret(engine, presented, *basic, secret, address).await
            }
            Proof::Assertion(text) => self.by_assertion(engine, presented, text, address).await,
            Proof::Unreadable => Err(Refused::Denied("the Authorization header cannot be read")),
        }
    }

    async fn by_secret(
        &self,
        engine: &Engine,
        presented: &Presented<'_>,
        basic: bool,
        secret: &str,
        address: Option<IpAddr>,
    ) -> Result<Found, Refused> {
        let id = presented.id.as_deref().ok_or(Refused::Denied("the request names no client"))?;
        let attempt = self.guesses.admit(engine, id, secret, address).await?;
        // Who is known by a URL has no secret, so nothing is fetched for one.
        let found = match looks_like_one(id) && !self.is_known(id) {
            true => Err(ClientError::Unknown),
            false => self.look_up(engine, id, address).await,
        };
        let found = match found {
            Err(ClientError::Unavailable) => return Err(Refused::Unavailable(Duration::from_secs(2))),
            found => found,
        };
        let client = found.as_ref().ok().map(|found| &*found.client);
        match (is_right(client, basic, secret, engine.now()), found) {
            (Ok(()), Ok(found)) => {
                self.guesses.succeeded(&attempt);
                Ok(found)
            }
            (result, _) => {
                self.guesses.failed(engine, &attempt).await?;
                Err(Refused::Denied(result.err().unwrap_or("there is no such client")))
            }
        }
    }

    /// The client of this name, for a peer at this address.
    pub(super) async fn named(
        &self,
        engine: &Engine,
        id: &str,
        address: Option<IpAddr>,
    ) -> Result<Found, Refused> {
        self.look_up(engine, id, address).await.map_err(|error| match error {
            ClientError::Unknown => Refused::Denied("there is no such client"),
            ClientError::Invalid(reason) => Refused::Denied(reason),
            ClientError::Unavailable => Refused::Unavailable(Duration::from_secs(2)),
        })
    }
}

/// Whether a secret is that of a client, shown in the way it registered. Something is compared also where there is no client.
fn is_right(client: Option<&Client>, basic: bool, secret: &str, now: Timestamp) -> Result<(), &'static str> {
    let shown = hash(secret);
    let nobody = [0; 32];
    let (own, way, expires_at) = match client.map(|client| &client.authentication) {
        Some(ClientAuthentication::Secret { basic: own, hash, expires_at }) => {
            (hash.as_slice(), Some(*own), *expires_at)
        }
        _ => (&nobody[..], None, None),
    };
    let same = mcp_core::constant_time_eq(own, &shown);
    match way {
        None if client.is_none() => Err("there is no such client"),
        None => Err("the client has no secret"),
        Some(_) if !same => Err("the secret is wrong"),
        Some(way) if way != basic => Err("the client registered another way to show its secret"),
        Some(_) if expires_at.is_some_and(|at| now >= Timestamp::from_millis(at)) => {
            Err("the secret has expired")
        }
        Some(_) => Ok(()),
    }
}
