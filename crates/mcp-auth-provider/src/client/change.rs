//! Changes of a registration by whoever holds its token (RFC 7592).

use std::net::IpAddr;

use mcp_core::audit::Outcome;
use mcp_core::constant_time_eq;
use mcp_store::StoreError;

use super::clients::Registrar;
use super::metadata::Metadata;
use super::register::{RegisterError, Registered, check_size, credentials};
use super::registration::RegistrationRequest;
use super::stored::{self, Lease, StoredClient};
use super::{ClientAuthentication, ClientOrigin};
use crate::engine::Engine;
use crate::grant;
use crate::wire::{TokenKind, TokenText};

/// A registration that somebody showed the right token for. Made by [`open`] only.
pub(crate) struct Managed {
    record: StoredClient,
    lease: Lease,
    token: TokenText,
}

/// Opens the registration of a client for who shows this token. `None` if it is not that client's.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn open(
    engine: &Engine,
    token: &str,
    client_id: Option<&str>,
) -> Result<Option<Managed>, StoreError> {
    let Some(token) = TokenText::parse(TokenKind::Registration, token) else { return Ok(None) };
    let Some((record, lease)) = stored::load_any(engine, token.partition()).await? else { return Ok(None) };
    let is_its = record.manage.as_ref().is_some_and(|own| constant_time_eq(own, token.name().as_str()));
    if !is_its {
        return Ok(None);
    }
    // Who names no client has forgotten something, and shows nothing to anybody who should not have it.
    let Some(client_id) = client_id.filter(|id| !id.is_empty()) else { return Ok(None) };
    if client_id != record.client.id.as_str() {
        // Whoever shows it at another client's place has mixed up, or stolen, what it holds (attack DR15).
        let mut event = engine.event("client_managed", Outcome::Denied);
        event.client = Some(record.client.id.to_string());
        engine.audit.record(event.because("the token was shown for another client, and is revoked"));
        let revoked = StoredClient { manage: None, ..record };
        stored::replace(engine, &lease, &revoked, lease.expires_at).await?;
        return Ok(None);
    }
    Ok(Some(Managed { record, lease, token }))
}

impl Managed {
    /// Whether it is being deleted, and nothing but that can be done with it.
    pub(crate) fn is_deleted(&self) -> bool {
        self.record.deleted
    }

    /// Whose registration it is.
    pub(crate) fn client_id(&self) -> &str {
        self.record.client.id.as_str()
    }

    /// Whether this is the secret it has.
    pub(crate) fn has_secret(&self, secret: &str) -> bool {
        match &self.record.client.authentication {
            ClientAuthentication::Secret { hash, .. } => constant_time_eq(hash, stored::hash(secret)),
            _ => false,
        }
    }

    /// The registration as it is (RFC 7592 §2.1). The secret is not known any more: only its hash is.
    pub(crate) fn read(self) -> Registered {
        Registered {
            metadata: Metadata::of(&self.record.client, self.record.scope.as_deref()),
            client: self.record.client,
            secret: None,
            token: Some(self.token),
        }
    }

    /// Puts other metadata in place of all that was there (RFC 7592 §2.2). `None` if somebody else changed it meanwhile.
    ///
    /// # Errors
    /// When it may not be changed so, or not now.
    pub(crate) async fn replace(
        self,
        engine: &Engine,
        registrar: &Registrar,
        metadata: Metadata,
        address: Option<IpAddr>,
    ) -> Result<Option<Registered>, RegisterError> {
        let request = RegistrationRequest::of(&metadata, address);
        if !registrar.config.allows(&request) {
            return Err(RegisterError::Policy);
        }
        let old = &self.record.client;
        let (fresh, secret) = credentials(&metadata.method, engine, registrar.config.secrets_for);
        let (authentication, secret) = match (&old.authentication, fresh) {
            // It keeps its secret, and perhaps shows it in another way.
            (
                ClientAuthentication::Secret { hash, expires_at, .. },
                ClientAuthentication::Secret { basic, .. },
            ) => (ClientAuthentication::Secret { basic, hash: hash.clone(), expires_at: *expires_at }, None),
            (_, fresh) => (fresh, secret),
        };
        let client = metadata.clone().into_client(
            old.id.clone(),
            ClientOrigin::Registered,
            authentication,
            old.created_at,
        );
        let record = StoredClient {
            client,
            scope: metadata.scope.as_ref().map(ToString::to_string),
            manage: self.record.manage.clone(),
            deleted: false,
        };
        check_size(&record)?;
        let end = stored::end(engine, registrar.config.unused_for);
        if !stored::replace(engine, &self.lease, &record, Some(end)).await? {
            return Ok(None);
        }
        engine.audit.record(event(engine, &record).doing("change"));
        Ok(Some(Registered { client: record.client, metadata, secret, token: Some(self.token) }))
    }

    /// Deletes it, and ends all that was granted to it (RFC 7592 §2.3). From the first commit on it is nobody; what follows is
    /// done again if it breaks off, for as long as the client asks. `false` if somebody else changed it meanwhile.
    ///
    /// # Errors
    /// When the store does not answer; then some of its grants may be left, and it may ask again.
    pub(crate) async fn delete(self, engine: &Engine) -> Result<bool, StoreError> {
        if !self.record.deleted {
            let gone = StoredClient { deleted: true, ..self.record.clone() };
            if !stored::replace(engine, &self.lease, &gone, self.lease.expires_at).await? {
                return Ok(false);
            }
            engine.audit.record(event(engine, &gone).doing("delete"));
        }
        grant::end_of_client(engine, &self.record.client.id, "client_deleted").await?;
        stored::delete(engine, &self.lease.partition).await?;
        Ok(true)
    }
}

fn event(engine: &Engine, record: &StoredClient) -> mcp_core::audit::AuditEvent {
    let mut event = engine.event("client_managed", Outcome::Allowed);
    event.client = Some(record.client.id.to_string());
    event
}
