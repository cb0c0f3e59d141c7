//! A registration, from checked metadata to a client in the store (RFC 7591 §3).

use std::net::IpAddr;
use std::time::Duration;

use mcp_core::audit::Outcome;
use mcp_core::random_id;
use mcp_store::{Partition, StoreError};

use super::clients::Registrar;
use super::metadata::{Metadata, Method};
use super::quota::Full;
use super::registration::{Registration, RegistrationRequest};
use super::stored::{self, StoredClient};
use super::{Client, ClientAuthentication, ClientOrigin};
use crate::engine::Engine;
use crate::wire::{TokenKind, TokenText};

/// A client that was registered, with what is said only now.
pub(crate) struct Registered {
    pub(crate) client: Client,
    /// In the form it came in, as it is in effect.
    pub(crate) metadata: Metadata,
    pub(crate) secret: Option<String>,
    /// Its registration access token (RFC 7592 §3).
    pub(crate) token: Option<TokenText>,
}

/// Why a client was not.
pub(crate) enum RegisterError {
    /// The operator's policy does not want it.
    Policy,
    /// There are too many; come back after this time.
    Full(Duration),
    /// The record would be too large.
    TooLarge,
    /// The store does not answer.
    Store(StoreError),
}

impl From<StoreError> for RegisterError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Full> for RegisterError {
    fn from(full: Full) -> Self {
        match full {
            Full::For(span) => Self::Full(span),
            Full::Store(error) => Self::Store(error),
        }
    }
}

/// Registers a client, or finds the one that registered the same before.
///
/// # Errors
/// When it may not, or not now.
pub(crate) async fn register(
    engine: &Engine,
    registrar: &Registrar,
    metadata: Metadata,
    address: Option<IpAddr>,
) -> Result<Registered, RegisterError> {
    let config = &registrar.config;
    let request = RegistrationRequest::of(&metadata, address);
    let allowed = config.allows(&request);
    let event = |outcome| engine.event("client_registered", outcome).from_address(address);
    if !allowed {
        engine.audit.record(event(Outcome::Denied).because("the policy refuses the registration"));
        return Err(RegisterError::Policy);
    }
    // What nobody can change and nobody can prove to be is the same for all who have it.
    let is_shared = matches!(metadata.method, Method::None) && !config.manageable;
    let (id, partition) = match is_shared {
        true => stored::shared(engine, &metadata.fingerprint()),
        false => stored::random(),
    };
    if is_shared && let Some(registered) = existing(engine, config, id.as_str(), &metadata).await? {
        return Ok(registered);
    }
    registrar.quota.take(engine, address).await.inspect_err(|full| {
        if matches!(full, Full::For(_)) {
            engine.audit.record(event(Outcome::Denied).because("too many clients were registered"));
        }
    })?;
    let (authentication, secret) = credentials(&metadata.method, engine, config.secrets_for);
    let token = config.manageable.then(|| TokenText::new(TokenKind::Registration, &partition));
    let client = metadata.clone().into_client(id, ClientOrigin::Registered, authentication, engine.now());
    let record = StoredClient {
        client,
        scope: metadata.scope.as_ref().map(ToString::to_string),
        manage: token.as_ref().map(|token| token.name().as_str().to_owned()),
        deleted: false,
    };
    check_size(&record)?;
    if !write(engine, &partition, &record, config.unused_for).await? {
        // Somebody registered the same at the same time: it is the same client.
        return match existing(engine, config, record.client.id.as_str(), &metadata).await? {
            Some(registered) => Ok(registered),
            None => Err(StoreError::unavailable("a client came and went").into()),
        };
    }
    let mut event = event(Outcome::Allowed);
    event.client = Some(record.client.id.to_string());
    engine.audit.record(event);
    Ok(Registered { client: record.client, metadata, secret, token })
}

/// The client that registered the same before. To register again is to use it: it is there for as long as a new one would be.
async fn existing(
    engine: &Engine,
    config: &Registration,
    id: &str,
    metadata: &Metadata,
) -> Result<Option<Registered>, StoreError> {
    let Some((record, lease)) = stored::load(engine, id).await? else { return Ok(None) };
    stored::keep(engine, &record.client, &lease, config.unused_for).await;
    Ok(Some(Registered { client: record.client, metadata: metadata.clone(), secret: None, token: None }))
}

/// Writes it. A commit of which nobody knows whether it happened is looked for.
async fn write(
    engine: &Engine,
    partition: &Partition,
    record: &StoredClient,
    unused_for: Duration,
) -> Result<bool, StoreError> {
    match stored::create(engine, partition, record, unused_for).await {
        Err(error) if error.is_unknown() => match stored::load_any(engine, partition).await? {
            Some((found, _)) if found.client.created_at == record.client.created_at => Ok(true),
            Some(_) => Ok(false),
            None => Err(error),
        },
        result => result,
    }
}

/// How a client is going to prove itself, and the secret for it where there is one.
pub(super) fn credentials(
    method: &Method,
    engine: &Engine,
    secrets_for: Option<Duration>,
) -> (ClientAuthentication, Option<String>) {
    match method {
        Method::None => (ClientAuthentication::None, None),
        Method::Secret { basic } => {
            let secret = format!("mcp_cs_{}", random_id());
            let expires_at = secrets_for.map(|span| (engine.now() + span).as_millis());
            let hash = stored::hash(&secret);
            (ClientAuthentication::Secret { basic: *basic, hash, expires_at }, Some(secret))
        }
        Method::PrivateKeyJwt { jwks, jwks_uri, algorithm, optional } => {
            let authentication = ClientAuthentication::PrivateKeyJwt {
                jwks: jwks.clone(),
                jwks_uri: jwks_uri.clone(),
                algorithm: algorithm.clone(),
                optional: *optional,
            };
            (authentication, None)
        }
    }
}

/// A record has to fit into the store.
pub(super) fn check_size(record: &StoredClient) -> Result<(), RegisterError> {
    let size = serde_json::to_vec(record).map_or(usize::MAX, |bytes| bytes.len());
    if size > mcp_store::Vault::MAX_PLAINTEXT { Err(RegisterError::TooLarge) } else { Ok(()) }
}
