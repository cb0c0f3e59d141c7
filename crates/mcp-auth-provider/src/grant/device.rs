//! Polling for the tokens of a device grant (RFC 8628 §3.4).
//!
//! The request waits as a [`DeviceRecord`]; the user's answer is a record beside it ([`Answered`]), so that polls and the browser
//! do not get in each other's way. The first poll after a yes takes the answer and gives the tokens, in one commit.

use std::time::Duration;

use http::StatusCode;
use mcp_core::audit::Outcome;
use mcp_core::{ClientId, Scopes, Timestamp};
use mcp_store::{Batch, Opened, Partition, Revision};
use serde::{Deserialize, Serialize};

use crate::as_text;
use crate::client::{Client, GrantType};
use crate::dpop::{self, ProvenKey};
use crate::engine::Engine;
use crate::wire::{OAuthError, Params, TokenKind, TokenText};

use super::answer::TokenAnswer;
use super::key::GrantKey;
use super::mint::{self, Order};
use super::record::{Answered, GrantRecord, answered_name, grant_name};
use super::redeem::{DOUBLE_SUBMIT, MEMORY, commit, token_type, with_grant};
use super::{end, target};

/// How long a client waits between two polls at first (RFC 8628 §3.5), and how much longer after each that came too early.
pub(crate) const INTERVAL: Duration = Duration::from_secs(5);
/// The longest it has to wait, however impatient it was.
const LONGEST: Duration = Duration::from_secs(60);
/// How much too early is not too early: networks are not even.
const EARLY: Duration = Duration::from_millis(500);
/// How long after its end a request that was approved in time can be polled for; and how long a client is told that it has expired.
const GRACE: Duration = Duration::from_secs(60);

/// A request of a device.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct DeviceRecord {
    #[serde(with = "as_text::client_id")]
    pub(crate) client: ClientId,
    #[serde(with = "as_text::scopes")]
    pub(crate) scopes: Scopes,
    pub(crate) resources: Vec<String>,
    /// As the device shows it.
    pub(crate) user_code: String,
    #[serde(with = "as_text::millis")]
    pub(crate) expires_at: Timestamp,
    /// Seconds between two polls.
    interval: u64,
    /// When the last poll was, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    polled_at: Option<u64>,
    /// When the tokens were given, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    used_at: Option<u64>,
}

impl DeviceRecord {
    /// A request that nobody has answered.
    pub(crate) fn new(
        client: &Client,
        resources: Vec<String>,
        scopes: Scopes,
        user_code: String,
        expires_at: Timestamp,
    ) -> Self {
        let interval = INTERVAL.as_secs();
        let client = client.id.clone();
        Self { client, scopes, resources, user_code, expires_at, interval, polled_at: None, used_at: None }
    }

    /// When nothing of it is known any more.
    pub(crate) fn forgotten_at(&self) -> Timestamp {
        self.expires_at + MEMORY
    }

    /// Until when tokens are given, if a user said yes in time.
    pub(super) fn redeemable_until(expires_at: Timestamp) -> Timestamp {
        expires_at + GRACE
    }

    /// Whether a poll now comes too early after the last.
    fn is_too_early(&self, now: Timestamp) -> bool {
        self.polled_at.map(Timestamp::from_millis).is_some_and(|last| {
            // A clock that was set back must not hold anybody up.
            last <= now && now.since(last) + EARLY < Duration::from_secs(self.interval)
        })
    }
}

/// Gives the tokens of a device grant, if its user has said yes.
///
/// # Errors
/// As RFC 8628 §3.5; 503 when the store does not answer.
pub(crate) async fn poll(
    engine: &Engine,
    client: &Client,
    params: &Params,
    key: Option<&ProvenKey>,
) -> Result<TokenAnswer, OAuthError> {
    if !client.may(GrantType::DeviceCode) {
        return Err(OAuthError::unauthorized_client("the client did not register for the device grant"));
    }
    let code =
        params.get("device_code").ok_or_else(|| OAuthError::invalid_request("device_code is missing"))?;
    let code = TokenText::parse(TokenKind::Device, code).ok_or_else(unknown)?;
    for _ in 0..3 {
        let waiting = read(engine, client, &code).await?;
        let now = engine.now();
        if let Some(used_at) = waiting.device.used_at {
            return Err(replayed(engine, &code, &waiting, Timestamp::from_millis(used_at)).await?);
        }
        match &waiting.answered {
            Some((Answered { granted: false, .. }, _)) => {
                return Err(error("access_denied", "the user denied the request"));
            }
            Some((answered, at)) if now < DeviceRecord::redeemable_until(waiting.device.expires_at) => {
                let answered = (answered, *at);
                if let Some(answer) = take(engine, &code, &waiting, answered, (client, params, key)).await? {
                    return Ok(answer);
                }
            }
            None if now < waiting.device.expires_at => {
                if let Some(told) = wait(engine, &code, &waiting, now).await? {
                    return Err(told);
                }
            }
            _ => return Err(error("expired_token", "the device_code has expired")),
        }
    }
    // Others polled at the same moment, again and again.
    Err(slow_down())
}

/// A request as it was at one moment.
struct Waiting {
    device: DeviceRecord,
    device_at: Revision,
    answered: Option<(Answered, Revision)>,
    grant: Option<(GrantRecord, Revision)>,
}

async fn read(engine: &Engine, client: &Client, code: &TokenText) -> Result<Waiting, OAuthError> {
    let names = [code.name(), answered_name(), grant_name()];
    let mut found = engine.vault.get(code.partition(), &names).await?.into_iter();
    let (Some(Some(device)), answered, grant) =
        (found.next(), found.next().flatten(), found.next().flatten())
    else {
        return Err(unknown());
    };
    let at = |record: &Opened| record.revision();
    let waiting = Waiting {
        device_at: at(&device),
        device: device.json()?,
        answered: match &answered {
            Some(record) => Some((record.json()?, at(record))),
            None => None,
        },
        grant: match &grant {
            Some(record) => Some((record.json()?, at(record))),
            None => None,
        },
    };
    if waiting.device.client != client.id {
        let mut event = engine.event("code_of_another_client", Outcome::Denied);
        event.client = Some(client.id.to_string());
        engine.audit.record(event.because("a device_code"));
        return Err(unknown());
    }
    Ok(waiting)
}

/// Nobody has answered yet: notes down that the client asked, and says how to go on. `None` if something happened meanwhile.
async fn wait(
    engine: &Engine,
    code: &TokenText,
    waiting: &Waiting,
    now: Timestamp,
) -> Result<Option<OAuthError>, OAuthError> {
    let early = waiting.device.is_too_early(now);
    let interval = Duration::from_secs(waiting.device.interval);
    let interval = if early { (interval + INTERVAL).min(LONGEST) } else { interval };
    let device = DeviceRecord {
        interval: interval.as_secs(),
        polled_at: Some(now.as_millis()),
        ..waiting.device.clone()
    };
    let batch = Batch::new().require(code.name(), waiting.device_at);
    let batch = batch.put_json(code.name(), &device, Some(device.forgotten_at()))?;
    if !commit(engine, code.partition(), batch, &code.name()).await? {
        return Ok(None);
    }
    let pending = || error("authorization_pending", "the user has not answered yet");
    Ok(Some(if early { slow_down() } else { pending() }))
}

/// Takes the answer and gives the tokens, in one commit. `None` if somebody else was faster.
async fn take(
    engine: &Engine,
    code: &TokenText,
    waiting: &Waiting,
    (answered, answered_at): (&Answered, Revision),
    (client, params, key): (&Client, &Params, Option<&ProvenKey>),
) -> Result<Option<TokenAnswer>, OAuthError> {
    let Some((grant, grant_at)) = waiting.grant.as_ref().filter(|(grant, _)| grant.ended.is_none()) else {
        return Err(OAuthError::invalid_grant("the grant has ended"));
    };
    let partition = code.partition();
    let resource = target::resource(engine, params, grant, None)?;
    let scopes = target::scopes(engine, params.get("scope"), grant, &resource)?;
    let now = engine.now();
    let jkt = key.map(ProvenKey::jkt);
    let grant_key = grant_key(answered)?;
    let order = Order {
        partition,
        grant,
        key: grant_key.as_ref(),
        scopes,
        resource,
        jkt: jkt.map(str::to_owned),
        now,
    };
    let until = Some(now + MEMORY);
    let used = DeviceRecord { used_at: Some(now.as_millis()), ..waiting.device.clone() };
    // From here on only the tokens open what the grant remembers.
    let taken = Answered { key: Vec::new(), ..answered.clone() };
    let batch = Batch::new()
        .require(code.name(), waiting.device_at)
        .require(answered_name(), answered_at)
        .require(grant_name(), *grant_at)
        .put_json(code.name(), &used, until)?
        .put_json(answered_name(), &taken, until)?
        .put_json(grant_name(), grant, Some(grant.expires_at))?;
    let (batch, access) = mint::access(engine, batch, &order)?;
    let (batch, refresh) = if grant.refreshable {
        let (batch, token) = mint::refresh(engine, batch, &order, mint::binding(client, jkt))?;
        (batch, Some(token))
    } else {
        (batch, None)
    };
    dpop::spend(engine, key).await?;
    if !commit(engine, partition, batch, &code.name()).await? {
        return Ok(None);
    }
    let event = engine.event("device_code_redeemed", Outcome::Allowed);
    engine.audit.record(with_grant(event, grant));
    Ok(Some(TokenAnswer {
        access_token: access.text,
        token_type: token_type(jkt).to_owned(),
        expires_at: access.expires_at,
        scope: order.scopes.to_string(),
        refresh_token: refresh.map(|token| token.expose().to_owned()),
        issued_token_type: None,
    }))
}

/// It was used before: shortly after, by a client that asks twice, which changes nothing; later, that ends the grant, as with any
/// code (attack AC02).
async fn replayed(
    engine: &Engine,
    code: &TokenText,
    waiting: &Waiting,
    used_at: Timestamp,
) -> Result<OAuthError, OAuthError> {
    let partition: &Partition = code.partition();
    if engine.now().since(used_at) > DOUBLE_SUBMIT {
        end(engine, partition, "code_replay").await?;
    }
    let event = engine.event("code_replay", Outcome::Denied).because("the device_code was used before");
    engine.audit.record(match &waiting.grant {
        Some((grant, _)) => with_grant(event, grant),
        None => event,
    });
    Ok(OAuthError::invalid_grant("the device_code was used before"))
}

fn grant_key(answered: &Answered) -> Result<Option<GrantKey>, OAuthError> {
    if answered.key.is_empty() {
        return Ok(None);
    }
    match GrantKey::from_bytes(&answered.key) {
        Some(key) => Ok(Some(key)),
        None => Err(mcp_store::StoreError::corrupt("a grant's key has another length").into()),
    }
}

fn slow_down() -> OAuthError {
    error("slow_down", "wait five seconds longer between two polls from now on")
}

fn error(code: &'static str, description: &'static str) -> OAuthError {
    OAuthError::new(StatusCode::BAD_REQUEST, code, description)
}

fn unknown() -> OAuthError {
    OAuthError::invalid_grant("the device_code is unknown or another client's")
}
